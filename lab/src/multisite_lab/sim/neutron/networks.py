"""Neutron: networks, subnets, tags, agents and extensions (Networking API reference v2)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from multisite_lab.sim import quotas
from multisite_lab.sim.model import Row, Sim
from multisite_lab.sim.neutron import attributes, policy, qos, remote_ports, subnet_pools
from multisite_lab.sim.neutron.ipam import DHCP, new_row, pools, release, serve_dhcp
from multisite_lab.sim.neutron.policy import visible, visible_within
from multisite_lab.sim.wire import Answer, ApiError, Ask, Route, neutron_error, ok

EXTENSIONS = ("standard-attr-tag", "port-security", "quota_details", "security-group", "net-mtu", "quotas",
              "router", "extraroute", "extraroute-atomic", "ext-gw-mode", "revision-if-match",
              "trunk", "trunk-details")  # fmt: skip
MTU = 1500
# Filters that take part in a list; Neutron refuses unknown ones only where told to (filter-validation).
_FILTERS = ("id", "name", "network_id", "device_id", "device_owner", "project_id", "description",
            "mac_address", "status", "security_group_id")  # fmt: skip


def listed(sim: Sim, ask: Ask, key: str, rows: Iterable[Row]) -> Answer:
    """By the query's filters; a name may be given several times.  ``tags``: all of them, with commas."""

    def seen(row: Row) -> bool:
        return visible_within(sim, ask, row) if key in ("subnets", "ports") else visible(ask, row)

    found = [policy.shown(ask, row) for row in rows if seen(row)]
    for name in _FILTERS:
        if name in ask.query:
            found = [row for row in found if str(row.get(name, "")) in ask.query[name]]
    if (external := ask.one("router:external")) is not None and key == "networks":
        found = [row for row in found if str(row["router:external"]).lower() == external.lower()]
    if (tags := ask.one("tags")) is not None:
        found = [row for row in found if set(tags.split(",")) <= set(row["tags"])]
    limit = int(ask.one("limit") or sim.settings.page)
    if (marker := ask.one("marker")) is not None:
        ids = [row["id"] for row in found]
        found = found[ids.index(marker) + 1 :] if marker in ids else []
    body: Row = {key: found[:limit]}
    if len(found) > limit:
        rest = "".join(f"{n}={v}&" for n, values in ask.query.items() if n != "marker" for v in values)
        href = f"{ask.base}{ask.path}?{rest}marker={found[limit - 1]['id']}"
        body[f"{key}_links"] = [{"rel": "next", "href": href}]
    return ok(body)


def wanted(ask: Ask, key: str) -> Row:
    """The object in the body; Neutron's words when there is none (neutron/api/v2/base.py)."""
    if not isinstance(ask.body, dict) or not isinstance(ask.body.get(key), dict):
        raise neutron_error(400, "HTTPBadRequest", f"Unable to find '{key}' in request body")
    found: Row = ask.body[key]
    return found


def invalid(message: str) -> ApiError:
    return neutron_error(400, "InvalidInput", f"Invalid input for operation: {message}.")


def common(sim: Sim, ask: Ask, fields: Row) -> Row:
    """What every resource has; whose it is only administrators say (neutron_lib/api/attributes.py)."""
    for name in ("name", "description"):
        if len(str(fields.get(name) or "")) > 255:
            raise invalid(f"'{fields[name]}' exceeds maximum length of 255")
    project = fields.get("project_id") or fields.get("tenant_id") or ask.account.project_id
    if project != ask.account.project_id and not ask.account.is_admin:
        said = "Specifying 'project_id' other than the authenticated project in request"
        raise neutron_error(400, "HTTPBadRequest", f"{said} is not allowed for the current user.")
    return new_row(sim, str(project), fields)


def find_network(sim: Sim, ask: Ask, network_id: str) -> Row:
    row = sim.state.networks.get(network_id)
    if row is None or not visible(ask, row):
        raise neutron_error(404, "NetworkNotFound", f"Network {network_id} could not be found.")
    return row


