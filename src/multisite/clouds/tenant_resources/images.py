"""The project's images: what they say, and the digest of their data (Image API v2).  Copying them is not done here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from multisite.clouds import image_copies
from multisite.clouds.connect import CloudSite
from multisite.domain.image_copy import OTHER_IMAGES, Words, digest_of, obstacle, wanted
from multisite.domain.resource_sync import Record

FIXED = frozenset({"digest", "disk_format", "container_format"})
_PLAIN = ("disk_format", "container_format", "min_disk", "min_ram")


def read(site: CloudSite) -> dict[str, Record]:
    """Active ones, by id; one that cannot be copied is told of and left alone."""
    return {row["id"]: _record(row) for row in image_copies.of_project(site) if row.get("status") == "active"}


def is_there(site: CloudSite, id: str) -> bool:
    return image_copies.read_or_none(site, id) is not None


def create(site: CloudSite, fields: Mapping[str, Any]) -> str:
    """Never asked for: an image is copied from its site."""
    raise AssertionError(f"image {fields['name']} of {site.name} is copied, not made")


def update(site: CloudSite, id: str, fields: Mapping[str, Any]) -> None:
    row = image_copies.read(site, id)
    plain = {name: value for name, value in fields.items() if name not in ("properties", *FIXED)}
    properties = fields.get("properties")
    known = wanted(row, Words(publish=True)).made
    gone = [] if properties is None else [n for n in known if n not in _PLAIN and n not in properties]
    image_copies.change(site, id, {**plain, **(properties or {})}, row, gone)


def delete(site: CloudSite, id: str) -> None:
    image_copies.remove(site, id)


def translated(record: Record, ids: Mapping[str, str]) -> Record:
    """With the kernel and the RAM disk it names called by other ids."""
    return replace(record, fields=in_words(ids, record.fields))


def in_words(ids: Mapping[str, str], fields: Mapping[str, Any]) -> dict[str, Any]:
    if "properties" not in fields:
        return dict(fields)
    named = {n: ids.get(v, v) if n in OTHER_IMAGES else v for n, v in fields["properties"].items()}
    return {**fields, "properties": named}


def named(fields: Mapping[str, Any]) -> set[str]:
    """The ids of the images that it boots with."""
    return {value for name, value in fields.get("properties", {}).items() if name in OTHER_IMAGES}


def _record(row: Mapping[str, Any]) -> Record:
    want = wanted(row, Words())
    properties = {name: value for name, value in want.made.items() if name not in _PLAIN}
    fields = {
        **{name: want.made[name] for name in _PLAIN}, **want.shown, "properties": properties, "digest": digest_of(row),
    }  # fmt: skip
    why = obstacle(row)
    notes = want.notes if why is None else (why,)
    return Record(
        row["id"], str(row.get("name") or ""), fields, notes, why is not None, tuple(row.get("tags") or ())
    )
