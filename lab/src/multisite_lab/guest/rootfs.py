"""The guest's root file system and initial RAM disk, as folders."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from multisite_lab import paths
from multisite_lab.guest import modules

FILES = paths.DATA / "guest"
# Where each of our files goes.
PLACES = {
    "init": "sbin/init",
    "workload": "sbin/workload",
    "verify": "sbin/verify",
    "shutdown": "sbin/shutdown",
    "fsfreeze-hook": "etc/qemu/fsfreeze-hook",
    "udhcpc": "usr/share/udhcpc/default.script",
}
_FOLDERS = ("proc", "sys", "dev", "run", "mnt", "data", "tmp", "root", "config", "var/lib/work")
_LIBRARIES = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu")
_NEEDED = re.compile(r"NEEDED\s+(\S+)")


def _needed(program: Path) -> list[str]:
    listing = subprocess.run(["objdump", "-p", program], capture_output=True, text=True, check=True).stdout
    return [name for name in _NEEDED.findall(listing) if not name.startswith("ld-linux")]


def _libraries(packages: Path, root: Path, programs: list[Path]) -> None:
    """Copy every shared library the programs need, and those need in turn, from the packages."""
    (root / "lib/x86_64-linux-gnu").mkdir(parents=True)
    waiting = list(programs)
    while waiting:
        for name in _needed(waiting.pop()):
            target = root / "lib/x86_64-linux-gnu" / name
            if target.exists():
                continue
            found = [path for folder in _LIBRARIES if (path := packages / folder / name).exists()]
            if not found:
                raise RuntimeError(f"no package of the guest holds {name}")
            shutil.copy(found[0].resolve(), target)
            waiting.append(target)


def _executable(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755)


def root(packages: Path, target: Path) -> None:
    """Make the root file system from unpacked packages and our files."""
    for folder in _FOLDERS:
        (target / folder).mkdir(parents=True, exist_ok=True)
    _executable(packages / "bin/busybox", target / "bin/busybox")
    for applet in (FILES / "applets.txt").read_text().split():
        (target / "bin" / applet).symlink_to("busybox")
    (target / "sbin").mkdir()
    for applet in ("poweroff", "reboot"):
        (target / "sbin" / applet).symlink_to("../bin/busybox")
    programs = [target / "usr/sbin/qemu-ga", target / "sbin/mke2fs"]
    for program in programs:
        _executable(packages / program.relative_to(target), program)
    (target / "sbin/mkfs.ext4").symlink_to("mke2fs")
    (target / "etc").mkdir()
    shutil.copyfile(packages / "etc/mke2fs.conf", target / "etc/mke2fs.conf")
    loader = packages / "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
    _executable(loader.resolve(), target / "lib64/ld-linux-x86-64.so.2")
    _libraries(packages, target, programs)
    (target / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (target / "etc/group").write_text("root:x:0:\n")
    for name, place in PLACES.items():
        _executable(FILES / name, target / place)


def initrd(packages: Path, target: Path) -> None:
    """Make the initial RAM disk: busybox, the modules and the program that finds the root disk."""
    for folder in ("lib", "proc", "sys", "dev", "newroot"):
        (target / folder).mkdir(parents=True, exist_ok=True)
    _executable(packages / "bin/busybox", target / "bin/busybox")
    _executable(FILES / "initrd-init", target / "init")
    modules.install(packages / "lib/modules", target / "lib")


def normalize(folder: Path, seconds: int) -> None:
    """Give everything below a folder plain modes and one fixed time, so that two builds are alike."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (seconds, seconds), follow_symlinks=False)
