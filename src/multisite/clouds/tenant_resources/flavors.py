"""Flavors of a site, for administrators: sizes, which are fixed, description and extra specs (Compute API, 2.61)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multisite.clouds import resources
from multisite.clouds.administrator import FLAVORS, administrator
from multisite.clouds.call import call
from multisite.clouds.connect import CloudSite
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
    """By id.  That a private one is for some projects only is told."""
    return {row["id"]: _record(row) for row in resources.list_all(administrator(site, FLAVORS), "flavor")}


def is_there(site: CloudSite, id: str) -> bool:
    return resources.read_or_none(administrator(site, FLAVORS), "flavor", id) is not None


def create(site: CloudSite, fields: Mapping[str, Any]) -> str:
    """With its description; the extra specs come after.  A size that is not said is the site's default."""
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


def delete(site: CloudSite, id: str) -> None:
    """Servers keep what they have of it."""
    resources.delete_one(administrator(site, FLAVORS), "flavor", id)


def _record(row: Mapping[str, Any]) -> Record:
    fields: dict[str, Any] = {ours: row.get(theirs) or 0 for ours, theirs in _SIZES.items()}
    public = bool(row.get(_SIZES["public"], True))
    fields |= {
        "name": row["name"], "public": public, "description": row.get("description") or "",
        "extra_specs": _own_specs(row),
    }  # fmt: skip
    notes = () if public else ("which projects have access to a private flavor is not carried",)
    return Record(row["id"], row["name"], fields, notes, _of_a_recovery(row))


def _own_specs(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        key: value for key, value in (row.get("extra_specs") or {}).items() if not tokens.is_our_spec(key)
    }


def _of_a_recovery(row: Mapping[str, Any]) -> bool:
    return tokens.is_token(row.get("description")) or any(
        map(tokens.is_our_spec, row.get("extra_specs") or ())
    )
