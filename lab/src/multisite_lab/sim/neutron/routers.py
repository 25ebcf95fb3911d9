"""Neutron: routers, their gateway, interfaces and routes (neutron/db/l3_db.py, neutron/db/extraroute_db.py)."""

from __future__ import annotations

import ipaddress

from multisite_lab.sim import quotas
from multisite_lab.sim.model import Row, Sim
from multisite_lab.sim.neutron.ipam import blank_port, first_free, new_mac, taken
from multisite_lab.sim.neutron.networks import common, find_network, find_subnet, listed, wanted
from multisite_lab.sim.neutron.policy import refuse_attributes, visible, visible_within
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
    return listed(sim, ask, "routers", (_shown(ask, row) for row in sim.state.routers.values()))


def router(sim: Sim, ask: Ask) -> Answer:
    return ok({"router": _shown(ask, find(sim, ask))})


def _shown(ask: Ask, row: Row) -> Row:
    """How a router is carried out is shown to administrators (neutron/conf/policies/router.py)."""
    hidden = () if ask.account.is_admin else ("distributed", "ha")
    return {name: value for name, value in row.items() if name not in hidden}


def create(sim: Sim, ask: Ask) -> Answer:
    fields = wanted(ask, "router")
    refuse_attributes(ask, "create", "router", fields)
    _refuse_gateway_attributes(ask, "create", fields)
    quotas.refuse_neutron(sim, ask, "router")
    row = {
        **common(sim, ask, fields),
        "admin_state_up": fields.get("admin_state_up", True),
        "status": "ACTIVE",
        "distributed": bool(fields.get("distributed", False)),
        "ha": bool(fields.get("ha", False)),
        "external_gateway_info": None,
        "routes": [],
    }
    if (asked := fields.get("external_gateway_info")) is not None:
        row["external_gateway_info"] = _gateway(sim, ask, row, asked)
    sim.state.routers[row["id"]] = row
    return ok({"router": _shown(ask, row)}, 201)


def _refuse_gateway_attributes(ask: Ask, verb: str, fields: Row) -> None:
    """403: whether there is source NAT, and which address it has outside, is an administrator's to say."""
    asked = fields.get("external_gateway_info") or {}
    for name in ("enable_snat", "external_fixed_ips"):
        if name in asked and not ask.account.is_admin:
            said = f"(rule:{verb}_router:external_gateway_info:{name} is disallowed by policy)"
            raise neutron_error(403, "PolicyNotAuthorized", said)


def _gateway(sim: Sim, ask: Ask, row: Row, asked: Row) -> Row:
    """The gateway's port belongs to nobody: projects do not see it."""
    network_id = str(asked.get("network_id"))
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
    snat = bool(asked.get("enable_snat", True))
    return {"network_id": network_id, "enable_snat": snat, "external_fixed_ips": list(port["fixed_ips"])}


def _floating(sim: Sim, network_id: str) -> set[str]:
    rows = sim.state.floatingips.values()
    return {row["floating_ip_address"] for row in rows if row["floating_network_id"] == network_id}


def update(sim: Sim, ask: Ask) -> Answer:
    row, fields = find(sim, ask), dict(wanted(ask, "router"))
    refuse_attributes(ask, "update", "router", fields)
    _refuse_gateway_attributes(ask, "update", fields)
    if "routes" in fields:
        _refuse_routes(sim, row, fields["routes"])
    if "external_gateway_info" in fields:
        asked = fields.pop("external_gateway_info") or {}
        _move_gateway(sim, ask, row, asked)
    for name, value in fields.items():
        if name not in ("name", "description", "admin_state_up", "routes"):
            raise neutron_error(400, "HTTPBadRequest", f"Cannot update read-only attribute {name}")
        row[name] = value
    row["revision_number"] += 1
    return ok({"router": _shown(ask, row)})


def _move_gateway(sim: Sim, ask: Ask, row: Row, asked: Row) -> None:
    """The same network: the port stays.  Another or none: 409 while floating IPs need it (l3_db.py)."""
    known, network_id = row["external_gateway_info"], asked.get("network_id")
    if known is not None and known["network_id"] == network_id:
        row["external_gateway_info"] = known | {k: v for k, v in asked.items() if k == "enable_snat"}
        return
    if known is not None:
        _refuse_gateway_needed(sim, row, known["network_id"])
        for port in [p for p in sim.state.ports.values() if p["device_id"] == row["id"]]:
            if port["device_owner"] == GATEWAY:
                del sim.state.ports[port["id"]]
        row["external_gateway_info"] = None
    if network_id is not None:
        row["external_gateway_info"] = _gateway(sim, ask, row, asked)


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


def add_routes(sim: Sim, ask: Ask) -> Answer:
    """Beside those there are, each once (extension ``extraroute-atomic``)."""
    row, more = find(sim, ask), _routes(ask)
    known = [*row["routes"], *(route for route in more if route not in row["routes"])]
    return _rerouted(sim, ask, row, known)


def remove_routes(sim: Sim, ask: Ask) -> Answer:
    """One that is not there is gone already."""
    row, gone = find(sim, ask), _routes(ask)
    return _rerouted(sim, ask, row, [route for route in row["routes"] if route not in gone])


