"""What of servers is on their hosts alone, beside the disks of flavors, which the ledger tells of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from multisite.clouds.ledger.notes import Notes
from multisite.domain.host_data import has_firmware_variables, has_vtpm
from multisite.domain.manifest import ServerRecord, VolumeRecord


def tell(
    servers: Iterable[ServerRecord], volumes: Mapping[str, Sequence[VolumeRecord]], notes: Notes
) -> None:
    """``volumes``: by server id, the one it boots from first."""
    for server in servers:
        own = volumes[server.id]
        specs, image = server.flavor.extra_specs, own[0].image_metadata if own else {}
        if has_vtpm(specs, image):
            notes.add(
                f"server {server.name}: the content of its vTPM is not backed up, it comes back empty: "
                "have another way to what is sealed by it"
            )
        if has_firmware_variables(specs, image):
            notes.add(
                f"server {server.name}: the variables of its UEFI are not backed up: make sure that it boots by the "
                "default path and by keys that the firmware has"
            )
