"""The Debian packages the guest is made of: which versions apt offers now, and their files."""

from __future__ import annotations

import hashlib
import re
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from multisite_lab import paths

_KERNEL = "linux-image-cloud-amd64"
_PACKAGES = (paths.DATA / "guest" / "packages.txt").read_text().split()
_LISTS = Path("/var/lib/apt/lists")
_OFFER = re.compile(r"^'[^']+' (?P<file>\S+) \d+ SHA256:(?P<sha256>[0-9a-f]{64})$", re.MULTILINE)


@dataclass(frozen=True)
class Package:
    """A package file as apt offers it; its name holds the version."""

    file: str
    sha256: str

    @property
    def spec(self) -> str:
        """How apt is told to take exactly this version."""
        name, version, _architecture = self.file.split("_")
        return f"{name}={version.replace('%3a', ':')}"

    def intact(self, folder: Path) -> bool:
        """Is the file there, whole?"""
        path = folder / self.file
        return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256


def _apt(*command: str, folder: str | None = None) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:2])} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def _names() -> list[str]:
    """The packages' names; the kernel's own has its version in it, which only the meta package knows."""
    found = re.search(r"Depends: (linux-image-[0-9]\S*)", _apt("apt-cache", "depends", _KERNEL))
    if not found:
        raise RuntimeError(f"apt does not know {_KERNEL}: run apt-get update (Debian 12, amd64)")
    return [found.group(1), *_PACKAGES]


def parse(offers: str) -> list[Package]:
    """The packages in the answer of ``apt-get download --print-uris``."""
    found = (Package(match["file"], match["sha256"]) for match in _OFFER.finditer(offers))
    return sorted(found, key=lambda package: package.file)


def offered() -> list[Package]:
    """The versions apt offers now.

    Asking apt takes two seconds, so the answer is kept for as long as apt's own lists do not change.
    """
    lists = sorted(_LISTS.glob("*_Packages*")) if _LISTS.is_dir() else []
    key = paths.digest(*(f"{path.name} {path.stat().st_mtime_ns}" for path in lists), *_PACKAGES)
    kept = paths.cache() / f"guest-packages-{key}.txt"
    if not kept.exists():
        text = _apt("apt-get", "download", "--print-uris", *_names())
        if len(parse(text)) != len(_PACKAGES) + 1:
            raise RuntimeError(f"apt does not offer all packages of the guest:\n{text}")
        for old in paths.cache().glob("guest-packages-*.txt"):
            old.unlink(missing_ok=True)
        paths.cache().mkdir(parents=True, exist_ok=True)
        kept.write_text(text)
    return parse(kept.read_text())


def _fetch(wanted: list[Package], folder: Path) -> None:
    """Download what is missing, first into a folder of its own: apt writes under the final name."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [package for package in wanted if not package.intact(folder)]
    if not missing:
        return
    with tempfile.TemporaryDirectory(dir=folder) as name:
        _apt("apt-get", "-q", "download", *(package.spec for package in missing), folder=name)
        for package in missing:
            if not package.intact(Path(name)):
                raise RuntimeError(f"{package.file} arrived broken")
            Path(name, package.file).replace(folder / package.file)


def unpack(wanted: Iterable[Package], target: Path) -> None:
    """Unpack the packages into one folder, without documentation and character tables."""
    folder = paths.cache() / "debs"
    wanted = list(wanted)
    _fetch(wanted, folder)
    target.mkdir(parents=True, exist_ok=True)
    extract: list[str | Path] = ["tar", "-x", "-C", target, "--exclude=./usr/share/*", "--exclude=*/gconv/*"]
    for package in wanted:
        command: list[str | Path] = ["dpkg-deb", "--fsys-tarfile", folder / package.file]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as source:
            subprocess.run(extract, stdin=source.stdout, check=True)
        if source.returncode:
            raise RuntimeError(f"{package.file} cannot be unpacked")
