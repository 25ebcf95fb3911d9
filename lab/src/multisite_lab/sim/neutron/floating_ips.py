"""Neutron: floating IPs, and the L3 agent that carries them out a little later (neutron/db/l3_db.py).

``state.carried`` is the data plane: which port a floating IP leads to *there*, whatever the API says.  While
``settings.l3_agent`` is off nothing reaches it: the agent is dead, and goes on answering for what it had.
It reports what it took up or took away, and nothing of what it never had (neutron/agent/l3/router_info.py).
The port's router must have its gateway in the external network; a port without a router in its subnet is taken to be
behind one that has.
"""

from __future__ import annotations

import ipaddress

from multisite_lab.sim import quotas
from multisite_lab.sim.model import Row, Sim
from multisite_lab.sim.neutron.ipam import first_free, taken
from multisite_lab.sim.neutron.networks import common, find_network, invalid, wanted
from multisite_lab.sim.neutron.policy import owns, visible_within
from multisite_lab.sim.wire import Answer, ApiError, Ask, Route, neutron_error, ok

_FILTERS = (
    "id",
    "floating_network_id",
    "floating_ip_address",
    "port_id",
    "description",
    "project_id",
    "status",
)


def carried(sim: Sim, address: str) -> list[str]:
    """The ports this address leads to in the data plane of the site, now."""
    rows = sim.state.floatingips.values()
    ids = [row["id"] for row in rows if row["floating_ip_address"] == address]
    return [port for fip in (*ids, *_ghosts(sim, address)) if (port := sim.state.carried.get(fip))]


def _ghosts(sim: Sim, address: str) -> list[str]:
    """Floating IPs that were deleted while their agent was dead."""
    return [fip for fip, gone in sim.state.ghosts.items() if gone == address]


def floatingips(sim: Sim, ask: Ask) -> Answer:
    found = [row for row in sim.state.floatingips.values() if owns(ask, row)]
    for name in _FILTERS:
        if name in ask.query:
            found = [row for row in found if str(row.get(name) or "") in ask.query[name]]
    if (tags := ask.one("tags")) is not None:
        found = [row for row in found if set(tags.split(",")) <= set(row["tags"])]
    return ok({"floatingips": found})


def find(sim: Sim, ask: Ask) -> Row:
    row = sim.state.floatingips.get(ask.ids["id"])
    if row is None or not owns(ask, row):
        said = f"Floating IP {ask.ids['id']} could not be found"
        raise neutron_error(404, "FloatingIPNotFound", said)
    return row


def floatingip(sim: Sim, ask: Ask) -> Answer:
    return ok({"floatingip": find(sim, ask)})


def create(sim: Sim, ask: Ask) -> Answer:
    fields = wanted(ask, "floatingip")
    address = fields.get("floating_ip_address")
    if address is not None and not ask.account.is_admin:
        said = "(rule:create_floatingip:floating_ip_address is disallowed by policy)"
        raise neutron_error(403, "PolicyNotAuthorized", said)
    quotas.refuse_neutron(sim, ask, "floatingip")
    network = find_network(sim, ask, str(fields.get("floating_network_id")))
    if not network["router:external"]:
        raise neutron_error(400, "BadRequest", f"Network {network['id']} is not a valid external network")
    subnet = sim.state.subnets[network["subnets"][0]]
    if address is not None:
        if ipaddress.ip_address(address) not in ipaddress.ip_network(subnet["cidr"]):
            said = f"IP address {address} is not a valid IP for the specified subnet."
            raise neutron_error(400, "InvalidIpForSubnet", said)
        if address in taken(sim, subnet["id"]) | _floating(sim, network["id"]):
            said = f"IP address {address} already allocated in subnet {subnet['id']}"
            raise neutron_error(409, "IpAddressAlreadyAllocated", said)
    else:
        address = first_free(sim, subnet, _floating(sim, network["id"]))
        if address is None:
            said = f"No more IP addresses available on network {network['id']}."
            raise neutron_error(409, "IpAddressGenerationFailure", said)
    row = {
        **common(sim, ask, fields),
        "floating_network_id": network["id"],
        "floating_ip_address": address,
        "fixed_ip_address": None,
        "port_id": None,
        "router_id": None,
        "status": "DOWN",
        **_named(sim, fields),
    }
    del row["name"]  # the one kind of Neutron that has none
    if fields.get("port_id"):
        _lead(sim, ask, row, str(fields["port_id"]), fields.get("fixed_ip_address"))
    sim.state.floatingips[row["id"]] = row
    _tell_agent(sim, row["id"])
    return ok({"floatingip": row}, 201)


