"""Everything a fresh Debian 12 machine lacks to run the lab: packages, a user, uv, the OpenStack environment.

`ensure` looks first and does nothing, quickly, when nothing is missing.  All output of what it runs goes to
install.log in the cache.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import os
import platform
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from multisite_lab import paths
from multisite_lab.model import LabError

Progress = Callable[[str], None]

PYTHON = Path("/usr/bin/python3")
"""Debian's own: its Ceph and libvirt bindings fit no other."""

GIB = 1 << 30
_MEMORY = 7 * GIB  # what is sold as 8 GiB shows less
_DISK = 8 * GIB
_LISTS = Path("/var/lib/apt/lists")
_POLICY = Path("/usr/sbin/policy-rc.d")
_USER = "libvirt-qemu"
_STAMP = ".complete"
_UNUSED = 30 * 24 * 3600.0
_BINDINGS = ("rados.*.so", "rbd.*.so", "libvirt.py", "libvirt_qemu.py", "libvirtaio.py", "libvirtmod*.so")
_DIST_PACKAGES = Path("/usr/lib/python3/dist-packages")


def _silent(line: str) -> None:
    """The default progress: nobody listens."""


def ensure(progress: Progress = _silent) -> None:
    """Install what is missing; raise LabError, in words for the user, where that is impossible."""
    check_memory()
    if not _missing_packages(wanted_packages()) and _user_exists() and _is_complete(paths.openstack_venv()):
        _touch(paths.openstack_venv())
        return
    check_machine()
    with _alone(progress):
        installation = _Installation(progress)
        installation.packages(wanted_packages())
        installation.user()
        installation.openstack()
        prune()


def ensure_packages(*names: str, progress: Progress = _silent) -> None:
    """Install Debian packages that are missing, without starting their services; raise LabError otherwise."""
    if not _missing_packages(names):
        return
    check_machine()
    with _alone(progress):
        _Installation(progress).packages(names)


def uv() -> Path:
    """The pinned installer, in an environment of its own."""
    venv = _tools_venv()
    if not _is_complete(venv):
        with _alone(_silent):
            _Installation(_silent).uv()
    _touch(venv)
    return venv / "bin" / "uv"


def prune(now: float | None = None) -> list[Path]:
    """Remove environments and guest images of other digests, unused for 30 days; return what went."""
    limit = (time.time() if now is None else now) - _UNUSED
    current = {paths.openstack_venv(), _tools_venv()}
    gone = []
    for pattern in ("openstack-*", "tools-*", "guest-*.raw"):
        for path in sorted(paths.cache().glob(pattern)):
            stamp = path / _STAMP if (path / _STAMP).exists() else path
            if path in current or stamp.stat().st_mtime > limit:
                continue
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            gone.append(path)
    return gone


