"""Device role tags: the names by which a guest finds its disks and NICs in the metadata service.

Nova shows them server by server alone (Compute API reference, from 2.70 on; no list has them), so it is asked twice for
each server, several at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable

from multisite.clouds.call import read_one
from multisite.clouds.connect import CloudSite
from multisite.clouds.resources.kinds import KINDS
from multisite.domain.fence import FencedThreads

AT_ONCE = 6
_LISTS = (
    ("os-volume_attachments", "volumeAttachments", "volumeId"),
    ("os-interface", "interfaceAttachments", "port_id"),
)


def tags(site: CloudSite, server_ids: Iterable[str]) -> dict[str, str]:
    """By id of a volume or port, those that have one.  Raises what ``call`` raises."""

    def of_list(server_id: str, path: str, key: str, id: str) -> dict[str, str]:
        rows = read_one(
            site,
            f"read the device tags of server {server_id}",
            lambda: site.compute,
            f"/servers/{server_id}/{path}",
            key,
            microversion=KINDS["server"].microversion,
        )
        return {row[id]: row["tag"] for row in rows if row.get("tag")}

    with FencedThreads(AT_ONCE, thread_name_prefix="device-tags") as pool:
        asked = [pool.submit(of_list, server_id, *one) for server_id in server_ids for one in _LISTS]
        return {id: tag for one in asked for id, tag in one.result().items()}
