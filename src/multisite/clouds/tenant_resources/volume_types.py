"""Volume types of a site, for administrators: name, description, extra specs (Block Storage API v3).

Which backend a type is of is the site's own (``volume_backend_name``); encryption and QoS specs are objects by
themselves, and told of.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from multisite.clouds.administrator import PRIVATE_TYPES, TYPE_ENCRYPTION, administrator
from multisite.clouds.call import call, post, read_all, read_one
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite
from multisite.clouds.tenant_resources.extra_specs import set_specs
from multisite.domain.resource_sync import Record

OF_THE_SITE = frozenset({"volume_backend_name", "RESKEY:availability_zones"})
"""Extra specs that name what a site has: neither carried nor touched."""
_VERSION = "3.43"
_PUBLIC = "os-volume-type-access:is_public"


def read(site: CloudSite) -> dict[str, Record]:
    """By id, private ones too."""
    admin = administrator(site, PRIVATE_TYPES)
    rows = read_all(
        admin, "list volume types", lambda: admin.volume, "/types", "volume_types", microversion=_VERSION,
        is_public="None",
    )  # fmt: skip
    return {row["id"]: _record(row) for row in rows}


def told(site: CloudSite, records: Mapping[str, Record]) -> dict[str, str]:
    """By id what of a type is not carried and in no list, at a request for each: that it is encrypted.

    A type that is made without it keeps what it has in the clear.  Raises what ``call`` raises.
    """
    admin, found = administrator(site, TYPE_ENCRYPTION), {}
    for id, record in records.items():
        with suppress(NotFoundInSite):  # deleted since it was listed
            what, path = f"read the encryption of volume type {record.name}", f"/types/{id}/encryption"
            said = read_one(admin, what, lambda: admin.volume, path, microversion=_VERSION)
            if said.get("provider"):
                found[id] = (
                    f"its encryption ({said['provider']}, {said.get('cipher')}, {said.get('control_location')}) is not "
                    "carried: set it at the targets before a volume has the type"
                )
    return found


def is_there(site: CloudSite, id: str) -> bool:
    with suppress(NotFoundInSite):
        _one(administrator(site, PRIVATE_TYPES), id)
        return True
    return False


def create(site: CloudSite, fields: Mapping[str, Any]) -> str:
    """Without extra specs: they come after.  What is not said is the site's default."""
    admin = administrator(site, PRIVATE_TYPES)
    theirs = {"name": "name", "description": "description", "public": _PUBLIC}
    wanted = {name: fields[ours] for ours, name in theirs.items() if ours in fields}
    body, what = {"volume_type": wanted}, f"create volume type {fields['name']}"
    made = post(admin, what, lambda: admin.volume, "/types", body, microversion=_VERSION)
    return str(made["volume_type"]["id"])


def update(site: CloudSite, id: str, fields: Mapping[str, Any]) -> None:
    admin, path = administrator(site, PRIVATE_TYPES), f"/types/{id}"
    changed = {n: fields[n] for n in ("name", "description") if n in fields}
    if "public" in fields:
        changed["is_public"] = fields["public"]
    if changed:
        body, what = {"volume_type": changed}, f"change volume type {id}"
        call(admin, what, lambda: admin.volume.put(path, json=body, microversion=_VERSION), idempotent=True)
    if "extra_specs" in fields:
        there = _record(_one(admin, id)).fields["extra_specs"]
        set_specs(
            admin, lambda: admin.volume, f"{path}/extra_specs", there, fields["extra_specs"], microversion=_VERSION
        )  # fmt: skip


def delete(site: CloudSite, id: str) -> None:
    """Refused while volumes have it."""
    admin = administrator(site, PRIVATE_TYPES)
    with suppress(NotFoundInSite):
        path = f"/types/{id}"
        call(admin, f"delete volume type {id}", lambda: admin.volume.delete(path), idempotent=True)


def _one(admin: CloudSite, id: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = read_one(
        admin,
        f"read volume type {id}",
        lambda: admin.volume,
        f"/types/{id}",
        "volume_type",
        microversion=_VERSION,
    )
    return found


def _record(row: Mapping[str, Any]) -> Record:
    specs = {k: v for k, v in (row.get("extra_specs") or {}).items() if k not in OF_THE_SITE}
    fields = {
        "name": row["name"], "description": row.get("description") or "", "public": bool(row.get("is_public", True)),
        "extra_specs": specs,
    }  # fmt: skip
    notes = ("its QoS specs are not carried",) if row.get("qos_specs_id") else ()
    return Record(row["id"], row["name"], fields, notes)
