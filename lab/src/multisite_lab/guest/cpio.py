"""Initial RAM disk archives (cpio, "newc" format), the same bytes for the same content."""

from __future__ import annotations

import gzip
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BLOCK = 512


@dataclass(frozen=True)
class Entry:
    """One file, folder, link or device of an archive."""

    name: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


# The kernel opens /dev/console for the first program, before anything could make it.
_DEVICES = (
    Entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1)),
    Entry("dev/null", stat.S_IFCHR | 0o666, device=(1, 3)),
)


def _encode(entry: Entry, inode: int) -> bytes:
    name = entry.name.encode() + b"\0"
    # inode, mode, uid, gid, links, mtime, size, file system (2), device (2), length of the name, check
    fields = (inode, entry.mode, 0, 0, 1, 0, len(entry.data), 0, 0, *entry.device, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    head += b"\0" * (-len(head) % 4)
    return head + entry.data + b"\0" * (-len(entry.data) % 4)


def archive(entries: list[Entry]) -> bytes:
    """The archive of these entries, in their order."""
    parts = [_encode(entry, inode) for inode, entry in enumerate([*entries, Entry("TRAILER!!!", 0)], start=1)]
    total = b"".join(parts)
    return total + b"\0" * (-len(total) % _BLOCK)


def tree(root: Path) -> Iterator[Entry]:
    """Everything below a folder, owned by root, parents before their children."""
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(folders + files):
            path = Path(folder, name)
            mode = path.lstat().st_mode
            inside = str(path.relative_to(root))
            if stat.S_ISLNK(mode):
                yield Entry(inside, mode, os.fsencode(path.readlink()))
            elif stat.S_ISDIR(mode):
                yield Entry(inside, stat.S_IFDIR | 0o755)
            else:
                yield Entry(inside, mode, path.read_bytes())


def initrd(root: Path) -> bytes:
    """The compressed initial RAM disk made of a folder."""
    return gzip.compress(archive([*tree(root), *_DEVICES]), 9, mtime=0)