def check_memory() -> None:
    """Refuse a machine on which two sites would not fit."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if total < _MEMORY:
        raise LabError(f"two sites need 8 GiB of memory; this machine has {total / GIB:.1f} GiB")


def check_machine() -> None:
    """Refuse a machine this installation does not know or has no room on."""
    if os.geteuid():
        raise LabError("software is missing and only root can install it: run this as root")
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    name = release.get("PRETTY_NAME", "an unknown system")
    if (release.get("ID"), release.get("VERSION_ID"), platform.machine()) != ("debian", "12", "x86_64"):
        raise LabError(f"the lab installs itself on Debian 12 (amd64); this is {name}, {platform.machine()}")
    for folder in (paths.cache(), paths.state()):
        free = shutil.disk_usage(_existing(folder)).free
        if free < _DISK:
            raise LabError(f"the lab needs 8 GiB of disk; {folder} has {free / GIB:.1f} GiB free")


def wanted_packages() -> list[str]:
    """The Debian packages the lab needs."""
    lines = (paths.DATA / "debian-packages.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def missing(status: str, wanted: Sequence[str]) -> list[str]:
    """The wanted packages that are not installed, by what `dpkg-query` says (lines of status and name)."""
    rows = (line.split() for line in status.splitlines())
    installed = {row[1] for row in rows if len(row) == 2 and row[0] == "installed"}
    return [name for name in wanted if name not in installed]


def _missing_packages(wanted: Sequence[str]) -> list[str]:
    # Names dpkg has never heard of make it fail, after it has answered for the others.
    command = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n", *wanted]
    try:
        return missing(subprocess.run(command, capture_output=True, text=True).stdout, wanted)
    except FileNotFoundError:
        raise LabError("the lab installs itself on Debian 12; this machine has no dpkg") from None


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _user_exists() -> bool:
    try:
        return bool(pwd.getpwnam(_USER) and grp.getgrnam(_USER))
    except KeyError:
        return False


def _tools_venv() -> Path:
    return paths.cache() / f"tools-{paths.digest(paths.DATA / 'uv.lock')}"


def _is_complete(venv: Path) -> bool:
    return (venv / _STAMP).exists()


def _touch(venv: Path) -> None:
    """Remember that it was used; nothing to remember it by is no reason to fail."""
    with contextlib.suppress(OSError):
        os.utime(venv / _STAMP)


_held = False


@contextlib.contextmanager
def _alone(progress: Progress) -> Iterator[None]:
    """One installation at a time on this machine; within one, nested use is fine."""
    global _held
    if _held:
        yield
        return
    paths.cache().mkdir(parents=True, exist_ok=True)
    with (paths.cache() / "install.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("another installation is running: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        _held = True
        try:
            yield
        finally:
            _held = False


@contextlib.contextmanager
def _no_daemons() -> Iterator[None]:
    """Packages start their services when installed, on addresses of the machine's own; here they must not."""
    mark = "# made by multisite-lab while it installs packages\n"
    if _POLICY.exists() and mark not in _POLICY.read_text(errors="replace"):
        yield
        return
    _POLICY.write_text(f"#!/bin/sh\n{mark}exit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)


class _Installation:
    """The phases of one installation.  Each looks again, since another process may have just done it."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._begun = time.monotonic()
        self._log = paths.cache() / "install.log"

    def packages(self, wanted: Sequence[str]) -> None:
        """Debian packages."""
        absent = _missing_packages(wanted)
        if not absent:
            return
        with self._phase(f"{len(absent)} Debian packages"), _no_daemons():
            if not any(_LISTS.glob("*_Packages*")):
                self._update()
            command = ("apt-get", "install", "-y", "--no-install-recommends", *absent)
            try:
                self._apt(*command)
            except LabError:
                # Aged lists point at files that are gone; an interrupted run leaves packages half configured.
                self._run("dpkg", "--configure", "-a")
                self._update()
                self._apt(*command)

    def user(self) -> None:
        """The user libvirt insists on; Debian makes it in a package that would also start libvirt."""
        if _user_exists():
            return
        with self._phase(f"system user {_USER}"):
            with contextlib.suppress(LabError):
                self._run("groupadd", "--system", _USER)
            home = ("--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin")
            self._run("useradd", "--system", *home, "--gid", _USER, _USER)

    def uv(self) -> Path:
        """The installer of Python packages, itself installed by pip with its hashes checked."""
        venv = _tools_venv()
        if not _is_complete(venv):
            with self._phase("uv"):
                self._run(PYTHON, "-m", "venv", "--clear", venv)
                lock = paths.DATA / "uv.lock"
                self._run(venv / "bin/pip", "install", "--quiet", "--require-hashes", "-r", lock)
                (venv / _STAMP).touch()
        return venv / "bin" / "uv"

    def openstack(self) -> None:
        """OpenStack.  Built in place, because scripts name their interpreter; the stamp comes last."""
        venv = paths.openstack_venv()
        if _is_complete(venv):
            return
        tool = self.uv()
        with self._phase("OpenStack"):
            if not self._runs(venv / "bin/python"):
                self._run(tool, "venv", "--quiet", "--clear", "--python", PYTHON, venv)
            lock = paths.DATA / "openstack.lock"
            self._run(tool, "pip", "sync", "--require-hashes", "--python", venv / "bin/python", lock)
            self._bind(venv)
            (venv / _STAMP).touch()

    def _bind(self, venv: Path) -> None:
        """Lend the environment Debian's Ceph and libvirt bindings, and no other of Debian's modules."""
        target = next((venv / "lib").glob("python3*/site-packages"))
        for pattern in _BINDINGS:
            for module in _DIST_PACKAGES.glob(pattern):
                link = target / module.name
                link.unlink(missing_ok=True)
                link.symlink_to(module)
        self._run(venv / "bin/python", "-c", "import libvirt, libvirt_qemu, rados, rbd")

    def _update(self) -> None:
        # A foreign source that does not answer must not stop us: what we need comes from Debian's own.
        with contextlib.suppress(LabError):
            self._apt("apt-get", "update")

    def _apt(self, program: str, *arguments: str) -> None:
        self._run(program, "-o", "DPkg::Lock::Timeout=300", "-q", *arguments)

    def _runs(self, python: Path) -> bool:
        return python.exists() and subprocess.run([python, "-c", ""], capture_output=True).returncode == 0

    def _run(self, *command: str | Path) -> None:
        """Run a command with its output in the log; on failure say what it said last."""
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        with self._log.open("a+") as log:
            log.write(f"{datetime.now(UTC):%F %T} {' '.join(map(str, command))}\n")
            log.flush()
            start = log.tell()
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
            if done.returncode:
                log.seek(start)
                said = log.read()[-800:].strip()
                raise LabError(f"{' '.join(map(str, command[:4]))} failed, see {self._log}:\n{said}")

    @contextlib.contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        self._progress(f"{began - self._begun:6.1f} s  installing {name}")
        yield
        now = time.monotonic()
        self._progress(f"{now - self._begun:6.1f} s  installed {name} in {now - began:.1f} s")


def main() -> None:
    """``python -m multisite_lab.install``."""
    try:
        ensure(lambda line: print(line, flush=True))
    except LabError as problem:
        raise SystemExit(str(problem)) from None


if __name__ == "__main__":
    main()
