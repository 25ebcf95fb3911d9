"""Routers, floating IPs and trunks as a site shows them."""

from __future__ import annotations

from tests.sim.fields.listing import Listing, Row, tags_of


def routers(seen: Listing) -> dict[str, Row]:
    """Those with an interface in the networks."""
    return {
        row["name"]: router(seen, row, at)
        for row in seen.routers.values()
        if (
            at := [
                p for p in seen.interfaces if p["device_id"] == row["id"] and p["network_id"] in seen.names
            ]
        )
    }


def router(seen: Listing, row: Row, ports: list[Row]) -> Row:
    at = [(p, ip) for p in ports for ip in p["fixed_ips"]]
    gateway = row["external_gateway_info"]
    return {
        "name": row["name"],
        "description": row["description"],
        "enabled": row["admin_state_up"],
        "tags": tags_of(row),
        "routes": row["routes"],
        "interfaces": sorted(
            [
                seen.subnets[ip["subnet_id"]]["cidr"],
                ip["ip_address"],
                p["name"],
                p["description"],
                tags_of(p),
            ]
            for p, ip in at
        ),
        "gateway": gateway
        and {
            "network_name": seen.networks[gateway["network_id"]]["name"],
            "enable_snat": gateway["enable_snat"],
        },
    }


def floating_ips(seen: Listing) -> dict[str, Row]:
    """Those that lead to the ports, but for what Multisite itself keeps."""
    names = {p["id"]: p["name"] for p in [*seen.ports.values(), *seen.without_device]}
    return {
        f"{names[row['port_id']]} {row['fixed_ip_address']}": {
            "description": row["description"],
            "tags": tags_of(row),
            "dns_name": row["dns_name"],
            "dns_domain": row["dns_domain"],
        }
        for row in seen.floating_ips.values()
        if row["port_id"] in names
        if not any(t.startswith("multisite:") and ":floating-ip-" not in t for t in row["tags"])
    }


def trunks(seen: Listing) -> dict[str, Row]:
    return {row["name"]: trunk(seen, row) for row in seen.trunks}


def trunk(seen: Listing, row: Row) -> Row:
    subports = sorted(row["sub_ports"], key=lambda one: one["segmentation_id"])
    return {
        "name": row["name"],
        "description": row["description"],
        "enabled": row["admin_state_up"],
        "port_id": seen.every[row["port_id"]]["name"],
        "subports": [one | {"port_id": seen.every[one["port_id"]]["name"]} for one in subports],
        "tags": tags_of(row),
    }
