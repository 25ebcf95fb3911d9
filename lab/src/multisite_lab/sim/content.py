"""What is on a volume, and the store that keeps backups beyond the life of a site."""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Content:
    """``image``: what the volume was made from; ``seed`` names the history of records a guest writes, ``seq``
    is the last of them.  A blank volume has neither.
    """

    image: str = ""
    seed: int = 0
    seq: int = 0

    @property
    def sum(self) -> int:
        """Checksum of everything written up to the last record."""
        return checksum(self.seed, self.seq)


def checksum(seed: int, seq: int) -> int:
    return zlib.crc32(f"{seed}:{seq}".encode()) if seq else 0


def changes(old: Content, new: Content) -> dict[str, Any]:
    """What an incremental backup of ``new`` has to hold, given ``old``."""
    before = asdict(old)
    return {key: value for key, value in asdict(new).items() if before[key] != value}


@dataclass(frozen=True)
class Stored:
    """The data of one backup: all of it, or what changed since its parent's.

    ``encrypted_type_id``: of its volume, if that was encrypted.
    """

    parent_id: str | None
    changed: dict[str, Any]
    metadata: dict[str, str] = field(default_factory=dict)
    image_metadata: dict[str, str] = field(default_factory=dict)
    name: str = ""
    description: str | None = None
    bootable: bool = False
    path: str = ""
    encrypted_type_id: str | None = None


@dataclass
class BackupStore:
    """A share that several sites' cinder-backup reach, by backup id; it outlives the sites.

    ``folder``: where ``show`` lays a file for each backup, as the posix driver does: in its container, at its ``path``.
    """

    objects: dict[str, Stored] = field(default_factory=dict)
    folder: Path | None = None

    def put(self, backup_id: str, stored: Stored) -> None:
        self.objects[backup_id] = stored
        self.show()

    def remove(self, backup_id: str) -> None:
        self.objects.pop(backup_id, None)
        self.show()

    def show(self) -> None:
        """Bring the folder in line; containers stay when they are empty (backup/drivers/posix.py, delete_object)."""
        if self.folder is None:
            return
        wanted = {self.folder / f"{stored.path}_metadata" for stored in self.objects.values() if stored.path}
        for path in set(self.folder.glob("??/??/*/*_metadata")) - wanted:
            path.unlink()
        for path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def content_of(self, chain: list[str]) -> Content:
        """Put a volume together from a chain, full backup first.  KeyError names what is not there."""
        content = Content()
        for backup_id in chain:
            content = replace(content, **self.objects[backup_id].changed)
        return content
