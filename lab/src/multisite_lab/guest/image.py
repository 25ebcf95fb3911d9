"""Building the image and finding a built one."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from multisite_lab import paths
from multisite_lab.guest import cpio, disk, packages, rootfs

ROOT_MIB = 22
_BUILDER = ("cpio", "disk", "image", "modules", "packages", "rootfs")
_EPOCH = 1_700_000_000  # any fixed time

Progress = Callable[[str], None]


def _silent(line: str) -> None:
    """The default progress: nobody listens."""


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One builder at a time: a second one waits and then finds the image made."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _name(wanted: list[packages.Package]) -> str:
    """The image's name: a digest of everything it is made from."""
    sources = [Path(__file__).with_name(f"{name}.py") for name in _BUILDER]
    files = sorted(rootfs.FILES.iterdir())
    return f"guest-{paths.digest(*sources, *files, *(package.sha256 for package in wanted))}.raw"


def _build(wanted: list[packages.Package], target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="guest-build-") as name:
        work = Path(name)
        packages.unpack(wanted, work / "packages")
        rootfs.root(work / "packages", work / "root")
        rootfs.initrd(work / "packages", work / "initrd")
        rootfs.normalize(work / "root", _EPOCH)
        rootfs.normalize(work / "initrd", _EPOCH)
        boot = work / "boot"
        boot.mkdir()
        (boot / "initrd.gz").write_bytes(cpio.initrd(work / "initrd"))
        shutil.copyfile(next((work / "packages/boot").glob("vmlinuz-*")), boot / "vmlinuz")
        (boot / "syslinux.cfg").write_text(disk.SYSLINUX)
        rootfs.normalize(boot, _EPOCH)
        made = work / "disk.raw"
        disk.write(made, sorted(boot.iterdir()), work / "root", ROOT_MIB, _EPOCH)
        made.rename(target)


def image(progress: Progress = _silent) -> Path:
    """The path of the guest image, built first unless these sources and packages were built before."""
    wanted = packages.offered()
    target = paths.cache() / _name(wanted)
    if target.exists():
        return target
    with _alone(paths.cache() / "guest.lock"):
        if not target.exists():
            began = time.monotonic()
            _build(wanted, target)
            size = target.stat().st_blocks * 512 // disk.MIB
            progress(f"guest image built in {time.monotonic() - began:.1f} s ({size} MiB)")
    return target
