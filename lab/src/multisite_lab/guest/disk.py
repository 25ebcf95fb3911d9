"""The disk itself: a partition table, a FAT partition to boot from and an ext4 root partition."""

from __future__ import annotations

import os
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20
_SECTORS = MIB // 512  # of one MiB
_SERIAL_NUMBER = b"GSTC"
_BOOT_CODE = Path("/usr/lib/syslinux/mbr/mbr.bin")
_FAT16, _LINUX = 0x0E, 0x83

# Each of these saves time under emulation or keeps a stock kernel quiet; together about a third of the boot.
_KERNEL_ARGUMENTS = (
    "console=ttyS0,115200 quiet panic=5 mitigations=off random.trust_cpu=on nokaslr tsc=reliable"
    " init_on_alloc=0 lsm= audit=0 cryptomgr.notests no_timer_check rcupdate.rcu_expedited=1 noreplace-smp"
)
SYSLINUX = f"""\
SERIAL 0 115200
DEFAULT l
PROMPT 0
TIMEOUT 0
LABEL l
  LINUX vmlinuz
  INITRD initrd.gz
  APPEND {_KERNEL_ARGUMENTS}
"""


@dataclass(frozen=True)
class Partition:
    """A primary partition, in whole MiB."""

    start: int
    size: int
    kind: int
    bootable: bool = False

    def entry(self) -> bytes:
        """Its 16 bytes in the partition table (no cylinders: a BIOS of today reads the sector numbers)."""
        flag = 0x80 if self.bootable else 0
        none = b"\xfe\xff\xff"
        return struct.pack(
            "<B3sB3sII", flag, none, self.kind, none, self.start * _SECTORS, self.size * _SECTORS
        )


def layout(boot_mib: int, root_mib: int) -> tuple[Partition, Partition]:
    """The boot and the root partition; the first MiB holds the table."""
    return Partition(1, boot_mib, _FAT16, bootable=True), Partition(1 + boot_mib, root_mib, _LINUX)


def boot_sector(code: bytes, partitions: tuple[Partition, ...]) -> bytes:
    """The first sector of a disk: boot code, serial number, partition table."""
    table = b"".join(partition.entry() for partition in partitions)
    return code[:440].ljust(440, b"\0") + _SERIAL_NUMBER + b"\0\0" + table.ljust(64, b"\0") + b"\x55\xaa"


def _tool(*command: str | Path, epoch: int) -> None:
    environment = os.environ | {
        "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
        "MTOOLS_SKIP_CHECK": "1",
        "SOURCE_DATE_EPOCH": str(epoch),
        "E2FSPROGS_FAKE_TIME": str(epoch),
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")


def write(disk: Path, boot_files: list[Path], root: Path, root_mib: int, epoch: int) -> None:
    """Write the whole disk: boot files on the first partition, a folder's content as ext4 on the second."""
    # Room for the file allocation table and for syslinux's own file.
    boot_mib = -(-sum(path.stat().st_size for path in boot_files) // MIB) + 1
    boot, system = layout(boot_mib, root_mib)
    with disk.open("wb") as file:
        file.write(boot_sector(_BOOT_CODE.read_bytes(), (boot, system)))
        file.truncate((system.start + system.size) * MIB)
    fat = f"{disk}@@{boot.start}M"
    # The hidden-sector count (-H) is what lets syslinux find its own partition.
    geometry = ("-T", str(boot.size * _SECTORS), "-h", "16", "-s", "63", "-H", str(boot.start * _SECTORS))
    _tool("mformat", "-i", fat, *geometry, "-N", "12345678", "-v", "GBOOT", "::", epoch=epoch)
    _tool("mcopy", "-m", "-i", fat, *boot_files, "::", epoch=epoch)
    _tool("syslinux", "--install", "-t", str(boot.start * MIB), disk, epoch=epoch)
    # Written at its place within the disk; its identities do not change from build to build.
    seed = "11111111-2222-3333-4444-555555555555"
    extended = f"root_owner=0:0,hash_seed={seed},lazy_itable_init=0,offset={system.start * MIB}"
    identity = ("-L", "groot", "-U", "11111111-2222-3333-4444-666666666666", "-E", extended)
    small = ("-b", "1024", "-m", "0", "-N", "512", "-O", "^resize_inode", "-J", "size=2")
    command = ("mke2fs", "-q", "-F", "-t", "ext4", *small, *identity, "-d", root, disk, f"{root_mib}M")
    _tool(*command, epoch=epoch)
