"""Neutron at the target: trunks, found by token or made with all their subports in one request.

Networking API v2, ``/trunks`` (neutron/services/trunk/plugin.py, rules.py): with most drivers no trunk is made or
deleted while its parent port is bound to a host; none that is disabled is deleted (TrunkDisabled), and no port that a
trunk has.
"""

from __future__ import annotations

from collections.abc import Mapping

from multisite.clouds import resources
from multisite.clouds.call import call
from multisite.clouds.connect import CloudSite
from multisite.domain.trunks import TrunkRecord


def ensure_trunk(
    site: CloudSite, token: str, record: TrunkRecord, ports: Mapping[str, str], *, fresh: bool = False
) -> str:
    """Find or make a trunk like the record; returns its id.  ``ports``: source id -> id here.

    Raises what ``call`` raises: ConflictInSite when one of the ports is in use, or when the MTU of a subport's network
    is larger than that of the parent's.
    """
    subports = [
        {
            "port_id": ports[one.port_id],
            "segmentation_type": one.segmentation_type,
            "segmentation_id": one.segmentation_id,
        }
        for one in record.subports
    ]
    fields = {
        "name": record.name,
        "port_id": ports[record.port_id],
        "sub_ports": subports,
        "admin_state_up": record.enabled,
    }
    row = resources.ensure(
        site, "trunk", token, fields, description=record.description, tags=record.tags, fresh=fresh
    )
    return str(row["id"])


def remove_trunk(site: CloudSite, token: str, known: str | None = None, *, late: bool = False) -> int:
    """As ``resources.remove``, one that is disabled, too.  Its ports stay."""
    return resources.remove(
        site, "trunk", token, known, late=late, delete=lambda one: delete_trunk(site, one)
    )


def delete_trunk(site: CloudSite, trunk_id: str) -> None:
    """Delete one, also one that is disabled; harmless when it is gone.  Its ports stay."""
    row = resources.read_or_none(site, "trunk", trunk_id)
    if row is None:
        return
    if not row["admin_state_up"]:
        what, body = f"enable trunk {trunk_id}, to delete it", {"trunk": {"admin_state_up": True}}
        call(site, what, lambda: site.network.put(f"/trunks/{trunk_id}", json=body), idempotent=True)
    resources.delete_one(site, "trunk", trunk_id)
