"""Neutron with multisite-neutron: tunnel endpoints, remote ports and their shadow agents, provider attributes.

Source: the API extension ``remote-port`` (plugins/neutron); provider networks: neutron/plugins/ml2/drivers
(``TunnelIdInUse``, ``VlanIdInUse``).
"""

from __future__ import annotations

import ipaddress
import zlib

from multisite_lab.sim.model import Row, Sim
from multisite_lab.sim.wire import Ask, neutron_error

OWNER = "multisite:remote_port"
AGENT = "Remote VTEP"
EXTENSIONS = (
    "remote-port",
    "provider",
    "net-mtu-writable",
    "tag-ports-during-bulk-creation",
    "binding",
    "agent",
    "l2_adjacency",
)
_OWN_VNIS = 1000
_OF_ADMINISTRATORS = ("binding:profile", "binding:vif_type", "binding:vif_details")
"""Where a site's own networks get their VNI from."""


def hosts(sim: Sim) -> dict[str, str]:
    """Name and tunnel endpoint of each host; without any said, one that is called like the site."""
    if sim.settings.vteps:
        return dict(sim.settings.vteps)
    number = zlib.crc32(sim.name.encode()) & 0xFFFFFF | 1
    return {sim.name: str(ipaddress.IPv4Address(0x0A000000 + number))}


def endpoint(sim: Sim, row: Row) -> str | None:
    """``tunneling_ip`` of a port."""
    if row["device_owner"] == OWNER:
        found: str = row["tunneling_ip"]
        return found
    return hosts(sim).get(row["binding:host_id"])


def shown(sim: Sim, ask: Ask, row: Row) -> Row:
    """A port as the caller may see it: endpoints are for administrators."""
    if not (sim.settings.remote_port and ask.account.is_admin):
        hidden = ("tunneling_ip",) if ask.account.is_admin else ("tunneling_ip", *_OF_ADMINISTRATORS)
        return {name: value for name, value in row.items() if name not in hidden}
    return {**row, "tunneling_ip": endpoint(sim, row)}


def bad(field: str, message: str, status: int = 400) -> None:
    raise neutron_error(
        status, "RemotePortInvalid" if status == 400 else "RemotePortConflict", f"{field}: {message}"
    )


def created(sim: Sim, ask: Ask, network: Row, fields: Row) -> Row:
    """What ``device_owner``, ``device_id``, binding and ``tunneling_ip`` of a create request make of a port."""
    owner = str(fields.get("device_owner") or "")
    plain: Row = {"device_owner": owner, "device_id": str(fields.get("device_id") or "")}
    if ask.account.is_admin and fields.get("binding:host_id"):
        plain |= {"binding:host_id": fields["binding:host_id"], "status": "ACTIVE"}
    if not sim.settings.remote_port:
        if "tunneling_ip" in fields:
            said = "Unrecognized attribute(s) 'tunneling_ip'"
            raise neutron_error(400, "HTTPBadRequest", said)
        return plain
    if owner != OWNER:
        if fields.get("tunneling_ip") is not None:
            bad("tunneling_ip", f"only a port with device_owner {OWNER} has one to write")
        return plain
    if not ask.account.is_admin:
        raise neutron_error(
            403, "PolicyNotAuthorized", "rule:create_port:tunneling_ip is disallowed by policy"
        )
    if network["provider:network_type"] != "vxlan":
        bad("network_id", f"network {network['id']} is {network['provider:network_type']}, not vxlan")
    address = _checked(sim, fields.get("tunneling_ip"))
    return {**plain, **_bound(address)}


def _checked(sim: Sim, address: object) -> str:
    if not address:
        bad("tunneling_ip", "a remote port needs the tunnel endpoint of its host: give an IP address")
    try:
        found = str(ipaddress.ip_address(str(address)))
    except ValueError:
        bad("tunneling_ip", f"{address!r} is not an IP address")
        raise
    own = {vtep: host for host, vtep in hosts(sim).items()}
    if found in own:
        bad(
            "tunneling_ip",
            f"{found} is the endpoint of host {own[found]} of this Neutron: name one of another site",
            409,
        )
    return found


