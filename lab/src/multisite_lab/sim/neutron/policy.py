"""Neutron's default policy (neutron/conf/policies): who sees what, and which attributes are for whom.

A member of a project sees its own, what is shared with it, and external networks; of a network that is another's it may
choose neither address nor MAC address.  404 for what the caller does not see, 403 for what it may not.
"""

from __future__ import annotations

from multisite_lab.sim.model import Row, Sim
from multisite_lab.sim.wire import ApiError, Ask, neutron_error

GRANTED = "_granted_to"
"""Of a network or security group, not shown: projects it is shared with one by one (RBAC, ``access_as_shared``)."""
_OF_ADMINISTRATORS = {
    "network": ("shared", "router:external", "is_default"),
    "port": ("binding:host_id", "binding:profile"),
    "router": ("distributed", "ha"),
}
_OF_THE_NETWORKS_OWNER = ("mac_address", "port_security_enabled", "allowed_address_pairs")


def owns(ask: Ask, row: Row) -> bool:
    """``admin_or_owner``."""
    return ask.account.is_admin or row["project_id"] == ask.account.project_id


def shared(ask: Ask, row: Row) -> bool:
    """Whether it is shared with the caller's project, as its attribute ``shared`` says to that one."""
    return bool(row.get("shared")) or ask.account.project_id in row.get(GRANTED, ())


def visible(ask: Ask, row: Row) -> bool:
    return owns(ask, row) or shared(ask, row) or bool(row.get("router:external"))


def visible_within(sim: Sim, ask: Ask, row: Row) -> bool:
    """Of subnets, which are shared with their network, and of ports, which its owner sees."""
    network = sim.state.networks.get(row["network_id"])
    if owns(ask, row) or network is None:
        return owns(ask, row)
    return owns(ask, network) if "mac_address" in row else shared(ask, network)


def shown(ask: Ask, row: Row) -> Row:
    """Without what is not shown; ``shared`` as the caller's project sees it."""
    if GRANTED not in row:
        return row
    return {k: v for k, v in row.items() if k != GRANTED} | {"shared": shared(ask, row)}


def refuse_change(ask: Ask, kind: str, row: Row, verb: str = "update") -> None:
    """403 for what the caller sees and does not own."""
    if not owns(ask, row):
        raise _disallowed(f"{verb}_{kind}")


def refuse_attributes(ask: Ask, verb: str, kind: str, fields: Row, network: Row | None = None) -> None:
    """403 for attributes that are for administrators, and of ports for the owner of their ``network``."""
    if ask.account.is_admin:
        return
    for name in _OF_ADMINISTRATORS.get(kind, ()):
        if fields.get(name):
            raise _disallowed(f"{verb}_{kind}:{name}")
    if network is None or owns(ask, network):
        return
    for name in _OF_THE_NETWORKS_OWNER:
        if fields.get(name) not in (None, []):
            raise _disallowed(f"{verb}_{kind}:{name}")
    for one in fields.get("fixed_ips") or ():
        if one.get("ip_address"):
            raise _disallowed(f"{verb}_{kind}:fixed_ips:ip_address")
        if not shared(ask, network):
            raise _disallowed(f"{verb}_{kind}:fixed_ips:subnet_id")


def _disallowed(rule: str) -> ApiError:
    said = f"rule:{rule} is disallowed by policy"
    return neutron_error(403, "PolicyNotAuthorized", f"({said})")
