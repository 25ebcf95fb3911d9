"""The first sector decides whether a BIOS boots the disk."""

from __future__ import annotations

import struct

from multisite_lab.guest import disk


def test_the_boot_sector_is_what_a_bios_expects() -> None:
    sector = disk.boot_sector(b"\xfa" * 600, disk.layout(17, 22))
    assert len(sector) == 512
    assert sector[510:] == b"\x55\xaa"
    assert sector[:440] == b"\xfa" * 440
    boot, root, *rest = (struct.unpack("<B3sB3sII", sector[446 + 16 * i : 462 + 16 * i]) for i in range(4))
    assert (boot[0], boot[2], boot[4], boot[5]) == (0x80, 0x0E, 2048, 17 * 2048)
    assert (root[0], root[2], root[4], root[5]) == (0, 0x83, 18 * 2048, 22 * 2048)
    assert all(entry == (0, b"\0\0\0", 0, b"\0\0\0", 0, 0) for entry in rest)


def test_short_boot_code_is_filled_up() -> None:
    assert len(disk.boot_sector(b"\xfa", disk.layout(1, 1))) == 512


def test_partitions_follow_each_other() -> None:
    boot, root = disk.layout(17, 22)
    assert boot.start == 1
    assert root.start == boot.start + boot.size


def test_offloads_stay_off_and_the_console_is_serial() -> None:
    assert "console=ttyS0" in disk.SYSLINUX
