"""How much room the compute hosts of a site have, as Nova's scheduler asks for it.

Which hosts are up and in which zone is Nova's to say, what they have left Placement's (API reference, allocation
candidates): three requests, whatever number of hosts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from multisite.clouds.administrator import COMPUTE_HOSTS, HOST_ROOM, administrator
from multisite.clouds.call import read_all, read_one
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import Unsupported

MOST = 1000
"""So many hosts are told of, as many as Nova's scheduler asks for (``[scheduler] max_placement_results``)."""
_PROVIDERS = "1.29"
"""Summaries have every inventory of every provider of a host (Rocky)."""
_HYPERVISORS = "2.53"
"""Their ids are those of Placement's providers (Pike)."""


@dataclass(frozen=True)
class HostRoom:
    """What is left on a host that takes servers; overcommitted as its operator says.

    ``vcpus``: shared and dedicated ones.  ``disk_gib`` None: the host has no disk of its own, but one that hosts share.
    """

    name: str
    zone: str
    vcpus: int
    memory_mib: int
    disk_gib: int | None = None


def read_host_room(site: CloudSite) -> tuple[HostRoom, ...]:
    """Of every host that is enabled and up, and has memory left.

    For administrators.  Raises what ``call`` raises, and Unsupported when the site has more hosts than it tells of.
    """
    admin, what = administrator(site, HOST_ROOM), "see how much room compute hosts have"
    zones = _zones(site)
    asked: dict[str, Any] = {"resources": "MEMORY_MB:1", "limit": MOST}
    answer = read_one(
        admin, what, lambda: admin.placement, "/allocation_candidates", microversion=_PROVIDERS, **asked
    )
    if len(answer["allocation_requests"]) >= MOST:
        raise Unsupported(site.name, what, f"it has {MOST} compute hosts or more, and tells of {MOST}")
    return tuple(_hosts(answer["provider_summaries"], zones))


def _zones(site: CloudSite) -> Mapping[str, tuple[str, str]]:
    """Name and zone of each host that takes servers, by the id of its provider."""
    admin, what = administrator(site, COMPUTE_HOSTS), "list compute hosts"
    services = read_all(admin, what, lambda: admin.compute, "/os-services", "services", binary="nova-compute")
    zones = {
        row["host"]: row["zone"] for row in services if (row["status"], row["state"]) == ("enabled", "up")
    }
    nodes = read_all(
        admin, what, lambda: admin.compute, "/os-hypervisors/detail", "hypervisors", microversion=_HYPERVISORS
    )
    return {
        row["id"]: (row["service"]["host"], zones[row["service"]["host"]])
        for row in nodes
        if row["service"]["host"] in zones
    }


def _hosts(
    summaries: Mapping[str, Mapping[str, Any]], zones: Mapping[str, tuple[str, str]]
) -> Iterator[HostRoom]:
    for id, (name, zone) in zones.items():
        if id not in summaries:
            continue  # no memory is left
        tree = [p["resources"] for p in summaries.values() if p["root_provider_uuid"] == id]
        left: dict[str, int] = {}
        for resources in tree:
            for kind, amount in resources.items():
                left[kind] = left.get(kind, 0) + max(0, amount["capacity"] - amount["used"])
        vcpus = left.get("VCPU", 0) + left.get("PCPU", 0)
        yield HostRoom(name, zone, vcpus, left.get("MEMORY_MB", 0), left.get("DISK_GB"))
