"""What somebody may change by hand in what was made of a plane, each by Neutron's API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.sim import deploy
from tests.sim.plane_setup import PlaneSetup

NAMES = {"ext": "mme-ext", "copy": "mme-copy", "mgmt": "mme-mgmt"}


@dataclass(frozen=True)
class ManualChange:
    """What somebody does to ``plane`` in a site; ``kinds``: of the drift that makes; ``repairable``: all of it."""

    plane: str
    act: Callable[[PlaneSetup, str, Any], None]
    kinds: tuple[str, ...]
    repairable: bool = True


def ask(here: PlaneSetup, site: str, method: str, path: str, body: Any = None) -> Any:
    return deploy.ask(here.clouds.open_for_service(site).network, method, path, body)


def _network(**fields: Any) -> Callable[[PlaneSetup, str, Any], None]:
    return lambda here, site, made: ask(
        here, site, "PUT", f"/networks/{made.network_id}", {"network": fields}
    )


def _subnet(**fields: Any) -> Callable[[PlaneSetup, str, Any], None]:
    return lambda here, site, made: ask(here, site, "PUT", f"/subnets/{made.subnet_id}", {"subnet": fields})


def _router(**fields: Any) -> Callable[[PlaneSetup, str, Any], None]:
    return lambda here, site, made: ask(here, site, "PUT", f"/routers/{made.router_id}", {"router": fields})


def _detach(here: PlaneSetup, site: str, made: Any) -> None:
    path = f"/routers/{made.router_id}/remove_router_interface"
    ask(here, site, "PUT", path, {"subnet_id": made.subnet_id})


def _drop_network(here: PlaneSetup, site: str, made: Any) -> None:
    ask(here, site, "DELETE", f"/networks/{made.network_id}")


def _drop_subnet(here: PlaneSetup, site: str, made: Any) -> None:
    ask(here, site, "DELETE", f"/subnets/{made.subnet_id}")


def _drop_router(here: PlaneSetup, site: str, made: Any) -> None:
    _detach(here, site, made)
    ask(here, site, "DELETE", f"/routers/{made.router_id}")


def _all_but_the_network(here: PlaneSetup, site: str, made: Any) -> None:
    _drop_router(here, site, made)
    _drop_subnet(here, site, made)
    _network(admin_state_up=False)(here, site, made)


def _all(here: PlaneSetup, site: str, made: Any) -> None:
    _drop_router(here, site, made)
    _drop_network(here, site, made)


def _other_network(here: PlaneSetup, site: str, made: Any) -> None:
    _drop_network(here, site, made)
    ask(here, site, "POST", "/networks", {"network": {"name": NAMES["mgmt"]}})


def _other_subnet(here: PlaneSetup, site: str, made: Any) -> None:
    _drop_subnet(here, site, made)
    fields = {"network_id": made.network_id, "ip_version": 4, "cidr": "10.66.0.0/24"}
    ask(here, site, "POST", "/subnets", {"subnet": fields})


def _other_router(here: PlaneSetup, site: str, made: Any) -> None:
    _drop_router(here, site, made)
    ask(here, site, "POST", "/routers", {"router": {"name": NAMES["copy"]}})


def _other_way_out(here: PlaneSetup, site: str, made: Any) -> None:
    network = {"name": "other", "router:external": True}
    other = ask(here, site, "POST", "/networks", {"network": network})["network"]["id"]
    _router(external_gateway_info={"network_id": other})(here, site, made)


def _no_gateway(here: PlaneSetup, site: str, made: Any) -> None:
    _detach(here, site, made)
    _subnet(gateway_ip=None)(here, site, made)


def _address_taken(here: PlaneSetup, site: str, made: Any) -> None:
    _detach(here, site, made)
    gateway = here.state(site).subnets[made.subnet_id]["gateway_ip"]
    ips = [{"subnet_id": made.subnet_id, "ip_address": gateway}]
    deploy.port(here.clouds.open_for_service(site), "squatter", made.network_id, fixed_ips=ips)


CHANGES = {
    "network down": ManualChange("mgmt", _network(admin_state_up=False), ("network down",)),
    "network gone": ManualChange("mgmt", _drop_network, ("network gone",)),
    "network made anew": ManualChange("mgmt", _other_network, ("network replaced",), repairable=False),
    "mtu": ManualChange("mgmt", _network(mtu=1400), ("mtu changed",), repairable=False),
    "subnet gone": ManualChange("mgmt", _drop_subnet, ("subnet gone",)),
    "subnet of its own cidr gone": ManualChange("ext", _drop_subnet, ("subnet gone",)),
    "subnet made anew": ManualChange("mgmt", _other_subnet, ("subnet replaced",), repairable=False),
    "gateway gone": ManualChange("ext", _subnet(gateway_ip=None), ("gateway changed",)),
    "gateway come": ManualChange("mgmt", _subnet(gateway_ip="10.64.0.255"), ("gateway changed",)),
    "dhcp off": ManualChange("ext", _subnet(enable_dhcp=False), ("dhcp off",), repairable=False),
    "router gone": ManualChange("copy", _drop_router, ("router gone",)),
    "router made anew": ManualChange("copy", _other_router, ("router replaced",), repairable=False),
    "router down": ManualChange("copy", _router(admin_state_up=False), ("router down",)),
    "no external gateway": ManualChange(
        "copy", _router(external_gateway_info=None), ("external gateway missing",)
    ),
    "another way out": ManualChange("copy", _other_way_out, ("external gateway changed",), repairable=False),
    "interface missing": ManualChange("copy", _detach, ("interface missing",)),
    "gateway and interface": ManualChange("copy", _no_gateway, ("gateway changed", "interface missing")),
    "its address taken": ManualChange("copy", _address_taken, ("interface missing",), repairable=False),
    "all but the network": ManualChange(
        "copy", _all_but_the_network, ("network down", "subnet gone", "router gone")
    ),
    "all": ManualChange("copy", _all, ("network gone", "router gone")),
}