def find_subnet(sim: Sim, ask: Ask, subnet_id: str) -> Row:
    row = sim.state.subnets.get(subnet_id)
    if row is None or not visible_within(sim, ask, row):
        raise neutron_error(404, "SubnetNotFound", f"Subnet {subnet_id} could not be found.")
    return row


def networks(sim: Sim, ask: Ask) -> Answer:
    rows = sim.state.networks.values()
    return listed(sim, ask, "networks", [remote_ports.network_shown(ask, row) for row in rows])


def network(sim: Sim, ask: Ask) -> Answer:
    return ok({"network": remote_ports.network_shown(ask, find_network(sim, ask, ask.ids["id"]))})


def create_network(sim: Sim, ask: Ask) -> Answer:
    fields = wanted(ask, "network")
    policy.refuse_attributes(ask, "create", "network", fields)
    qos.refuse_unknown(sim, ask, fields)
    mtu = int(fields.get("mtu") or MTU)
    if mtu > MTU:
        raise invalid(f"Requested MTU is too big, maximum is {MTU}")
    quotas.refuse_neutron(sim, ask, "network")
    row = {
        **common(sim, ask, fields),
        **remote_ports.segment(sim, ask, fields),
        **attributes.given(sim, "network", fields),
        "mtu": mtu,
        "admin_state_up": bool(fields.get("admin_state_up", True)),
        "status": "ACTIVE",
        "shared": bool(fields.get("shared", False)),
        "router:external": bool(fields.get("router:external", False)),
        "port_security_enabled": fields.get("port_security_enabled", True),
        "subnets": [],
        "availability_zones": [],
    }
    sim.state.networks[row["id"]] = row
    return ok({"network": remote_ports.network_shown(ask, row)}, 201)


def update_network(sim: Sim, ask: Ask) -> Answer:
    row = find_network(sim, ask, ask.ids["id"])
    policy.refuse_change(ask, "network", row)
    fields = wanted(ask, "network")
    qos.refuse_unknown(sim, ask, fields)
    if int(fields.get("mtu") or 0) > MTU:
        raise invalid(f"Requested MTU is too big, maximum is {MTU}")
    return _updated(
        "network",
        row,
        fields,
        ("name", "description", "mtu", "admin_state_up", *attributes.ATTRIBUTES["network"]),
    )


def _updated(key: str, row: Row, fields: Row, allowed: tuple[str, ...]) -> Answer:
    for name, value in fields.items():
        if name not in allowed:
            raise neutron_error(400, "HTTPBadRequest", f"Cannot update read-only attribute {name}")
        row[name] = value
    row["revision_number"] += 1
    return ok({key: row})


def delete_network(sim: Sim, ask: Ask) -> Answer:
    """409 while ports are in it, those of DHCP aside; its subnets go with it."""
    row = find_network(sim, ask, ask.ids["id"])
    policy.refuse_change(ask, "network", row, "delete")
    inside = [p for p in sim.state.ports.values() if p["network_id"] == row["id"]]
    held = [p["id"] for p in inside if p["device_owner"] != DHCP]
    if held:
        raise neutron_error(
            409,
            "NetworkInUse",
            f"Unable to complete operation on network {row['id']}. There are one or more ports still in use "
            f"on the network, id for these ports is {','.join(held)}.",
        )
    for port in inside:
        del sim.state.ports[port["id"]]
    for subnet_id in row["subnets"]:
        sim.state.subnets.pop(subnet_id, None)
    del sim.state.networks[row["id"]]
    return Answer(204)


def subnets(sim: Sim, ask: Ask) -> Answer:
    return listed(sim, ask, "subnets", sim.state.subnets.values())


def subnet(sim: Sim, ask: Ask) -> Answer:
    return ok({"subnet": find_subnet(sim, ask, ask.ids["id"])})


def _refuse_overlap(sim: Sim, network_row: Row, block: ipaddress.IPv4Network | ipaddress.IPv6Network) -> None:
    for other in network_row["subnets"]:
        if ipaddress.ip_network(sim.state.subnets[other]["cidr"]).overlaps(block):
            said = (
                f"Requested subnet with cidr: {block} for network: {network_row['id']} overlaps with another"
            )
            raise invalid(f"{said} subnet")


