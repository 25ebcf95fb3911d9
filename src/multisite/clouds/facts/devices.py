"""Device role tags: the names by which a guest finds its disks and NICs in the metadata service.

Nova shows them server by server alone (Compute API reference, from 2.70 on; no list has them), so it is asked twice for
each server, several at the same time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from multisite.clouds.call import read_one
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite
from multisite.clouds.ledger.notes import Notes
from multisite.clouds.resources.kinds import KINDS
from multisite.domain.fence import FencedThreads
from multisite.domain.manifest import PortRecord, VolumeRecord

AT_ONCE = 6


class _Devices(NamedTuple):
    path: str
    listed: str
    """Key of the list's answer."""
    one: str
    """Of one's."""
    id: str
    label: str


_DISKS = _Devices("os-volume_attachments", "volumeAttachments", "volumeAttachment", "volumeId", "volume")
_NICS = _Devices("os-interface", "interfaceAttachments", "interfaceAttachment", "port_id", "port")


def tags(
    site: CloudSite,
    volumes: Mapping[str, Sequence[VolumeRecord]],
    ports: Mapping[str, Sequence[PortRecord]],
    notes: Notes,
) -> dict[str, str]:
    """By id of a volume or port, those that have one; both are given by server.

    What Nova does not list although it is attached is asked for by itself, and noted when Nova does not know it.
    Raises what ``call`` raises.
    """
    disks = [partial(_tags, site, server, _DISKS, [v.id for v in of]) for server, of in volumes.items()]
    nics = [partial(_tags, site, server, _NICS, [p.id for p in of]) for server, of in ports.items()]
    found: dict[str, str] = {}
    with FencedThreads(AT_ONCE, thread_name_prefix="device-tags") as pool:
        for asked in [pool.submit(ask) for ask in disks + nics]:
            tagged, unknown = asked.result()
            found |= tagged
            for said in unknown:
                notes.add(said)
    return found


def _tags(
    site: CloudSite, server_id: str, devices: _Devices, expected: Collection[str]
) -> tuple[dict[str, str], list[str]]:
    """By id, and what is unknown."""
    what, path = f"read the device tags of server {server_id}", f"/servers/{server_id}/{devices.path}"
    read = partial(read_one, site, what, lambda: site.compute, microversion=KINDS["server"].microversion)
    found = {row[devices.id]: row.get("tag") for row in read(path, devices.listed)}
    unknown = []
    for id in set(expected) - set(found):
        try:
            found[id] = read(f"{path}/{id}", devices.one).get("tag")
        except NotFoundInSite:
            unknown.append(
                f"{devices.label} {id}: Nova does not show it as attached to server {server_id}: device tag unknown"
            )
    return {id: tag for id, tag in found.items() if tag}, unknown
