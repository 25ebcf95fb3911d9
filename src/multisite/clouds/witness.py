"""A witness: a second floating IP behind a member's router, which only an L3 agent that is at work takes up.

After a disassociation Neutron shows a floating IP ACTIVE until the L3 agent reports that it has gone, and an agent
reports only what it had (neutron/agent/l3/router_info.py, update_fip_statuses).  One that started when it was
disassociated already never had it, and the floating IP stays ACTIVE for ever: so it is in a site that lost its power.
An agent carries out a router as a whole, as it is in the database when the agent gets to it; a witness associated
*after* the disassociation is therefore ACTIVE only when the address has gone.

Not behind a distributed router: there each host answers for its own ports, the witness's host may be another one.
"""

from __future__ import annotations

from multisite.clouds import addresses, resources, stretched
from multisite.clouds.addresses import Changed, FloatingIp
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import Failed, Unsupported

NAME = "multisite-witness"
"""As in the token by which what a killed run left in running sites is found: neither is renamed."""
_DISTRIBUTED = "network:router_interface_distributed"
_SWAPS = 4


def create(site: CloudSite, token: str, network_id: str, member_port: str) -> FloatingIp:
    """A new witness behind the router of the member's port, in external network ``network_id``; an old one goes first.

    It takes one port of the member's network and one address of the external one until ``remove``.  Raises
    Unsupported where it would show nothing, and what ``call`` raises (a quota, an exhausted pool).
    """
    remove(site, token)
    member = resources.read(site, "port", member_port)
    if resources.list_all(site, "port", network_id=member["network_id"], device_owner=_DISTRIBUTED):
        raise Unsupported(site.name, "create a witness", "the member's router is distributed")
    if not member["fixed_ips"]:
        raise Unsupported(site.name, "create a witness", f"port {member_port} has no address any more")
    fields = {
        "name": NAME, "network_id": member["network_id"], "security_groups": [],
        "fixed_ips": [{"subnet_id": member["fixed_ips"][0]["subnet_id"]}],
    }  # fmt: skip
    port = resources.ensure(site, "port", token, fields)
    seen = addresses.reserve(site, token, network_id, None, NAME)
    for _ in range(_SWAPS):
        try:
            return addresses.associate(site, seen, str(port["id"]), NAME)
        except Changed:
            seen = addresses.read(site, seen.id)
    said = f"modified concurrently {_SWAPS} times: stop the other writer and retry"
    raise Failed(site.name, f"associate floating IP {seen.id}", said, state=seen.status, seconds=0.0)


def remove(site: CloudSite, token: str) -> None:
    """Nothing is left of the witness of this token; none was there is as good."""
    resources.remove(site, "floating_ip", token)
    stretched.remove(site, "port", token, None)