def create_subnet(sim: Sim, ask: Ask) -> Answer:
    fields = wanted(ask, "subnet")
    network_row = find_network(sim, ask, str(fields.get("network_id")))
    policy.refuse_change(ask, "subnet", network_row, "create")
    pool_id = fields.get("subnetpool_id")
    if pool_id is None and fields.get("cidr") is None:
        said = "Bad subnets request: a subnetpool must be specified in the absence of a cidr."
        raise neutron_error(400, "BadRequest", said)
    try:
        cidr = fields.get("cidr")
        block = ipaddress.ip_network(str(cidr)) if cidr else subnet_pools.block_for(sim, ask, str(pool_id))
        if cidr and pool_id is not None:
            subnet_pools.refuse_taken(sim, ask, str(pool_id), block)
    except ValueError:
        raise invalid(f"'{fields.get('cidr')}' is not a valid IP subnet") from None
    _refuse_overlap(sim, network_row, block)
    quotas.refuse_neutron(sim, ask, "subnet")
    gateway = fields.get("gateway_ip", str(block[1]))
    row = {
        **common(sim, ask, fields),
        **attributes.given(sim, "subnet", fields),
        "network_id": network_row["id"],
        "cidr": str(block),
        "subnetpool_id": pool_id,
        "ip_version": fields.get("ip_version", 4),
        "gateway_ip": gateway,
        "enable_dhcp": bool(fields.get("enable_dhcp", True)),
        "allocation_pools": [dict(p) for p in fields.get("allocation_pools") or pools(block, gateway)],
        "dns_nameservers": list(fields.get("dns_nameservers") or []),
        "host_routes": list(fields.get("host_routes") or []),
        "ipv6_address_mode": fields.get("ipv6_address_mode"),
        "ipv6_ra_mode": fields.get("ipv6_ra_mode"),
    }
    sim.state.subnets[row["id"]] = row
    network_row["subnets"].append(row["id"])
    _begin_dhcp(sim, row["id"])
    return ok({"subnet": row}, 201)


def _begin_dhcp(sim: Sim, subnet_id: str) -> None:
    """The agent takes its address a little later."""
    sim.after(sim.settings.dhcp, lambda: serve_dhcp(sim, subnet_id))


def update_subnet(sim: Sim, ask: Ask) -> Answer:
    row = find_subnet(sim, ask, ask.ids["id"])
    policy.refuse_change(ask, "subnet", row)
    allowed = ("name", "description", "enable_dhcp", "gateway_ip", "dns_nameservers", "host_routes",
               "allocation_pools", *attributes.ATTRIBUTES["subnet"])  # fmt: skip
    fields = wanted(ask, "subnet")
    if "gateway_ip" in fields and fields["gateway_ip"] != row["gateway_ip"]:
        _refuse_gateway(
            sim, row, fields["gateway_ip"], fields.get("allocation_pools") or row["allocation_pools"]
        )
    answer = _updated("subnet", row, fields, allowed)
    _begin_dhcp(sim, row["id"])
    return answer


def _refuse_gateway(sim: Sim, row: Row, wanted_ip: str | None, pools: list[Row]) -> None:
    """While a router is at the present gateway, or a pool has the new one (neutron/db/db_base_plugin_v2.py)."""
    for port in sim.state.ports.values():
        at = {ip["ip_address"] for ip in port["fixed_ips"] if ip["subnet_id"] == row["id"]}
        if row["gateway_ip"] in at and port["device_owner"] == "network:router_interface":
            said = f"Current gateway ip {row['gateway_ip']} already in use by port {port['id']}. Unable to update."
            raise neutron_error(409, "GatewayIpInUse", said)
    if wanted_ip is None:
        return
    address = int(ipaddress.ip_address(wanted_ip))
    for pool in pools:
        if int(ipaddress.ip_address(pool["start"])) <= address <= int(ipaddress.ip_address(pool["end"])):
            said = f"Gateway ip {wanted_ip} conflicts with allocation pool {pool['start']}-{pool['end']}."
            raise neutron_error(409, "GatewayConflictWithAllocationPools", said)


