"""The guest's own judge, run here on folders: it must accept every pair of one moment and no other.

The script needs only a shell and awk, so this machine's will do; the guest's are tried by the boot test.
"""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from multisite_lab import paths

SCRIPT = paths.DATA / "guest" / "verify"
SEGMENT = 1000


@dataclass
class Workload:
    """The records a workload writes, and what is on a disk after any of them."""

    lines: list[str]

    @classmethod
    def of(cls, records: int, seed: int = 1) -> Workload:
        values = random.Random(seed)
        lines, total = [f"{0:10d} {0:10d} {0:5d} {'x' * 35}\n"], 0
        for number in range(1, records + 1):
            value = values.randrange(32768)
            total = (total * 31 + number + value) % 4294967291
            lines.append(f"{number:10d} {total:10d} {value:5d} {'x' * 35}\n")
        return cls(lines)

    def sum(self, number: int) -> int:
        return int(self.lines[number].split()[1])

    def write(self, folder: Path, last: int, keep: int = 2) -> Path:
        """The segments as the workload leaves them after a record."""
        folder.mkdir(parents=True, exist_ok=True)
        newest = last // SEGMENT
        for segment in range(max(0, newest - keep + 1), newest + 1):
            begin = max(1, segment * SEGMENT)
            if begin <= last:
                until = min(last, segment * SEGMENT + SEGMENT - 1)
                (folder / f"seg.{100000 + segment}").write_text("".join(self.lines[begin - 1 : until + 1]))
        return folder


def verdict(root: Path, data: Path) -> dict[str, str]:
    done = subprocess.run(["sh", SCRIPT, root, data], capture_output=True, text=True, check=True)
    return dict(re.findall(r"(\w+)=(\S+)", done.stdout))


def judge(tmp_path: Path, workload: Workload, root: int, data: int) -> dict[str, str]:
    return verdict(workload.write(tmp_path / "root", root), workload.write(tmp_path / "data", data))


MOMENTS = [1, 999, 1000, 1001, 1999, 2000, 2500, 5999]


@pytest.mark.parametrize(
    ("last", "behind"), [(0, 0), *((last, behind) for last in MOMENTS for behind in (0, 1))]
)
def test_a_pair_of_one_moment_is_accepted(tmp_path: Path, last: int, behind: int) -> None:
    workload = Workload.of(last)
    found = judge(tmp_path, workload, last, last - behind)
    assert found["consistent"] == "yes"
    assert (found["root"], found["data"], found["sum"]) == (
        str(last),
        str(last - behind),
        str(workload.sum(last)),
    )


@pytest.mark.parametrize(
    ("root", "data"), [(10, 8), (10, 11), (1500, 1490), (2010, 1005), (3500, 10), (10, 3500), (700, 0)]
)
def test_a_pair_of_two_moments_is_refused(tmp_path: Path, root: int, data: int) -> None:
    assert judge(tmp_path, Workload.of(max(root, data)), root, data)["consistent"] == "no"


def test_the_same_number_of_another_life_is_refused(tmp_path: Path) -> None:
    """A disk that was restored from a copy and went on alone reaches the same numbers, not the same sums."""
    root = Workload.of(1200, seed=1).write(tmp_path / "root", 1200)
    data = Workload.of(1200, seed=2).write(tmp_path / "data", 1200)
    found = verdict(root, data)
    assert found["consistent"] == "no"
    assert int(found["dbad"]) > 0


def _drop(lines: list[str]) -> list[str]:
    return lines[:50] + lines[51:]


def _swap(lines: list[str]) -> list[str]:
    return [*lines[:50], lines[51], lines[50], *lines[52:]]


def _tear(lines: list[str]) -> list[str]:
    return [*lines[:-1], lines[-1][:20]]


def _zero(lines: list[str]) -> list[str]:
    return [*lines[:50], "\0" * 63 + "\n", *lines[51:]]


def _forge(lines: list[str]) -> list[str]:
    number, total, value, pad = lines[50].split()
    return [*lines[:50], f"{int(number):10d} {int(total):10d} {int(value) ^ 1:5d} {pad}\n", *lines[51:]]


@pytest.mark.parametrize("damage", [_drop, _swap, _tear, _zero, _forge])
@pytest.mark.parametrize("side", ["root", "data"])
@pytest.mark.parametrize("segment", ["seg.100001", "seg.100002"])
def test_damage_is_found(
    tmp_path: Path, damage: Callable[[list[str]], list[str]], side: str, segment: str
) -> None:
    workload = Workload.of(2200)
    folders = {name: workload.write(tmp_path / name, 2200) for name in ("root", "data")}
    file = folders[side] / segment
    file.write_text("".join(damage(file.read_text().splitlines(keepends=True))))
    assert verdict(folders["root"], folders["data"])["consistent"] == "no"


def test_a_segment_that_does_not_follow_the_one_before_is_found(tmp_path: Path) -> None:
    root, data = (Workload.of(2200).write(tmp_path / name, 2200) for name in ("root", "data"))
    for folder in (root, data):
        other = Workload.of(2200, seed=9).write(tmp_path / "other", 2200)
        (folder / "seg.100002").write_text((other / "seg.100002").read_text())
    assert verdict(root, data)["consistent"] == "no"


def test_a_segment_made_but_not_yet_written_is_no_damage(tmp_path: Path) -> None:
    workload = Workload.of(1999)
    root, data = (workload.write(tmp_path / name, 1999) for name in ("root", "data"))
    (root / "seg.100002").touch()
    assert verdict(root, data)["consistent"] == "yes"
