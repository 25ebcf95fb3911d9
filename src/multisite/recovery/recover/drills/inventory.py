"""What a project has in a site, before a drill and after it: counted, and told apart by whose it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from multisite.clouds import resources
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import SiteError
from multisite.clouds.resources import KINDS, Kind, tokens
from multisite.clouds.resources.kinds import label
from multisite.domain.drill import Difference, InventoryResult, KindCount
from multisite.domain.fence import FencedThreads

COUNTED: tuple[Kind, ...] = (
    "server", "server_group", "keypair", "flavor", "volume", "snapshot", "backup", "network", "subnet", "port",
    "router", "floating_ip", "security_group", "trunk", "image",
)  # fmt: skip
READERS = 8
_SERVICES = {"compute": "Nova", "volume": "Cinder", "network": "Neutron", "image": "Glance"}
_OWNERS = ("project_id", "tenant_id", "os-vol-tenant-attr:tenant_id", "owner")
_OF_A_JOB = re.compile(r"-drill-[0-9a-f]{8}$|-ms-[0-9a-f]{8}-[0-9a-f]{8}$")
_NEUTRONS = "network:"
"""Begins the owners of ports that Neutron has made for DHCP, routers and floating IPs: they come and go with these."""


@dataclass(frozen=True)
class Thing:
    """``whose``: the job whose token it has, "another" for one whose name alone tells of one, "" for other people's."""

    name: str
    whose: str = ""


@dataclass(frozen=True)
class Inventory:
    """By kind, by id; ``unknown``: kind -> why it could not be read."""

    things: dict[str, dict[str, Thing]] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)


def read(site: CloudSite, job_id: str, label_of_drill: str) -> Inventory:
    """Everything of the project.  A kind that cannot be read is unknown, and never empty.

    ``label_of_drill``: what names of this drill's things end with.
    """
    readers: dict[str, Callable[[], dict[str, Thing]]] = {
        kind: _reader(site, kind, job_id, label_of_drill) for kind in COUNTED
    }
    with FencedThreads(READERS, thread_name_prefix="inventory") as pool:
        running = {kind: pool.submit(_or_error, reader) for kind, reader in readers.items()}
        found = {kind: future.result() for kind, future in running.items()}
    return Inventory(
        {kind: things for kind, things in found.items() if not isinstance(things, str)},
        {kind: why for kind, why in found.items() if isinstance(why, str)},
    )


def _or_error(reader: Callable[[], dict[str, Thing]]) -> dict[str, Thing] | str:
    try:
        return reader()
    except SiteError as error:
        return str(error)


def _reader(site: CloudSite, kind: Kind, job_id: str, own: str) -> Callable[[], dict[str, Thing]]:
    def read_kind() -> dict[str, Thing]:
        rows = [row for row in resources.list_all(site, kind) if _counts(site, kind, row)]
        return {str(row.get("id") or row["name"]): _thing(kind, row, job_id, own) for row in rows}

    return read_kind


def _counts(site: CloudSite, kind: Kind, row: Mapping[str, Any]) -> bool:
    """Of the project, as far as the service says whose it is; administrators are shown more."""
    owner = next((row[key] for key in _OWNERS if row.get(key)), None)
    ours = kind == "flavor" or owner in (None, site.project_id)
    return ours and not (kind == "port" and str(row.get("device_owner") or "").startswith(_NEUTRONS))


def _thing(kind: Kind, row: Mapping[str, Any], job_id: str, own: str) -> Thing:
    name = str(row.get("name") or "")
    if tokens.carries_of_job(kind, row, job_id) or (own and name.endswith(own)):
        return Thing(name, job_id)
    others = [token.split(":")[1] for token in tokens.read(kind, row)]
    return Thing(name, others[0] if others else "another" if _OF_A_JOB.search(name) else "")


def compare(before: Inventory, after: Inventory, job_id: str, records: Iterable[str]) -> InventoryResult:
    """``records``: ids of backups that a drill imports, and that stay."""
    stay = set(records)
    left: list[Difference] = []
    gone: list[Difference] = []
    others: list[Difference] = []
    kept: list[Difference] = []
    for kind in COUNTED:
        was, now = before.things.get(kind), after.things.get(kind)
        if was is None or now is None:
            continue
        for id in sorted(now.keys() - was.keys()):
            known = Difference(kind, id, now[id].name)
            if kind == "backup" and id in stay:
                kept.append(known)
            else:
                (left if now[id].whose == job_id else others).append(known)
        for id in sorted(was.keys() - now.keys()):
            known = Difference(kind, id, was[id].name)
            (others if was[id].whose not in ("", job_id) else gone).append(known)
    counts = tuple(_count(kind, before, after) for kind in COUNTED)
    return InventoryResult(counts, tuple(left), tuple(gone), tuple(others), tuple(kept))


def _count(kind: Kind, before: Inventory, after: Inventory) -> KindCount:
    service = _SERVICES[KINDS[kind].service]
    was, now = before.things.get(kind), after.things.get(kind)
    both = (("before", before), ("after", after))
    whys = [f"{when}: {found.unknown[kind]}" for when, found in both if kind in found.unknown]
    return KindCount(
        service,
        label(kind),
        None if was is None else len(was),
        None if now is None else len(now),
        "; ".join(whys),
    )
