"""What is at the target of routers and floating IPs: parts of ``target_facts``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from multisite.clouds import resources
from multisite.clouds.administrator import SOURCE_NAT, may_administer
from multisite.clouds.connect import CloudSite
from multisite.clouds.facts.routers import INTERFACES


@dataclass(frozen=True)
class TargetRouter:
    """A router of the project.  ``subnet_ids``: those it has an interface in; ``external_id``: of its gateway."""

    id: str
    name: str
    subnet_ids: frozenset[str] = frozenset()
    external_id: str | None = None


@dataclass(frozen=True)
class TargetFloatingIp:
    """One of the project.  ``port_id`` None: it leads nowhere."""

    id: str
    address: str
    network_id: str
    port_id: str | None


def parts(site: CloudSite) -> dict[str, Callable[[], Any]]:
    """What reads them, by the names of fields of the facts; what our accounts may do as administrators is one, too."""
    return {
        "routers": lambda: routers(site),
        "floating_ips": lambda: floating_ips(site),
        "may_set_snat": lambda: may_administer(site, SOURCE_NAT),
        "may_choose_address": lambda: "admin" in site.roles,
    }


def routers(site: CloudSite) -> tuple[TargetRouter, ...]:
    """Those of the project; a Neutron without routers has none."""
    rows = [row for row in resources.list_all(site, "router") if row.get("project_id") == site.project_id]
    ports = resources.list_all(site, "port", device_owner=INTERFACES) if rows else []
    return tuple(
        TargetRouter(
            row["id"],
            row["name"],
            frozenset(
                ip["subnet_id"]
                for port in ports
                if port["device_id"] == row["id"]
                for ip in port["fixed_ips"]
            ),
            (row.get("external_gateway_info") or {}).get("network_id"),
        )
        for row in rows
    )


def floating_ips(site: CloudSite) -> tuple[TargetFloatingIp, ...]:
    rows = resources.list_all(site, "floating_ip", project_id=site.project_id)
    return tuple(
        TargetFloatingIp(
            row["id"], row["floating_ip_address"], row["floating_network_id"], row.get("port_id")
        )
        for row in rows
        if row.get("project_id") == site.project_id
    )
