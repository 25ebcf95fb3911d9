"""What somebody changes at the sites, past Multisite."""

from __future__ import annotations

from multisite.command.wiring import myself
from multisite_lab.sim.model import Row
from multisite_lab.sim.neutron.ipam import blank_port
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


def shrink(cloud: Cloud, name: str, *, back: bool = False) -> None:
    """The MTU of the network in lyon; ``back``: it is that of paris again."""
    _network(cloud, "lyon", name)["mtu"] = _network(cloud, "paris", name)["mtu"] if back else 1400


def turn_off(cloud: Cloud, name: str) -> None:
    """The network in lyon."""
    _network(cloud, "lyon", name)["admin_state_up"] = False


def boot(cloud: Cloud, name: str) -> None:
    """A guest's port in the network in paris, which the other sites come to know."""
    sim, network = cloud.services.world.sites["paris"].sim, _network(cloud, "paris", name)
    address = {"subnet_id": network["subnets"][0], "ip_address": "10.20.0.5"}
    row = blank_port(sim, network) | {
        "device_owner": "compute:nova", "device_id": "guest", "binding:host_id": sim.name, "status": "ACTIVE",
        "fixed_ips": [address], "mac_address": "fa:16:3e:00:00:01",
    }  # fmt: skip
    sim.state.ports[row["id"]] = row
    cloud.services.networks.reconcile(myself(), name)


def _network(cloud: Cloud, site: str, name: str) -> Row:
    (found,) = (n for n in cloud.services.world.sites[site].sim.state.networks.values() if n["name"] == name)
    return found
