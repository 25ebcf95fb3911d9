"""What a site lists of an application's networks and servers, read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from multisite.clouds.connect import CloudSite
from tests.sim.deploy import CINDER, NOVA, ask

Row = dict[str, Any]


class Listing:
    """The rows are those of the services, by their ids or names."""

    def __init__(self, site: CloudSite, servers: Collection[str]) -> None:
        def by_id(path: str, key: str) -> dict[str, Row]:
            return {row["id"]: row for row in ask(site.network, "GET", path)[key]}

        self.site = site
        every = by_id("/ports", "ports")
        self.ports = {i: row for i, row in every.items() if row["device_id"] in servers}
        listed = site.network.get("/trunks", raise_exc=False)  # 404: the site has none
        trunks = listed.json()["trunks"] if listed.status_code == 200 else []
        self.trunks = [row for row in trunks if row["port_id"] in self.ports]
        self.subports = {one["port_id"]: every[one["port_id"]] for t in self.trunks for one in t["sub_ports"]}
        self.every = every
        inside = {p["network_id"] for p in [*self.ports.values(), *self.subports.values()]}
        free = [p for p in every.values() if not p["device_id"] and not p["device_owner"]]
        self.without_device = [p for p in free if p["network_id"] in inside]
        self.networks = by_id("/networks", "networks")
        self.subnets = by_id("/subnets", "subnets")
        self.floating_ips = by_id("/floatingips", "floatingips")
        self.routers = by_id("/routers", "routers")
        self.interfaces = [p for p in every.values() if p["device_owner"] == "network:router_interface"]
        self.names = told_apart(
            {row["id"]: row["name"] for row in self.used_networks()},
            [(row["network_id"], row["cidr"]) for row in self.subnets.values()],
        )
        self.groups = by_id("/security-groups", "security_groups")
        policies = site.network.get("/qos/policies", raise_exc=False)  # 404: the site has none
        rows = policies.json()["policies"] if policies.status_code == 200 else []
        self.policies = {row["id"]: row["name"] for row in rows}
        flavors = ask(site.compute, "GET", "/flavors/detail?is_public=None", None, NOVA)["flavors"]
        self.flavors = {row["name"]: _described(row) for row in flavors}
        volumes = ask(site.volume, "GET", "/volumes/detail", None, CINDER)["volumes"]
        self.volumes = {row["id"]: row for row in volumes}
        types = ask(site.volume, "GET", "/types", None, CINDER)["volume_types"]
        self.types = {row["name"]: row["id"] for row in types}
        self.server_groups = ask(site.compute, "GET", "/os-server-groups", None, NOVA)["server_groups"]

    def used_networks(self) -> list[Row]:
        ports = [*self.ports.values(), *self.subports.values()]
        return [self.networks[n] for n in sorted({p["network_id"] for p in ports})]

    def used_groups(self) -> list[Row]:
        """Those of the ports, and those that their rules refer to."""
        used: set[str] = set()
        ports = [*self.ports.values(), *self.subports.values(), *self.without_device]
        wanted = {g for p in ports for g in p["security_groups"]}
        while wanted:
            used |= wanted
            rules = [r for g in wanted for r in self.groups[g]["security_group_rules"]]
            wanted = {r["remote_group_id"] for r in rules if r["remote_group_id"]} - used
        return [self.groups[g] for g in sorted(used)]


def told_apart(names: dict[str, str], cidrs: list[tuple[str, str]]) -> dict[str, str]:
    """Networks of one name by their subnets, too."""
    times = Counter(names.values())
    return {
        id: name if times[name] == 1 else f"{name} {sorted(c for n, c in cidrs if n == id)}"
        for id, name in names.items()
    }


def tags_of(row: Row) -> list[str]:
    """Sorted: Neutron keeps no order of them."""
    return sorted(tag for tag in row["tags"] if not tag.startswith("multisite:"))


def _described(flavor: Row) -> str:
    """A token is no description."""
    found = str(flavor["description"] or "")
    return "" if found.startswith("multisite:") else found
