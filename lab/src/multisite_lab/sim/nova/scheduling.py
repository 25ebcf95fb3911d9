"""Nova's scheduler, as far as zones and server groups go (nova/scheduler/filters/affinity_filter.py)."""

from __future__ import annotations

from collections import Counter

from multisite_lab.sim.model import Server, Sim
from multisite_lab.sim.nova.resources import hosts


def choose(sim: Sim, server: Server) -> str | None:
    """The host of a server; None: no valid host was found."""
    fitting = [host for host, zone in hosts(sim).items() if server.pinned_zone in (None, zone)]
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