def _bound(address: str) -> Row:
    return {
        "tunneling_ip": address,
        "binding:host_id": f"remote-vtep-{address}",
        "binding:vif_type": "other",
        "status": "ACTIVE",
    }


def updated(sim: Sim, ask: Ask, row: Row, fields: Row) -> Row:
    """What a PUT may write besides what any port lets be written; refuses what may not change."""
    written: Row = {}
    if "tunneling_ip" in fields and sim.settings.remote_port:
        if row["device_owner"] == OWNER:
            written |= _bound(_checked(sim, fields["tunneling_ip"]))
        elif fields["tunneling_ip"] != endpoint(sim, row):
            bad("tunneling_ip", f"only a port with device_owner {OWNER} has one to write")
    if "mac_address" in fields and row["binding:host_id"] and fields["mac_address"] != row["mac_address"]:
        said = f"Unable to complete operation on port {row['id']}, port is already bound, port type: other."
        raise neutron_error(409, "PortBound", said)
    if OWNER in (row["device_owner"], fields.get("device_owner", row["device_owner"])):
        if fields.get("device_owner", row["device_owner"]) != row["device_owner"]:
            bad(
                "device_owner",
                "a port cannot become or cease to be a remote port: delete it and create another",
                409,
            )
    elif ask.account.is_admin:
        for name in ("binding:host_id", "mac_address", "device_id", "device_owner"):
            if name in fields:
                written[name] = fields[name]
    return written


def agents(sim: Sim) -> list[Row]:
    """An agent of every host, and a shadow agent of each remote endpoint."""
    rows = [
        _agent(sim, "Open vSwitch agent", "neutron-openvswitch-agent", host, vtep)
        for host, vtep in hosts(sim).items()
    ]
    far = {p["tunneling_ip"] for p in sim.state.ports.values() if p["device_owner"] == OWNER}
    return rows + [_agent(sim, AGENT, "neutron-remote-port", f"remote-vtep-{v}", v) for v in sorted(far)]


def _agent(sim: Sim, kind: str, binary: str, host: str, vtep: str) -> Row:
    settings = {"tunneling_ip": vtep, "tunnel_types": ["vxlan"], "l2_population": True}
    return {
        "id": f"{binary}-{sim.name}-{host}",
        "agent_type": kind,
        "binary": binary,
        "host": host,
        "alive": True,
        "admin_state_up": True,
        "configurations": settings,
    }


def segment(sim: Sim, ask: Ask, fields: Row) -> Row:
    """The provider attributes of a new network."""
    given = {name: fields[name] for name in fields if name.startswith("provider:")}
    if given and not ask.account.is_admin:
        said = "(rule:create_network and rule:create_network:provider:network_type) is disallowed by policy"
        raise neutron_error(403, "PolicyNotAuthorized", said)
    kind = given.get("provider:network_type") or "vxlan"
    physical, number = given.get("provider:physical_network"), given.get("provider:segmentation_id")
    used = {
        n["provider:segmentation_id"]
        for n in sim.state.networks.values()
        if (n["provider:network_type"], n["provider:physical_network"]) == (kind, physical)
    }
    if number is not None and number in used:
        if kind == "vlan":
            said = (
                f"Unable to create the network. The VLAN {number} on physical network {physical} is in use."
            )
            raise neutron_error(409, "VlanIdInUse", said)
        raise neutron_error(
            409, "TunnelIdInUse", f"Unable to create the network. The tunnel ID {number} is in use."
        )
    if number is None and kind == "vxlan":
        number = next(n for n in range(_OWN_VNIS, 1 << 24) if n not in used)
    return {
        "provider:network_type": kind,
        "provider:segmentation_id": number,
        "provider:physical_network": physical,
    }


def network_shown(ask: Ask, row: Row) -> Row:
    """Provider attributes are for administrators."""
    if ask.account.is_admin:
        return row
    return {name: value for name, value in row.items() if not name.startswith("provider:")}
