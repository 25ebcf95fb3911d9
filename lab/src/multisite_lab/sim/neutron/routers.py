"""Neutron: routers, their gateway and their interfaces (neutron/db/l3_db.py, neutron_lib/exceptions/l3.py)."""

from __future__ import annotations

import ipaddress

from multisite_lab.sim import quotas
from multisite_lab.sim.model import Row, Sim
from multisite_lab.sim.neutron.ipam import blank_port, first_free, new_mac, taken
from multisite_lab.sim.neutron.networks import common, find_network, find_subnet, listed, wanted
from multisite_lab.sim.neutron.policy import visible
from multisite_lab.sim.wire import Answer, ApiError, Ask, Route, neutron_error, ok

INTERFACE, GATEWAY = "network:router_interface", "network:router_gateway"


def find(sim: Sim, ask: Ask) -> Row:
    row = sim.state.routers.get(ask.ids["id"])
    if row is None or not visible(ask, row):
        raise neutron_error(404, "RouterNotFound", f"Router {ask.ids['id']} could not be found")
    return row


def interfaces(sim: Sim, router_id: str) -> list[Row]:
    return [
        p for p in sim.state.ports.values() if p["device_id"] == router_id and p["device_owner"] == INTERFACE
    ]


def routers(sim: Sim, ask: Ask) -> Answer:
    return listed(sim, ask, "routers", sim.state.routers.values())


def router(sim: Sim, ask: Ask) -> Answer:
    return ok({"router": find(sim, ask)})


def create(sim: Sim, ask: Ask) -> Answer:
    fields = wanted(ask, "router")
    quotas.refuse_neutron(sim, ask, "router")
    row = {
        **common(sim, ask, fields),
        "admin_state_up": True,
        "status": "ACTIVE",
        "distributed": False,
        "ha": False,
        "external_gateway_info": None,
        "routes": [],
    }
    if (asked := fields.get("external_gateway_info")) is not None:
        row["external_gateway_info"] = _gateway(sim, ask, row, str(asked.get("network_id")))
    sim.state.routers[row["id"]] = row
    return ok({"router": row}, 201)


def _gateway(sim: Sim, ask: Ask, row: Row, network_id: str) -> Row:
    """The gateway's port belongs to nobody: projects do not see it."""
    network = find_network(sim, ask, network_id)
    if not network.get("router:external"):
        raise _bad(f"Network {network_id} is not an external network")
    port = {**blank_port(sim, network), "project_id": "", "tenant_id": ""}
    port |= {"mac_address": new_mac(sim), "device_owner": GATEWAY, "device_id": row["id"], "status": "ACTIVE"}
    for subnet_id in network["subnets"]:
        address = first_free(sim, sim.state.subnets[subnet_id], _floating(sim, network_id))
        if address is None:
            said = f"No more IP addresses available on network {network_id}."
            raise neutron_error(409, "IpAddressGenerationFailure", said)
        port["fixed_ips"].append({"subnet_id": subnet_id, "ip_address": address})
    sim.state.ports[port["id"]] = port
    return {"network_id": network_id, "enable_snat": True, "external_fixed_ips": list(port["fixed_ips"])}


def _floating(sim: Sim, network_id: str) -> set[str]:
    rows = sim.state.floatingips.values()
    return {row["floating_ip_address"] for row in rows if row["floating_network_id"] == network_id}


def update(sim: Sim, ask: Ask) -> Answer:
    row, fields = find(sim, ask), dict(wanted(ask, "router"))
    if "external_gateway_info" in fields:
        asked = fields.pop("external_gateway_info") or {}
        _move_gateway(sim, ask, row, asked.get("network_id"))
    for name, value in fields.items():
        if name not in ("name", "description", "admin_state_up", "routes"):
            raise neutron_error(400, "HTTPBadRequest", f"Cannot update read-only attribute {name}")
        row[name] = value
    row["revision_number"] += 1
    return ok({"router": row})


def _move_gateway(sim: Sim, ask: Ask, row: Row, network_id: str | None) -> None:
    """The same network: the port stays.  Another or none: 409 while floating IPs need it (l3_db.py)."""
    known = row["external_gateway_info"]
    if known is not None and known["network_id"] == network_id:
        return
    if known is not None:
        _refuse_gateway_needed(sim, row, known["network_id"])
        for port in [p for p in sim.state.ports.values() if p["device_id"] == row["id"]]:
            if port["device_owner"] == GATEWAY:
                del sim.state.ports[port["id"]]
        row["external_gateway_info"] = None
    if network_id is not None:
        row["external_gateway_info"] = _gateway(sim, ask, row, str(network_id))


