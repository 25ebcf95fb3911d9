"""What is on a volume, and the store that keeps backups beyond the life of a site."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

BLOCK = 32768
"""``backup_sha_block_size_bytes`` of Cinder's chunked drivers."""
_ENDING = re.compile(r"(_metadata|_sha256file|-[0-9]{5})$")


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


def _blocks(content: Content) -> list[bytes]:
    """A volume's bytes: a block for each of its fields, so that an incremental backup has fewer."""
    return [f"{key}={value}\n".encode().ljust(BLOCK, b"\0") for key, value in asdict(content).items()]


@dataclass
class BackupStore:
    """A share that several sites' cinder-backup reach, by backup id; it outlives the sites.

    ``folder``: where ``show`` lays files for each backup, as the posix driver does (backup/chunkeddriver.py): in its
    container, at its ``path``.
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
        wanted = {self.folder / stored.path: id for id, stored in self.objects.items() if stored.path}
        for path in self.folder.glob("??/??/*/volume_*"):
            if path.with_name(_ENDING.sub("", path.name)) not in wanted:
                path.unlink()
        for path, id in wanted.items():
            if not path.with_name(f"{path.name}_metadata").exists():
                self._write(path, id)

    def _write(self, prefix: Path, id: str) -> None:
        """A chunk for each run of blocks that changed, the digests of all blocks, and what says where each chunk is."""
        chain: list[str] = []
        while id in self.objects:
            chain.insert(0, id)
            id = self.objects[id].parent_id or ""
        blocks = _blocks(self.content_of(chain))
        before = (
            _blocks(self.content_of(chain[:-1])) if self.objects[chain[-1]].parent_id else [b""] * len(blocks)
        )
        objects: list[dict[str, Any]] = []
        prefix.parent.mkdir(parents=True, exist_ok=True)
        for number, block in enumerate(blocks):
            if block != before[number]:
                name = f"{prefix.name}-{len(objects) + 1:05}"
                prefix.with_name(name).write_bytes(zlib.compress(block))
                where = {"offset": number * BLOCK, "length": len(block), "compression": "zlib"}
                objects.append(
                    {name: {**where, "md5": hashlib.md5(block, usedforsecurity=False).hexdigest()}}
                )
        digests = {"chunk_size": BLOCK, "sha256s": [hashlib.sha256(block).hexdigest() for block in blocks]}
        for ending, data in (
            ("_sha256file", digests),
            ("_metadata", {"version": "1.0.0", "objects": objects}),
        ):
            prefix.with_name(prefix.name + ending).write_text(json.dumps(data, sort_keys=True, indent=2))

    def content_of(self, chain: list[str]) -> Content:
        """Put a volume together from a chain, full backup first.  KeyError names what is not there."""
        content = Content()
        for backup_id in chain:
            content = replace(content, **self.objects[backup_id].changed)
        return content
