"""How much more a project may have in a site, so that a recovery can be refused before it has changed
anything.

Sources: Nova ``GET /os-quota-sets/{project}/detail``, Cinder ``GET /os-quota-sets/{project}?usage=True``,
Neutron ``GET /quotas/{project}/details.json`` (extension quota_details).  Those of other projects are for
administrators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from multisite.clouds.call import call
from multisite.clouds.connect import CloudSite

COMPUTE = ("instances", "cores", "ram", "server_groups")
VOLUME = ("volumes", "gigabytes", "snapshots", "backups", "backup_gigabytes")
NETWORK = ("network", "subnet", "port", "security_group", "security_group_rule", "router")


@dataclass(frozen=True)
class Headroom:
    """``limit`` and ``free`` are None for "unlimited"; ``used`` counts what is reserved for work under way.

    ``ram`` is in MiB, gigabytes are GiB as everywhere in Cinder; the rest are numbers of things.
    """

    limit: int | None
    used: int
    free: int | None


def headroom(site: CloudSite, project: str) -> dict[str, dict[str, Headroom]]:
    """By service ("compute", "block-storage", "network") and resource, as ``COMPUTE``, ``VOLUME``,
    ``NETWORK`` name them.

    A resource the service does not count is left out: absent is not zero.  Cinder's limits by volume type
    are there too ("gigabytes_rbd").  Raises what ``call`` raises; nothing is guessed.
    """

    def read(service: str, key: str, get: Callable[[], Any]) -> Mapping[str, Any]:
        found: Mapping[str, Any] = call(site, f"read {service} quota", get).json()[key]
        return found

    compute = read(
        "compute",
        "quota_set",
        lambda: site.compute.get(f"/os-quota-sets/{project}/detail", microversion="2.57"),
    )
    volume = read(
        "volume",
        "quota_set",
        lambda: site.volume.get(f"/os-quota-sets/{project}", params={"usage": "True"}),
    )
    network = read("network", "quota", lambda: site.network.get(f"/quotas/{project}/details.json"))
    by_type = tuple(name for name in volume if name.rpartition("_")[0] and name not in VOLUME)
    return {
        "compute": _chosen(compute, COMPUTE, "in_use"),
        "block-storage": _chosen(volume, (*VOLUME, *by_type), "in_use"),
        "network": _chosen(network, NETWORK, "used"),
    }


def _chosen(quota: Mapping[str, Any], names: tuple[str, ...], used: str) -> dict[str, Headroom]:
    return {name: _headroom(quota[name], used) for name in names if isinstance(quota.get(name), dict)}


def _headroom(row: Mapping[str, int], used: str) -> Headroom:
    taken = row[used] + row.get("reserved", 0)
    limit = row["limit"]
    if limit < 0:
        return Headroom(None, taken, None)
    return Headroom(limit, taken, max(0, limit - taken))