def _named(sim: Sim, fields: Row) -> Row:
    """Attributes of the extension ``dns-integration``, given once."""
    names = ("dns_name", "dns_domain")
    if "dns-integration" not in sim.settings.lacks:
        return {name: fields.get(name) or "" for name in names}
    if unknown := [name for name in names if name in fields]:
        raise neutron_error(400, "HTTPBadRequest", f"Unrecognized attribute(s) '{', '.join(unknown)}'")
    return {}


def _floating(sim: Sim, network_id: str) -> set[str]:
    rows = sim.state.floatingips.values()
    return {row["floating_ip_address"] for row in rows if row["floating_network_id"] == network_id}


def update(sim: Sim, ask: Ask) -> Answer:
    """With ``If-Match`` only as it was seen; any change makes it another revision (services/revisions)."""
    row = find(sim, ask)
    matches(ask, row)
    fields = wanted(ask, "floatingip")
    before = {**row}
    if "description" in fields:
        if len(str(fields["description"])) > 255:
            raise invalid(f"'{fields['description']}' exceeds maximum length of 255")
        row["description"] = fields["description"]
    if "port_id" in fields and fields["port_id"] != row["port_id"]:
        if fields["port_id"] is None:
            row |= {"port_id": None, "fixed_ip_address": None, "router_id": None}
        else:
            _lead(sim, ask, row, str(fields["port_id"]), fields.get("fixed_ip_address"))
        _tell_agent(sim, row["id"])
    sim.state.last_routers[row["id"]] = before["router_id"]
    if row != before:
        row["revision_number"] += 1
    return ok({"floatingip": row})


def matches(ask: Ask, row: Row) -> None:
    """412 unless ``If-Match: revision_number=<n>`` is that of the row (or absent)."""
    if ask.if_match is not None and ask.if_match != row["revision_number"]:
        said = f"Constrained to {ask.if_match}, but current revision is {row['revision_number']}"
        raise ApiError(
            412, {"NeutronError": {"type": "RevisionNumberConstraintFailed", "message": said, "detail": ""}}
        )


def _lead(sim: Sim, ask: Ask, row: Row, port_id: str, wanted_ip: str | None = None) -> None:
    port = sim.state.ports.get(port_id)
    if port is None or not visible_within(sim, ask, port):
        raise neutron_error(404, "PortNotFound", f"Port {port_id} could not be found.")
    if not port["fixed_ips"]:
        raise neutron_error(400, "BadRequest", f"Port {port_id} does not have any fixed IPs")
    four = [ip for ip in port["fixed_ips"] if ":" not in ip["ip_address"]]
    chosen = [ip for ip in four if wanted_ip in (None, ip["ip_address"])]
    if not chosen:
        raise neutron_error(400, "BadRequest", f"Port {port_id} does not have fixed ip {wanted_ip}")
    fixed = chosen[0]["ip_address"]
    for other in sim.state.floatingips.values():
        if (other["port_id"], other["floating_network_id"]) == (port_id, row["floating_network_id"]):
            said = (
                f"Cannot associate floating IP {row['floating_ip_address']} ({row['id']}) with port {port_id} using "
                f"fixed IP {fixed}, as that fixed IP already has a floating IP on external network "
                f"{row['floating_network_id']}."
            )
            raise neutron_error(409, "FloatingIPPortAlreadyAssociated", said)
    row |= {
        "port_id": port_id,
        "fixed_ip_address": fixed,
        "router_id": _router(sim, port, chosen[0]["subnet_id"], row),
    }


