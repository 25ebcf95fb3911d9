"""Images that are replicated to other sites, as data: what a copy must be, and what is told of what it is not.

Pure.  Rows are Glance's (Image API reference v2, show image).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

Row = Mapping[str, Any]


class ReplicationState(StrEnum):
    """``SENTENCES`` has what an operator can rely on."""

    COPYING = "copying"
    DONE = "done"
    STOPPED = "stopped"
    REMOVING = "removing"
    FAILED = "failed"


SENTENCES: Mapping[ReplicationState, str] = {
    ReplicationState.COPYING: "being copied; a copy is hidden until its digest is that of the source",
    ReplicationState.DONE: "every target had it with the digest of the source when the job ended",
    ReplicationState.STOPPED: "some target lacks it, the error says which: resume the job, or delete this",
    ReplicationState.REMOVING: "the copies that it made are being removed",
    ReplicationState.FAILED: "undone: none of the copies that it made is left; delete it",
}


class CopyState(StrEnum):
    WAITING = "waiting"
    READY = "ready"  # verified, and shown as the source is
    FOUND = "found"  # was there before; it is not this replication's to remove
    FAILED = "failed"


@dataclass(frozen=True)
class ImageCopy:
    """One target.  ``image_id``: of the copy, or of the image that was found there."""

    site: str
    site_project_id: str = ""
    image_id: str | None = None
    state: CopyState = CopyState.WAITING
    why: str | None = None


@dataclass(frozen=True)
class ImageReplication:
    """``size`` in bytes; ``digest``: ``sha512:<hex>`` as the source's Glance has it; ``notes``: what is not carried."""

    id: str
    project_id: str
    source_site: str
    image_id: str
    image_name: str
    size: int
    digest: str
    copies: tuple[ImageCopy, ...]
    notes: tuple[str, ...]
    state: ReplicationState
    job_id: str
    requested_by: str
    created_at: datetime
    error: str | None = None

    @property
    def sentence(self) -> str:
        """What an operator can rely on."""
        return SENTENCES[self.state]

    @property
    def target_sites(self) -> list[str]:
        return [copy.site for copy in self.copies]


@dataclass(frozen=True)
class Wanted:
    """What an image is at a target: ``made`` with these fields, ``shown`` with those once it is verified."""

    made: Mapping[str, Any]
    shown: Mapping[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Words:
    """What whoever asks may have: ``publish``: images all projects see; ``images``: ids at the target by those here."""

    publish: bool = False
    images: Mapping[str, str] = field(default_factory=dict)


BASE = frozenset({
    "id", "name", "status", "owner", "visibility", "protected", "tags", "self", "file", "schema", "size",
    "virtual_size", "min_disk", "min_ram", "disk_format", "container_format", "checksum", "os_hash_algo",
    "os_hash_value", "os_hidden", "created_at", "updated_at", "direct_url", "locations", "stores",
})  # fmt: skip
"""``glance/api/v2/images.py: get_base_properties``; all others are properties of whoever made the image."""
OTHER_IMAGES = ("kernel_id", "ramdisk_id")
_OF_NOVA = frozenset({
    "base_image_ref", "instance_uuid", "user_id", "image_location", "image_state", "owner_id", "owner_project_name",
    "owner_user_name", "boot_roles",
})  # fmt: skip
"""Of a server's snapshot: ids of its site (nova/compute/api.py, ``snapshot``); they name nothing elsewhere."""
_KEYS = ("img_signature_certificate_uuid", "cinder_encryption_key_id")
"""Properties that name a secret of the site's Barbican."""


def wanted(row: Row, may: Words) -> Wanted:
    """What the copy of an image is to be.  Its owner is the project that it is copied into."""
    made: dict[str, Any] = {k: row.get(k) for k in ("disk_format", "container_format", "min_disk", "min_ram")}
    notes: list[str] = []
    for name, value in sorted(row.items()):
        if name in BASE or value is None or name.startswith("os_glance"):
            continue
        if name in _OF_NOVA:
            notes.append(f"property {name}: an id of the source's site, not carried")
        elif name in _KEYS:
            notes.append(f"property {name}: names a secret of the source's site, not carried")
        else:
            made[name] = may.images.get(str(value), value) if name in OTHER_IMAGES else value
    visibility = str(row.get("visibility") or "shared")
    if visibility in ("public", "community") and not may.publish:
        notes.append(
            f"visibility: {visibility} at the source, private here: publishing is an administrator's"
        )
        visibility = "private"
    if visibility == "shared":
        notes.append("members: an image's members are projects of its site, not carried")
    shown = {
        "name": row.get("name"), "visibility": visibility, "os_hidden": bool(row.get("os_hidden")),
        "protected": bool(row.get("protected")), "tags": sorted(row.get("tags") or ()),
    }  # fmt: skip
    return Wanted(made, shown, tuple(notes))


def obstacle(row: Row) -> str | None:
    """Why an image cannot be copied at all, and what to do; None: it can."""
    name = row.get("name") or row["id"]
    if row.get("status") != "active":
        return f"image {name}: it is {row.get('status')}: only an active one has data to copy"
    if row.get("block_device_mapping") and not row.get("size"):
        return (
            f"image {name}: it has no data, it names volume snapshots of its site: protect the server, "
            "or make an image of its volume with `openstack image create --volume`"
        )
    if row.get("cinder_encryption_key_id"):
        return f"image {name}: it is encrypted with a key of its site, which would not be found elsewhere"
    if digest_of(row) is None:
        return f"image {name}: its Glance has no digest of it, so no copy could be verified: upload it again"
    return None


def digest_of(row: Row) -> str | None:
    """``<algorithm>:<hex>``; None when Glance has none that we can compute."""
    algorithm, value = row.get("os_hash_algo"), row.get("os_hash_value")
    if algorithm and value and algorithm in hashlib.algorithms_available:
        return f"{algorithm}:{value}"
    return f"md5:{row['checksum']}" if row.get("checksum") else None


def has_data(row: Row, digest: str | None) -> bool:
    """Whether an image is active, with data of this digest as ``digest_of`` gives it."""
    return row.get("status") == "active" and digest_of(row) == digest


def same_data(row: Row, digests: Mapping[str, str]) -> bool | None:
    """Whether a row's data are those with ``digests`` (hex by algorithm); None: by none of them can that be told."""
    if (ours := digests.get(str(row.get("os_hash_algo")))) is not None and row.get("os_hash_value"):
        return bool(row["os_hash_value"] == ours)
    if (ours := digests.get("md5")) is not None and row.get("checksum"):
        return bool(row["checksum"] == ours)
    return None


def differences(row: Row, want: Wanted) -> dict[str, tuple[Any, Any]]:
    """By field: what it is and what it is to be.  Properties that others have put on the copy stay."""
    told = {**want.made, **want.shown}
    found = {name: (_plain(name, row.get(name)), value) for name, value in told.items()}
    return {name: pair for name, pair in found.items() if pair[0] != _plain(name, pair[1])}


def _plain(name: str, value: Any) -> Any:
    return sorted(value or ()) if name == "tags" else value


def copy_id(token: str, site: str, attempt: int) -> str:
    """The id of a copy, made of the job's token: found again whatever died in between.

    Glance never gives the id of a deleted image to another one, so each attempt has its own.
    """
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{token}:{site}:{attempt}"))
