"""Nova's scheduler, as far as zones, room and server groups go (nova/scheduler/filters/affinity_filter.py)."""

from __future__ import annotations

from collections import Counter

from multisite_lab.sim.model import HostSize, Row, Server, Sim
from multisite_lab.sim.nova.resources import hosts


def choose(sim: Sim, server: Server) -> str | None:
    """The host of a server; None: no valid host was found."""
    fitting = [host for host, zone in hosts(sim).items() if server.pinned_zone in (None, zone)]
    fitting = [host for host in fitting if _has_room(sim, host, server)]
    others = Counter(_hosts_of_group(sim, server))
    policy, most = _policy(sim, server)
    if policy == "anti-affinity":
        fitting = [host for host in fitting if others[host] < most]
    elif policy == "affinity" and others:
        fitting = [host for host in fitting if others[host]]
    fitting.sort(key=lambda host: others[host] if policy == "soft-anti-affinity" else 0)
    return fitting[0] if fitting else None


def _policy(sim: Sim, server: Server) -> tuple[str, int]:
    """And how many of its servers may share a host."""
    group = sim.state.server_groups.get(server.group_id or "", {})
    return group.get("policy", ""), group.get("rules", {}).get("max_server_per_host", 1)


def _hosts_of_group(sim: Sim, server: Server) -> list[str]:
    members = sim.state.server_groups.get(server.group_id or "", {}).get("members", ())
    placed = map(sim.state.servers.get, members)
    return [other.host for other in placed if other is not None and other is not server and other.host]


def size_of(sim: Sim, host: str) -> HostSize:
    """What a host has, overcommitted as its operator says."""
    return sim.settings.host_sizes.get(host, HostSize())


def taken(sim: Sim, host: str) -> HostSize:
    """What its servers have taken of it."""
    flavors = [server.flavor for server in sim.state.servers.values() if server.host == host]
    return HostSize(
        sum(int(f["vcpus"]) for f in flavors),
        sum(int(f["ram"]) for f in flavors),
        sum(_disk(f) for f in flavors),
    )


def _disk(flavor: Row) -> int:
    """GiB; every server here boots from a volume."""
    return int(flavor.get("OS-FLV-EXT-DATA:ephemeral") or 0) + -(-int(flavor.get("swap") or 0) // 1024)


def _has_room(sim: Sim, host: str, server: Server) -> bool:
    has, used, flavor = size_of(sim, host), taken(sim, host), server.flavor
    return (
        used.vcpus + int(flavor["vcpus"]) <= has.vcpus
        and used.memory_mib + int(flavor["ram"]) <= has.memory_mib
        and used.disk_gib + _disk(flavor) <= has.disk_gib
    )
