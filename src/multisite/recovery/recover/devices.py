"""The names disks will have at the target: told where they are not those of the source."""

from __future__ import annotations

import re
from collections.abc import Iterable
from string import ascii_lowercase

from multisite.domain.manifest import ServerRecord
from multisite.recovery.recover.draft import Draft


def tell_of_devices(draft: Draft, record: ServerRecord, volume_ids: Iterable[str]) -> None:
    """Disks get names without gaps: the root, a flavor's ephemeral and swap disk, then volumes as they are given
    (nova/virt/libvirt/blockinfo.py; it drops names that are asked for).
    """
    by_id = {v.id: v for v in draft.manifest.volumes}
    between = bool(record.flavor.ephemeral_gib) + bool(record.flavor.swap_mib)
    for number, volume in enumerate(by_id[v] for v in volume_ids):
        place = number and number + between
        bus = re.match(r"/dev/[a-z]*d(?=[a-z]+$)", volume.device)
        if bus is None or place >= len(ascii_lowercase):
            continue
        device = bus.group() + ascii_lowercase[place]
        if device != volume.device:
            draft.note(
                f"server {record.name}",
                f"volume {volume.name or volume.id} was {volume.device} and will be {device}: Nova leaves no gaps",
                "let its guest find it by UUID, label or device tag, not by that name",
            )
