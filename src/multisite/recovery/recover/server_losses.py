"""What of a server is on its host alone: no volume holds it, so no restore point does."""

from __future__ import annotations

from multisite.domain.host_data import has_vtpm
from multisite.domain.manifest import ServerRecord, VolumeRecord
from multisite.recovery.recover.draft import Draft

_ON_A_VOLUME = "keep what matters on a volume, protect again and recover from that restore point"


def refuse_server_losses(draft: Draft, record: ServerRecord, root: VolumeRecord | None) -> None:
    """Disks of the flavor, the content of a vTPM: Nova makes them anew (nova/virt/libvirt/driver.py,
    ``_create_ephemeral``, ``_create_swap``).
    """
    flavor, image = record.flavor, root.image_metadata if root else {}
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
    if has_vtpm(flavor.extra_specs, image):
        draft.loss(
            "vtpm",
            record.id,
            record.name,
            "the content of its vTPM (keys, what is sealed by them) is not backed up: it comes back empty",
            "have another way to what is sealed by it, such as a recovery key of an encrypted disk",
        )
