"""The archive must be one a kernel unpacks; here it is read the way the description of the format says."""

from __future__ import annotations

import gzip
import os
import stat
from pathlib import Path

import pytest

from multisite_lab.guest import cpio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "tool").write_bytes(b"x" * 5)
    (root / "bin" / "tool").chmod(0o755)
    (root / "link").symlink_to("bin/tool")
    return root


def fields(archive: bytes) -> list[tuple[str, int, int]]:
    """Name, mode and size of each entry, read the way the format's description says."""
    found, at = [], 0
    while True:
        assert archive[at : at + 6] == b"070701"
        numbers = [int(archive[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name = archive[at + 110 : at + 110 + numbers[11] - 1].decode()
        data = at + (110 + numbers[11] + 3) // 4 * 4
        if name == "TRAILER!!!":
            return found
        found.append((name, numbers[1], numbers[6]))
        at = data + (numbers[6] + 3) // 4 * 4


def test_parents_come_before_their_children_and_links_hold_their_target(folder: Path) -> None:
    assert fields(cpio.archive(list(cpio.tree(folder)))) == [
        ("bin", stat.S_IFDIR | 0o755, 0),
        ("link", stat.S_IFLNK | 0o777, len("bin/tool")),
        ("bin/tool", stat.S_IFREG | 0o755, 5),
    ]


def test_the_same_tree_gives_the_same_bytes_whatever_the_clock_says(folder: Path) -> None:
    first = cpio.initrd(folder)
    os.utime(folder / "bin" / "tool", (1, 1))
    assert cpio.initrd(folder) == first


def test_the_console_exists_before_the_first_program_runs(folder: Path) -> None:
    entries = {name: mode for name, mode, _ in fields(gzip.decompress(cpio.initrd(folder)))}
    assert entries["dev/console"] == stat.S_IFCHR | 0o600
