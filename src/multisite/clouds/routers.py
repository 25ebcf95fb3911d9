"""Neutron: subnets attached to a router and taken from it; removing a router with its subnets.

Networking API v2, ``/routers`` and its ``add_router_interface``/``remove_router_interface`` (neutron/db/l3_db.py): the
first answers 400 when the router has a port in the subnet already, the second 404 when it has none.
"""

from __future__ import annotations

from multisite.clouds import resources
from multisite.clouds.call import call
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, Refused


def attach(site: CloudSite, router_id: str, subnet_id: str) -> None:
    """Give the router the subnet's gateway address; idempotent.  Raises what ``call`` raises."""
    if attached(site, router_id, subnet_id):
        return
    what = f"attach subnet {subnet_id} to router {router_id}"
    path, body = f"/routers/{router_id}/add_router_interface", {"subnet_id": subnet_id}
    try:
        resources.look_again(
            lambda: call(site, what, lambda: site.network.put(path, json=body)),
            lambda: attached(site, router_id, subnet_id) or None,
        )
    except Refused:
        if not attached(site, router_id, subnet_id):  # else a request of before has come through meanwhile
            raise


def attached(site: CloudSite, router_id: str, subnet_id: str) -> bool:
    """Whether a port of the router is in the subnet; of distributed and highly available routers too."""
    rows = resources.list_all(site, "port", device_id=router_id)
    return any(
        ip["subnet_id"] == subnet_id
        for row in rows
        if row["device_id"] == router_id
        for ip in row["fixed_ips"]
    )


def detach(site: CloudSite, router_id: str, subnet_id: str) -> None:
    """Take the subnet from the router; harmless when it is not there.  ConflictInSite while floating IPs need it."""
    what = f"detach subnet {subnet_id} from router {router_id}"
    path, body = f"/routers/{router_id}/remove_router_interface", {"subnet_id": subnet_id}
    try:
        call(site, what, lambda: site.network.put(path, json=body), idempotent=True)
    except NotFoundInSite:
        return


def remove(site: CloudSite, token: str, known: str | None, *subnet_ids: str, late: bool = False) -> None:
    """Delete what carries the token (and ``known``), these subnets taken from it before.

    ConflictInSite while it has others: those are somebody else's.  ``late``: a request whose answer was lost may still
    take effect: look a second time.
    """

    def delete(router_id: str) -> None:
        for subnet_id in subnet_ids:
            detach(site, router_id, subnet_id)
        resources.delete_one(site, "router", router_id)

    resources.remove(site, "router", token, known, late=late, delete=delete)
