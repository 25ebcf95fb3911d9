"""Ports of stretched networks as Neutron shows them, and remote ports: made, changed, removed.

Few calls: one list of all ports of all networks asked for, not a call per port.  Source of the attribute
``tunneling_ip`` and of the refusals: ``plugins/neutron`` (API extension ``remote-port``).  A remote port carries its
token ``multisite:<stretched network>:<site>/<real port>`` in its description, which every release takes in the create
request, and as a tag where ports take tags when they are made (extension ``tag-ports-during-bulk-creation``, an ML2
extension driver; the extension ``tag-creation`` is another thing: many tags by one later request).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from multisite.clouds import resources
from multisite.clouds.call import call, read_all
from multisite.clouds.connect import CloudSite
from multisite.clouds.resources import tokens
from multisite.domain.stretched import REMOTE_OWNER, PortFact, SitePorts

Row = dict[str, Any]
IDS_PER_LIST = 40
"""Network ids in one query: the URL stays under 2 KiB."""
_FIELDS = (
    "id", "name", "network_id", "mac_address", "fixed_ips", "device_owner", "device_id", "tunneling_ip",
    "binding:host_id", "security_groups", "allowed_address_pairs", "port_security_enabled", "tags", "description",
)  # fmt: skip


def token_of(network: str, site: str, real_id: str) -> str:
    """What a remote port is found by."""
    return tokens.checked(f"multisite:{network}:{site}/{real_id}")


def read_ports(site: CloudSite, wanted: Mapping[str, tuple[str, str]]) -> dict[str, SitePorts | None]:
    """The ports of some networks of a site: stretched network id -> its ports here.

    ``wanted``: stretched network id -> (network id here, project id).  A network that is not there any more gives None:
    its ports are unknown, not none. Raises what ``call`` raises: then nothing is known.
    """
    by_network = {network_id: stretched for stretched, (network_id, _) in wanted.items()}
    there = {row["id"] for row in _in_parts(site, "networks", "id", list(by_network), ("id",))}
    subnets = _in_parts(site, "subnets", "network_id", list(by_network), ("id", "cidr", "network_id"))
    groups = _groups(site, {project for _, project in wanted.values()})
    by_id = {row["id"]: row["name"] for row in groups}
    moment = datetime.now(UTC)
    rows = _in_parts(site, "ports", "network_id", list(by_network), _FIELDS)
    found: dict[str, SitePorts | None] = {}
    for stretched, (network_id, project) in wanted.items():
        if network_id not in there:
            found[stretched] = None
            continue
        ports = tuple(fact(r, stretched, by_id) for r in rows if r["network_id"] == network_id)
        named = {r["name"]: r["id"] for r in groups if r["project_id"] == project}
        here = {r["cidr"]: r["id"] for r in subnets if r["network_id"] == network_id}
        found[stretched] = SitePorts(site.name, moment, ports, named, here)
    return found


def _groups(site: CloudSite, projects: set[str]) -> list[Row]:
    fields = ["id", "name", "project_id"]
    found = [
        row
        for project in sorted(projects)
        for row in resources.list_all(site, "security_group", project_id=project, fields=fields)
    ]
    # Names need not be unique: of several groups the same one is taken every time.
    return sorted(found, key=lambda row: str(row["id"]), reverse=True)


def _in_parts(site: CloudSite, kind: str, key: str, ids: Sequence[str], fields: Sequence[str]) -> list[Row]:
    found: list[Row] = []
    for first in range(0, len(ids), IDS_PER_LIST):
        part = list(ids[first : first + IDS_PER_LIST])
        query: dict[str, Any] = {key: part, "fields": list(fields)}
        found += read_all(site, f"list {kind}", lambda: site.network, f"/{kind}", kind, **query)
    return found


def fact(row: Mapping[str, Any], network: str, groups: Mapping[str, str]) -> PortFact:
    """A port as a value.  ``groups``: names of security groups by id; a group of another project keeps its id."""
    remote = row["device_owner"] == REMOTE_OWNER
    of_site, ours = _of_site(row, network) if remote else ("", False)
    pairs = ((p["ip_address"], p.get("mac_address", "")) for p in row.get("allowed_address_pairs") or ())
    return PortFact(
        id=row["id"],
        mac=str(row["mac_address"]).lower(),
        addresses=tuple(sorted(ip["ip_address"] for ip in row["fixed_ips"])),
        owner=row["device_owner"],
        endpoint=row.get("tunneling_ip") or None,
        host=row.get("binding:host_id") or "",
        name=row.get("name") or "",
        groups=tuple(sorted(groups.get(g, g) for g in row.get("security_groups") or ())),
        pairs=tuple(sorted(pairs)),
        secured=row.get("port_security_enabled") is not False,
        stands_for=row["device_id"] if remote else "",
        of_site=of_site,
        ours=ours,
    )


def _of_site(row: Mapping[str, Any], network: str) -> tuple[str, bool]:
    prefix = tokens.job_prefix(network)
    for mark in (*row.get("tags", ()), row.get("description") or ""):
        if mark.startswith(prefix) and mark.endswith(f"/{row['device_id']}"):
            return mark[len(prefix) : -len(row["device_id"]) - 1], True
    return "", False


def exists(site: CloudSite, port_id: str, network: str, groups: Mapping[str, str]) -> PortFact | None:
    """A port by its id; None only when the site said that there is no such port."""
    row = resources.read_or_none(site, "port", port_id)
    return None if row is None else fact(row, network, groups)


def create(site: CloudSite, network_id: str, token: str, fields: Mapping[str, Any], *, tags: bool) -> Row:
    """Make a remote port by one request.

    ``fields``: ``tunneling_ip``, ``mac_address``, ``fixed_ips``, ``device_id`` ... as Neutron takes them.  Raises
    ConflictInSite (an address or MAC address is in use), Refused (the message names the field), OverQuota,
    UnknownOutcome: the next read shows whether it was made.
    """
    body = {
        **fields,
        "network_id": network_id,
        "device_owner": REMOTE_OWNER,
        "description": tokens.checked(token),
        **({"tags": [token]} if tags else {}),
    }
    what = f"create remote port {fields.get('name', '')}"
    made: Row = call(site, what, lambda: site.network.post("/ports", json={"port": body})).json()["port"]
    return made


def update(site: CloudSite, port_id: str, fields: Mapping[str, Any]) -> None:
    """Change a remote port; idempotent.  NotFoundInSite when it is gone."""
    what = f"update remote port {port_id}"
    body = {"port": dict(fields)}
    call(site, what, lambda: site.network.put(f"/ports/{port_id}", json=body), idempotent=True)


def delete(site: CloudSite, port_id: str) -> None:
    """Remove a remote port; one that is gone already is fine."""
    resources.delete_one(site, "port", port_id)


def of_network(site: CloudSite, network_id: str, network: str) -> list[str]:
    """Ids of our remote ports in a network of a site."""
    rows = resources.list_all(site, "port", network_id=network_id, device_owner=REMOTE_OWNER)
    return [row["id"] for row in rows if _of_site(row, network)[1]]