def _router(sim: Sim, port: Row, subnet_id: str, row: Row) -> str:
    """Which one leads from there to the external network (l3_db.py, get_router_for_floatingip)."""
    inside = [
        p["device_id"]
        for p in sim.state.ports.values()
        if p["device_owner"] == "network:router_interface"
        if any(ip["subnet_id"] == subnet_id for ip in p["fixed_ips"])
    ]
    for router in (sim.state.routers[id] for id in inside if id in sim.state.routers):
        gateway = router["external_gateway_info"]
        if gateway is not None and gateway["network_id"] == row["floating_network_id"]:
            return str(router["id"])
    if inside:
        said = (
            f"External network {row['floating_network_id']} is not reachable from subnet {subnet_id}.  Therefore, "
            f"cannot associate Port {port['id']} with a Floating IP."
        )
        raise neutron_error(404, "ExternalGatewayForFloatingIPNotFound", said)
    return f"router-{sim.name}"


def delete(sim: Sim, ask: Ask) -> Answer:
    row = find(sim, ask)
    matches(ask, row)
    del sim.state.floatingips[row["id"]]
    if row["id"] in sim.state.carried:
        sim.state.ghosts[row["id"]] = row["floating_ip_address"]
    _tell_agent(sim, row["id"])
    return Answer(204)


def port_gone(sim: Sim, port_id: str) -> None:
    """Deleting a port disassociates its floating IPs (l3_db.disassociate_floatingips)."""
    for row in sim.state.floatingips.values():
        if row["port_id"] == port_id:
            sim.state.last_routers[row["id"]] = row["router_id"]
            row |= {"port_id": None, "fixed_ip_address": None, "router_id": None}
            row["revision_number"] += 1
            _tell_agent(sim, row["id"])


def _tell_agent(sim: Sim, floating_ip_id: str) -> None:
    sim.after(sim.settings.l3, lambda: _carry(sim, floating_ip_id))


def _carry(sim: Sim, floating_ip_id: str) -> None:
    """What the agent does, and what it reports."""
    if not sim.settings.l3_agent:
        return
    row = sim.state.floatingips.get(floating_ip_id)
    sim.state.ghosts.pop(floating_ip_id, None)
    if row is not None and row["port_id"] is not None:
        sim.state.carried[floating_ip_id] = row["port_id"]
        _report(sim, row, "ACTIVE")
    elif sim.state.carried.pop(floating_ip_id, None) is not None and row is not None:
        _report(sim, row, "DOWN")


def _report(sim: Sim, row: Row, status: str) -> None:
    """Any report of a router takes down what was disassociated from it (neutron/api/rpc/handlers/l3_rpc.py)."""
    changed = {row["id"]: status}
    for id, other in sim.state.floatingips.items():
        if other["router_id"] is None and sim.state.last_routers.get(id) is not None:
            changed.setdefault(id, "DOWN")
    for id, known in changed.items():
        other = sim.state.floatingips[id]
        if other["status"] != known:
            other["status"] = known
            other["revision_number"] += 1


def power_loss(sim: Sim) -> None:
    """The data plane is gone, and the agent not there until ``resync``; what Neutron knows stays."""
    sim.settings.l3_agent = False
    sim.state.carried.clear()
    sim.state.ghosts.clear()


def resync(sim: Sim) -> None:
    """The agent is there and carries out what it missed."""
    sim.settings.l3_agent = True
    for floating_ip_id in {*sim.state.floatingips, *sim.state.carried}:
        _carry(sim, floating_ip_id)


ROUTES = (
    Route("GET", "/floatingips", floatingips),
    Route("POST", "/floatingips", create),
    Route("GET", "/floatingips/{id}", floatingip),
    Route("PUT", "/floatingips/{id}", update),
    Route("DELETE", "/floatingips/{id}", delete),
)
