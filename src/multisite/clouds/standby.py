"""Volumes that are kept restored for a recovery to come: marked, judged, and taken over by the recovery.

A volume is known by its id, the token of the step that restored it and the digest of its restore point's manifest;
its name says nothing.  Whether somebody wrote to it in the meantime Cinder does not tell, but attaching, detaching and
whatever else changes its row moves ``updated_at`` (``cinder/db/sqlalchemy/models.py``, ``CinderBase``; changes of
metadata do not).  There is no incremental restore onto an older volume: ``ChunkedBackupDriver.restore`` writes the
whole chain, and Ceph's driver takes differences into a volume without extents only (``_diff_restore_allowed``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from multisite.clouds import resources, restore
from multisite.clouds.call import call
from multisite.clouds.connect import CloudSite
from multisite.clouds.resources import tokens
from multisite.clouds.resources.kinds import CINDER_VERSION

DESCRIPTION = "Warm standby of Multisite: do not attach or change it; it belongs to restore point"


@dataclass(frozen=True)
class KeptVolume:
    """What a volume has to be to be taken over.  ``id`` at the site; ``token``: of the step that restored it.

    ``digest``: of the manifest; ``updated_at``: when it was marked; backup, type and zone None: any.
    """

    id: str
    token: str
    digest: str
    size_gib: int
    backup_id: str | None = None
    updated_at: str | None = None
    volume_type: str | None = None
    availability_zone: str | None = None


def mark(site: CloudSite, volume_id: str, digest: str, restore_point_id: str) -> Mapping[str, Any]:
    """Say on a restored volume which restore point it is kept for; as Cinder shows it then.  Idempotent."""
    path, what = f"/volumes/{volume_id}", f"mark volume {volume_id}"
    metadata = {**resources.read(site, "volume", volume_id)["metadata"], tokens.STANDBY_KEY: digest}
    metadata.pop("readonly", None)  # Cinder shows it to administrators, and keeps it elsewhere
    described = {"volume": {"description": f"{DESCRIPTION} {restore_point_id}"}}
    for where, body in ((f"{path}/metadata", {"metadata": metadata}), (path, described)):
        _put(site, what, where, body)
    return resources.read(site, "volume", volume_id)


def unusable(row: Mapping[str, Any] | None, kept: KeptVolume, project_id: str) -> str | None:
    """Why a volume, as Cinder shows it (None: it has none of that id), must not be taken over; None: it may.

    ``project_id``: the one it has to be in.
    """
    if row is None:
        return "is gone"
    metadata = row.get("metadata") or {}
    if metadata.get(tokens.KEY) != kept.token or metadata.get(tokens.STANDBY_KEY) != kept.digest:
        return "is not marked as of this restore point"
    if kept.backup_id is not None and restore.restored_from(dict(row)) != kept.backup_id:
        return f"was not restored from backup {kept.backup_id}"
    if row.get("os-vol-tenant-attr:tenant_id", project_id) != project_id:
        return "is in another project"
    return _otherwise(row, kept)


def _otherwise(row: Mapping[str, Any], kept: KeptVolume) -> str | None:
    """Of one that is ours."""
    if row["status"] != "available":
        return f"is {row['status']}"
    if row["size"] != kept.size_gib:
        return f"has {row['size']} GiB, not {kept.size_gib}"
    for what, is_, wanted in (
        ("type", row.get("volume_type"), kept.volume_type),
        ("availability zone", row.get("availability_zone"), kept.availability_zone),
    ):
        if wanted is not None and is_ != wanted:
            return f"has the {what} {is_}, not {wanted}"
    if kept.updated_at is not None and row.get("updated_at") != kept.updated_at:
        return f"was attached or changed since it was restored, last at {row.get('updated_at')} UTC"
    return None


def take_over(
    site: CloudSite, token: str, kept: KeptVolume, wanted: restore.WantedVolume, *, fresh: bool
) -> str | None:
    """Make a kept volume that of this token, as ``wanted``; why not, when it may not be taken.

    Can be called again after any interruption: one that has the token is taken.  Raises what ``call`` raises.
    """
    row = resources.read_or_none(site, "volume", kept.id)
    mine = row is not None and (row.get("metadata") or {}).get(tokens.KEY) == token
    if not mine:
        if not fresh and resources.rows(site, "volume", token):
            return "was not usable before"  # and another one is being restored in its place
        if why := unusable(row, kept, site.project_id):
            return why
    assert row is not None
    if row["status"] != "available":
        return None  # a later step has attached it: the database is from before that
    restore.apply_attributes(site, token, dict(row), wanted)
    return None


def _put(site: CloudSite, what: str, path: str, body: Mapping[str, Any]) -> None:
    call(site, what, lambda: site.volume.put(path, json=body, microversion=CINDER_VERSION), idempotent=True)