def _routes(ask: Ask) -> list[Row]:
    return [
        {name: str(route[name]) for name in ("destination", "nexthop")}
        for route in wanted(ask, "router")["routes"]
    ]


def _rerouted(sim: Sim, ask: Ask, row: Row, routes: list[Row]) -> Answer:
    _refuse_routes(sim, row, routes)
    if routes != row["routes"]:
        row["routes"] = routes
        row["revision_number"] += 1
    return ok({"router": _shown(ask, row)})


def _refuse_routes(sim: Sim, row: Row, routes: list[Row]) -> None:
    """400 for a next hop in none of its networks, the external one among them, or that is its own."""
    at = [ip for p in sim.state.ports.values() if p["device_id"] == row["id"] for ip in p["fixed_ips"]]
    nets = [ipaddress.ip_network(sim.state.subnets[ip["subnet_id"]]["cidr"]) for ip in at]
    for route in routes:
        why = None
        if not any(ipaddress.ip_address(route["nexthop"]) in net for net in nets):
            why = "the nexthop is not connected with router"
        elif route["nexthop"] in [ip["ip_address"] for ip in at]:
            why = "the nexthop is used by router"
        if why is not None:
            raise neutron_error(400, "InvalidRoutes", f"Invalid format for routes: {routes}, {why}")


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
    row, ids = find(sim, ask), _asked(ask)
    if len(ids) > 1:
        raise _bad("Cannot specify both subnet-id and port-id")
    if "port_id" in ids:
        return _add_port(sim, ask, row, ids["port_id"])
    subnet = find_subnet(sim, ask, ids["subnet_id"])
    _refuse_second(sim, row, subnet)
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


def _add_port(sim: Sim, ask: Ask, row: Row, port_id: str) -> Answer:
    """One that is nobody's, with an address; it goes with the interface."""
    port = sim.state.ports.get(port_id)
    if port is None or not visible_within(sim, ask, port):
        raise neutron_error(404, "PortNotFound", f"Port {port_id} could not be found.")
    if port["device_id"]:
        said = (
            f"Unable to complete operation on port {port_id} for network {port['network_id']}. Port already has an "
            f"attached device {port['device_id']}."
        )
        raise neutron_error(409, "PortInUse", said)
    if not port["fixed_ips"]:
        raise _bad("Router port must have at least one fixed IP")
    subnets = [sim.state.subnets[ip["subnet_id"]] for ip in port["fixed_ips"]]
    for subnet in subnets:
        _refuse_second(sim, row, subnet)
    port |= {"device_id": row["id"], "device_owner": INTERFACE, "status": "ACTIVE"}
    port["revision_number"] += 1
    return ok(_interface(row, port, subnets[-1]))


def _refuse_second(sim: Sim, row: Row, subnet: Row) -> None:
    """A router is in a subnet once, and not in one that overlaps another of its subnets."""
    for port in interfaces(sim, row["id"]):
        for ip in port["fixed_ips"]:
            if ip["subnet_id"] == subnet["id"]:
                raise _bad(f"Router already has a port on subnet {subnet['id']}")
            _refuse_overlap(subnet, sim.state.subnets[ip["subnet_id"]])


def remove_interface(sim: Sim, ask: Ask) -> Answer:
    row, ids = find(sim, ask), _asked(ask)
    for port in interfaces(sim, row["id"]):
        for ip in port["fixed_ips"]:
            if (
                ids.get("port_id", port["id"]) == port["id"]
                and ids.get("subnet_id", ip["subnet_id"]) == ip["subnet_id"]
            ):
                _refuse_needed(sim, row, ip["subnet_id"])
                del sim.state.ports[port["id"]]
                return ok(_interface(row, port, sim.state.subnets[ip["subnet_id"]]))
    if "port_id" in ids:
        said = f"Router {row['id']} does not have an interface with id {ids['port_id']}"
        raise neutron_error(404, "RouterInterfaceNotFound", said)
    find_subnet(sim, ask, ids["subnet_id"])
    said = f"Router {row['id']} has no interface on subnet {ids['subnet_id']}"
    raise neutron_error(404, "RouterInterfaceNotFoundForSubnet", said)


def _refuse_needed(sim: Sim, row: Row, subnet_id: str) -> None:
    router_id, net = row["id"], ipaddress.ip_network(sim.state.subnets[subnet_id]["cidr"])
    if any(ipaddress.ip_address(route["nexthop"]) in net for route in row["routes"]):
        said = (
            f"Router interface for subnet {subnet_id} on router {router_id} cannot be deleted, as it is required by "
            "one or more routes."
        )
        raise neutron_error(409, "RouterInterfaceInUseByRoute", said)
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


def _asked(ask: Ask) -> dict[str, str]:
    """Which of ``port_id`` and ``subnet_id`` are given."""
    body = ask.body if isinstance(ask.body, dict) else {}
    found = {name: str(body[name]) for name in ("port_id", "subnet_id") if name in body}
    if not found:
        raise _bad("Either subnet_id or port_id must be specified")
    return found


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
    Route("PUT", "/routers/{id}/add_extraroutes", add_routes),
    Route("PUT", "/routers/{id}/remove_extraroutes", remove_routes),
)