def _refuse_gateway_needed(sim: Sim, row: Row, network_id: str) -> None:
    inside = {ip["subnet_id"] for port in interfaces(sim, row["id"]) for ip in port["fixed_ips"]}
    for address in sim.state.floatingips.values():
        port = sim.state.ports.get(address["port_id"] or "")
        if port is not None and any(ip["subnet_id"] in inside for ip in port["fixed_ips"]):
            said = (
                f"Gateway cannot be updated for router {row['id']}, since a gateway to external network {network_id} "
                "is required by one or more floating IPs."
            )
            raise neutron_error(409, "RouterExternalGatewayInUseByFloatingIp", said)


def delete(sim: Sim, ask: Ask) -> Answer:
    """409 while it has interfaces; its gateway goes with it."""
    row = find(sim, ask)
    if interfaces(sim, row["id"]):
        raise neutron_error(409, "RouterInUse", f"Router {row['id']} still has ports")
    for port in [p for p in sim.state.ports.values() if p["device_id"] == row["id"]]:
        del sim.state.ports[port["id"]]
    del sim.state.routers[row["id"]]
    return Answer(204)


def add_interface(sim: Sim, ask: Ask) -> Answer:
    row = find(sim, ask)
    subnet = find_subnet(sim, ask, _subnet_id(ask))
    for port in interfaces(sim, row["id"]):
        for ip in port["fixed_ips"]:
            if ip["subnet_id"] == subnet["id"]:
                raise _bad(f"Router already has a port on subnet {subnet['id']}")
            _refuse_overlap(subnet, sim.state.subnets[ip["subnet_id"]])
    if subnet["gateway_ip"] is None:
        raise _bad("Subnet for router interface must have a gateway IP")
    if subnet["gateway_ip"] in taken(sim, subnet["id"]):
        said = f"IP address {subnet['gateway_ip']} already allocated in subnet {subnet['id']}"
        raise neutron_error(409, "IpAddressAlreadyAllocated", said)
    port = blank_port(sim, sim.state.networks[subnet["network_id"]])
    port |= {
        "mac_address": new_mac(sim),
        "device_owner": INTERFACE,
        "device_id": row["id"],
        "status": "ACTIVE",
    }
    port |= {"project_id": row["project_id"], "tenant_id": row["project_id"], "port_security_enabled": False}
    port["fixed_ips"] = [{"subnet_id": subnet["id"], "ip_address": subnet["gateway_ip"]}]
    sim.state.ports[port["id"]] = port
    return ok(_interface(row, port, subnet))


def remove_interface(sim: Sim, ask: Ask) -> Answer:
    row = find(sim, ask)
    subnet = find_subnet(sim, ask, _subnet_id(ask))
    for port in interfaces(sim, row["id"]):
        if any(ip["subnet_id"] == subnet["id"] for ip in port["fixed_ips"]):
            _refuse_needed(sim, row["id"], subnet["id"])
            del sim.state.ports[port["id"]]
            return ok(_interface(row, port, subnet))
    said = f"Router {row['id']} has no interface on subnet {subnet['id']}"
    raise neutron_error(404, "RouterInterfaceNotFoundForSubnet", said)


def _refuse_needed(sim: Sim, router_id: str, subnet_id: str) -> None:
    for address in sim.state.floatingips.values():
        port = sim.state.ports.get(address["port_id"] or "")
        if port is not None and any(ip["subnet_id"] == subnet_id for ip in port["fixed_ips"]):
            said = (
                f"Router interface for subnet {subnet_id} on router {router_id} cannot be deleted, as it is required "
                "by one or more floating IPs."
            )
            raise neutron_error(409, "RouterInterfaceInUseByFloatingIP", said)


def _refuse_overlap(one: Row, other: Row) -> None:
    if ipaddress.ip_network(one["cidr"]).overlaps(ipaddress.ip_network(other["cidr"])):
        raise _bad(
            f"Cidr {one['cidr']} of subnet {one['id']} overlaps with cidr {other['cidr']} of subnet {other['id']}"
        )


def _subnet_id(ask: Ask) -> str:
    if not isinstance(ask.body, dict) or "subnet_id" not in ask.body:
        raise _bad("Either subnet_id or port_id must be specified")
    return str(ask.body["subnet_id"])


def _interface(row: Row, port: Row, subnet: Row) -> Row:
    return {
        "id": row["id"],
        "tenant_id": port["tenant_id"],
        "port_id": port["id"],
        "network_id": port["network_id"],
        "subnet_id": subnet["id"],
        "subnet_ids": [subnet["id"]],
    }


def _bad(message: str) -> ApiError:
    return neutron_error(400, "BadRequest", f"Bad router request: {message}.")


ROUTES = (
    Route("GET", "/routers", routers),
    Route("POST", "/routers", create),
    Route("GET", "/routers/{id}", router),
    Route("PUT", "/routers/{id}", update),
    Route("DELETE", "/routers/{id}", delete),
    Route("PUT", "/routers/{id}/add_router_interface", add_interface),
    Route("PUT", "/routers/{id}/remove_router_interface", remove_interface),
)
