"""What of a server is on its host alone: no volume holds it, so no restore point does."""

from __future__ import annotations

from multisite.domain.manifest import ServerRecord
from multisite.recovery.recover.draft import Draft

_ON_A_VOLUME = "keep what matters on a volume, protect again and recover from that restore point"


def refuse_server_losses(draft: Draft, record: ServerRecord) -> None:
    """Disks of the flavor: Nova makes them anew (nova/virt/libvirt/driver.py, ``_create_ephemeral`` and
    ``_create_swap``).
    """
    flavor = record.flavor
    if flavor.ephemeral_gib:
        draft.loss(
            "ephemeral-disk",
            record.id,
            record.name,
            f"its ephemeral disk of {flavor.ephemeral_gib} GiB is not backed up: it comes back empty",
            _ON_A_VOLUME,
        )
    if flavor.swap_mib:
        draft.loss(
            "swap-disk",
            record.id,
            record.name,
            f"its swap disk of {flavor.swap_mib} MiB is not backed up: it comes back empty",
            _ON_A_VOLUME,
        )
