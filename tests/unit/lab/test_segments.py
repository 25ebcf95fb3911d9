"""What a sniffer has written is read line by line, also while it writes, and kept."""

from __future__ import annotations

import base64
from pathlib import Path

from multisite_lab.segments import Sniffer

ARP = bytes.fromhex(
    "ffffffffffff fa163e000001 0806 0001 0800 06 04 0001 fa163e000001 c0000201 000000000000 c0000202"
)


def line(at: float, frame: bytes) -> bytes:
    return b"%.6f %s\n" % (at, base64.b64encode(frame))


def test_frames_come_as_they_are_written_and_stay(tmp_path: Path) -> None:
    path = tmp_path / "frames"
    with path.open("w+b", buffering=0) as file:
        sniffer = Sniffer(file, None)
        assert sniffer.frames() == []
        half = line(2, ARP)
        file.write(line(1, ARP) + half[:20])
        assert [frame.at for frame in sniffer.frames()] == [1]
        file.write(half[20:])
        assert [frame.at for frame in sniffer.frames()] == [1, 2]
    assert [frame.kind for frame in sniffer.frames()] == ["arp-request"] * 2


def test_the_filter_decides_what_is_told(tmp_path: Path) -> None:
    path = tmp_path / "frames"
    path.write_bytes(line(1, ARP) + line(2, ARP))
    with path.open("rb") as file:
        sniffer = Sniffer(file, lambda frame: frame.at > 1)
        assert [frame.at for frame in sniffer.frames()] == [2]
        assert sniffer.wait(lambda frame: frame.at < 2, 0) is None
