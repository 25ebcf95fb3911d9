"""Flavors of a site, for administrators: sizes, which are fixed, description and extra specs (Compute API, 2.61).

``access``: whether the project may use it; a public one is everybody's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from multisite.clouds import resources
from multisite.clouds.administrator import FLAVORS, administrator
from multisite.clouds.call import call, post, read_all
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import ConflictInSite, NotFoundInSite
from multisite.clouds.resources import tokens
from multisite.clouds.tenant_resources.extra_specs import set_specs
from multisite.domain.resource_sync import Record

_SIZES = {
    "vcpus": "vcpus", "ram": "ram", "disk": "disk", "swap": "swap", "rxtx_factor": "rxtx_factor",
    "ephemeral": "OS-FLV-EXT-DATA:ephemeral", "public": "os-flavor-access:is_public",
}  # fmt: skip
FIXED = frozenset({"name", *_SIZES})
_VERSION = "2.61"


def read(site: CloudSite) -> dict[str, Record]:
    """By id.  Two lists: of all there are, and of what the project may use, which Nova shows it alone."""
    what = "list the project's flavors"
    path, version = "/flavors/detail", _VERSION
    mine = read_all(site, what, lambda: site.compute, path, "flavors", microversion=version)
    usable = {row["id"] for row in mine}
    rows = resources.list_all(administrator(site, FLAVORS), "flavor")
    return {row["id"]: _record(row, usable) for row in rows}


def is_there(site: CloudSite, id: str) -> bool:
    return resources.read_or_none(administrator(site, FLAVORS), "flavor", id) is not None


def create(site: CloudSite, fields: Mapping[str, Any]) -> str:
    """With its description; extra specs and access come after.  A size that is not said is the site's default."""
    sizes = {theirs: fields[ours] for ours, theirs in _SIZES.items() if ours in fields}
    wanted = {"name": fields["name"], **sizes}
    if fields.get("description"):
        wanted["description"] = fields["description"]
    return str(resources.create(administrator(site, FLAVORS), "flavor", {"flavor": wanted})["id"])


def update(site: CloudSite, id: str, fields: Mapping[str, Any]) -> None:
    admin, path = administrator(site, FLAVORS), f"/flavors/{id}"
    if "description" in fields:
        body = {"flavor": {"description": fields["description"] or None}}
        what = f"describe flavor {id}"
        call(site, what, lambda: admin.compute.put(path, json=body, microversion=_VERSION), idempotent=True)
    if "extra_specs" in fields:
        there = _own_specs(resources.read(admin, "flavor", id))
        set_specs(
            admin, lambda: admin.compute, f"{path}/os-extra_specs", there, fields["extra_specs"], microversion=_VERSION
        )  # fmt: skip
    if "access" in fields:
        _set_access(site, admin, id, gives=fields["access"])


def delete(site: CloudSite, id: str) -> None:
    """Servers keep what they have of it."""
    resources.delete_one(administrator(site, FLAVORS), "flavor", id)


def _set_access(site: CloudSite, admin: CloudSite, id: str, *, gives: bool) -> None:
    """Of the project alone; others keep theirs.  Given or taken already is as wanted."""
    name = "addTenantAccess" if gives else "removeTenantAccess"
    what = f"{'give the project' if gives else 'take from the project'} the private flavor {id}"
    body = {name: {"tenant": site.project_id}}
    with suppress(ConflictInSite, NotFoundInSite):
        path = f"/flavors/{id}/action"
        post(admin, what, lambda: admin.compute, path, body, microversion=_VERSION, idempotent=True)


def _record(row: Mapping[str, Any], usable: Collection[str]) -> Record:
    fields: dict[str, Any] = {ours: row.get(theirs) or 0 for ours, theirs in _SIZES.items()}
    public = bool(row.get(_SIZES["public"], True))
    fields |= {
        "name": row["name"], "public": public, "description": row.get("description") or "",
        "extra_specs": _own_specs(row), "access": public or row["id"] in usable,
    }  # fmt: skip
    notes = () if public else ("which other projects may use a private flavor is not carried",)
    return Record(row["id"], row["name"], fields, notes, _of_a_recovery(row))


def _own_specs(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: value for key, value in (row.get("extra_specs") or {}).items() if not tokens.is_our_spec(key)
    }


def _of_a_recovery(row: Mapping[str, Any]) -> bool:
    return tokens.is_token(row.get("description")) or any(
        map(tokens.is_our_spec, row.get("extra_specs") or ())
    )
