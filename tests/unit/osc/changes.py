"""What somebody changes at the sites, past Multisite."""

from __future__ import annotations

from multisite.command.wiring import myself
from osc.cloud import Cloud

FREE = "0.0.0.0/0"


def widen(cloud: Cloud, name: str) -> None:
    """The path's group in lyon lets in everybody over UDP."""
    path = next(one for one in cloud.services.paths.list(myself()) if one.name == name)
    group = cloud.services.world.sites["lyon"].sim.state.security_groups[str(path.end("lyon").group_id)]
    rule = next(rule for rule in group["security_group_rules"] if rule["direction"] == "ingress")
    free = {"port_range_min": None, "port_range_max": None, "remote_ip_prefix": None, "description": ""}
    group["security_group_rules"].append(rule | free | {"id": "wide"})


def let_go(cloud: Cloud) -> None:
    """Nobody holds the address gw."""
    _lead(cloud, "paris", None)


def held_twice(cloud: Cloud) -> None:
    """Lyon holds the address gw beside paris."""
    _lead(cloud, "lyon", "gw-2")


def _lead(cloud: Cloud, site: str, port_id: str | None) -> None:
    state = cloud.services.world.sites[site].sim.state
    (row,) = (f for f in state.floatingips.values() if f["floating_ip_address"] == "203.0.113.5")
    row |= {"port_id": port_id}