def delete_subnet(sim: Sim, ask: Ask) -> Answer:
    row = find_subnet(sim, ask, ask.ids["id"])
    policy.refuse_change(ask, "subnet", row, "delete")
    inside = [
        p for p in sim.state.ports.values() if any(ip["subnet_id"] == row["id"] for ip in p["fixed_ips"])
    ]
    if any(p["device_owner"] != DHCP for p in inside):
        said = "One or more ports have an IP allocation from this subnet."
        raise neutron_error(409, "SubnetInUse", f"Unable to complete operation on subnet {row['id']}: {said}")
    release(sim, inside, row["id"])
    sim.state.networks[row["network_id"]]["subnets"].remove(row["id"])
    del sim.state.subnets[row["id"]]
    return Answer(204)


def set_tags(sim: Sim, ask: Ask) -> Answer:
    """PUT replaces all tags (neutron/extensions/tagging.py)."""
    if not isinstance(ask.body, dict) or not isinstance(ask.body.get("tags"), list):
        raise neutron_error(400, "HTTPBadRequest", "Invalid tags body")
    holders = {
        "networks": sim.state.networks,
        "subnets": sim.state.subnets,
        "ports": sim.state.ports,
        "security-groups": sim.state.security_groups,
        "floatingips": sim.state.floatingips,
        "routers": sim.state.routers,
        "trunks": sim.state.trunks,
    }
    kind, resource_id = ask.path.split("/")[1], ask.ids["id"]
    row = holders[kind].get(resource_id)
    if row is None or not policy.owns(ask, row):
        said = f"Resource {kind.rstrip('s')} {resource_id} could not be found."
        raise neutron_error(404, "TagResourceNotFound", said)
    row["tags"] = list(dict.fromkeys(ask.body["tags"]))
    row["revision_number"] += 1
    return ok({"tags": row["tags"]})


def extensions(sim: Sim, _ask: Ask) -> Answer:
    names = (
        *EXTENSIONS,
        *attributes.EXTENSIONS,
        *(remote_ports.EXTENSIONS if sim.settings.remote_port else ()),
    )
    rows = [
        {"alias": a, "name": a.replace("-", " "), "description": "", "links": []}
        for a in names
        if a not in sim.settings.lacks
    ]
    return ok({"extensions": rows})


def agents(sim: Sim, ask: Ask) -> Answer:
    """To all but administrators an empty list, not a refusal."""
    if not ask.account.is_admin:
        return ok({"agents": []})
    dhcp: Row = {"id": "neutron-dhcp-agent", "binary": "neutron-dhcp-agent", "agent_type": "DHCP agent"}
    dhcp |= {"host": sim.name, "alive": True, "admin_state_up": True, "configurations": {}}
    nics = {
        **dhcp,
        "id": "neutron-sriov-nic-agent",
        "binary": "neutron-sriov-nic-agent",
        "agent_type": "NIC Switch agent",
    }
    sriov = [nics] if sim.settings.sriov else []
    return ok({"agents": [*remote_ports.agents(sim), dhcp, *sriov]})


ROUTES = (
    Route("GET", "/networks", networks),
    Route("POST", "/networks", create_network),
    Route("GET", "/networks/{id}", network),
    Route("PUT", "/networks/{id}", update_network),
    Route("DELETE", "/networks/{id}", delete_network),
    Route("GET", "/subnets", subnets),
    Route("POST", "/subnets", create_subnet),
    Route("GET", "/subnets/{id}", subnet),
    Route("PUT", "/subnets/{id}", update_subnet),
    Route("DELETE", "/subnets/{id}", delete_subnet),
    *(
        Route("PUT", f"/{kind}/{{id}}/tags", set_tags)
        for kind in ("networks", "subnets", "ports", "floatingips", "routers", "trunks")
    ),
    Route("PUT", "/security-groups/{id}/tags", set_tags),
    Route("GET", "/extensions", extensions),
    Route("GET", "/agents", agents),
)
