"""Cinder: snapshots, group snapshots, volumes from snapshots, backups.  All found or made by token.

A backup is one of the *original* volume with ``snapshot_id``, not of a volume made from the snapshot. Cinder finds the
parent of an incremental among the backups with the same volume id (``cinder/backup/api.py``, ``API.create``:
``BackupList.get_all_by_volume``), and a temporary volume has a new one each time: every backup would be a full one.
With ``snapshot_id`` Cinder makes the volume from the snapshot itself where the driver needs one
(``BaseVD._get_backup_volume_temp_volume``, RBD too), reads that, and removes it.
"""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from multisite.clouds import resources
from multisite.clouds.administrator import EXPORT_RECORD, GROUP_SPECS, STOP_BACKUP, administrator
from multisite.clouds.call import call
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, Refused, UnknownOutcome
from multisite.clouds.quiesce import answer_within
from multisite.clouds.resources import Kind, tokens
from multisite.clouds.resources.kinds import CINDER_VERSION, label
from multisite.clouds.waiting import wait_gone, wait_until

_BROKEN = ("error", "error_restoring", "error_extending", "error_managing")
_DETACH_SECONDS = 60.0
"""So long a volume may still be in use after its server is gone."""
_REFUSALS = 5
"""So often a deletion may come at a wrong moment before its refusal counts."""

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """``group_snapshot_id`` is set when it is part of a group snapshot and can only be deleted with it."""

    id: str
    volume_id: str
    status: str
    size_gib: int
    group_snapshot_id: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True)
class GroupSnapshot:
    id: str
    group_id: str
    status: str


@dataclass(frozen=True)
class Backup:
    """``data_at``: the moment its data shows (its snapshot's creation), UTC, by Cinder's clock."""

    id: str
    volume_id: str
    status: str
    incremental: bool
    size_gib: int
    snapshot_id: str | None
    created_at: datetime
    data_at: datetime
    has_dependants: bool = False
    fail_reason: str | None = None
    token: str | None = None


def create_snapshot(site: CloudSite, token: str, volume_id: str, name: str, within: float) -> Snapshot:
    """Ask for a snapshot of a volume, attached or not; returns at once, mostly "creating".

    It does not look for one first: inside a frozen window every call counts, so the caller looks before
    (``snapshots_by_token``).  ``within``: seconds the answer may take.  Raises what ``call`` raises.
    """
    fields = tokens.mark("snapshot", token, {"volume_id": volume_id, "name": name, "force": True})
    what, limits = f"snapshot volume {volume_id}", answer_within(site, within)
    return _snapshot(resources.create(site, "snapshot", {"snapshot": fields}, what, **limits))


def snapshots_named(site: CloudSite, name: str, within: float) -> list[Snapshot]:
    """The snapshots of this name in our project, by one call: what polling uses.

    ``within``: seconds the answer may take.
    """
    what, query = f"list snapshots {name}", {"name": name}
    answer = call(
        site,
        what,
        lambda: site.volume.get(
            "/snapshots/detail", params=query, microversion=CINDER_VERSION, **answer_within(site, within)
        ),
    )
    # A Cinder whose deployer took "name" from the filters answers all of them.
    return [_snapshot(row) for row in answer.json()["snapshots"] if row["name"] == name]


def snapshots_by_token(site: CloudSite, wanted: Collection[str]) -> list[Snapshot]:
    """The snapshots that carry exactly one of these tokens."""
    return [_snapshot(row) for row in resources.list_all(site, "snapshot") if _token(row) in wanted]


def delete_snapshot(site: CloudSite, snapshot_id: str, timeout: float = 300) -> None:
    """Delete a snapshot, once nobody reads it any more, and wait until it is gone; harmless when it is.

    Raises Failed, TimedOut, and what ``call`` raises.
    """
    delete(site, "snapshot", snapshot_id, timeout)


def consistent_group(site: CloudSite, volume_ids: Collection[str]) -> str | None:
    """The Cinder group these volumes, and no others, make up, if its type takes consistent snapshots.

    None when they are in none, in several, or we may not see the type's specs: then snapshot each.
    """
    what = "read the volumes' groups"
    wanted = set(volume_ids)
    rows = resources.list_all(site, "volume")
    groups = {row.get("group_id") for row in rows if row["id"] in wanted}
    if len(groups) != 1 or None in groups:
        return None
    group_id = str(groups.pop())
    if {row["id"] for row in rows if row.get("group_id") == group_id} != wanted:
        return None
    try:
        group = _get(site, what, f"/groups/{group_id}")["group"]
        admin = administrator(site, GROUP_SPECS)
        kind = _get(admin, what, f"/group_types/{group['group_type']}")["group_type"]
    except Refused:
        return None
    specs = kind.get("group_specs") or {}
    return group_id if specs.get("consistent_group_snapshot_enabled") == "<is> True" else None


def create_group_snapshot(
    site: CloudSite, token: str, group_id: str, name: str, within: float
) -> GroupSnapshot:
    """Ask for a snapshot of all volumes of a group; the token goes into its description.

    Its snapshots have the same name, so ``snapshots_named`` finds them.  Looks for none first.
    """
    body = {"group_snapshot": {"group_id": group_id, "name": name, "description": tokens.checked(token)}}
    what = f"snapshot group {group_id}"
    answer = resources.create(site, "group_snapshot", body, what, **answer_within(site, within))
    return GroupSnapshot(answer["id"], group_id, str(answer.get("status") or "creating"))


def group_snapshots_by_token(site: CloudSite, wanted: Collection[str]) -> list[GroupSnapshot]:
    """The group snapshots that carry exactly one of these tokens; empty where Cinder has no groups."""
    rows = resources.list_all(site, "group_snapshot")
    found = [row for row in rows if row.get("description") in wanted]
    return [GroupSnapshot(row["id"], row["group_id"], row["status"]) for row in found]


def delete_group_snapshot(site: CloudSite, group_snapshot_id: str, timeout: float = 300) -> None:
    """Delete a group snapshot with its snapshots and wait until it is gone; harmless when it is."""
    delete(site, "group_snapshot", group_snapshot_id, timeout)


def backups(site: CloudSite) -> list[Backup]:
    """All backups of our project, of every volume, by one list."""
    return [_backup(row) for row in resources.list_all(site, "backup")]


def backups_by_token(site: CloudSite, token: str, volume_id: str) -> list[Backup]:
    """The backups of a volume that carry exactly this token; those of others are not even listed."""
    return [_backup(row) for row in resources.rows(site, "backup", token, {"volume_id": volume_id})]


def backups_of_jobs(site: CloudSite, jobs: Iterable[str]) -> list[Backup]:
    """The backups that any step of these jobs asked for."""
    prefixes = tuple(tokens.job_prefix(job) for job in jobs)
    return [
        _backup(row) for row in resources.list_all(site, "backup") if (_token(row) or "").startswith(prefixes)
    ]


def next_parent(existing: Iterable[Backup], volume_id: str) -> Backup | None:
    """The backup Cinder takes as parent when an incremental of a new snapshot is asked for.

    The newest data of any backup of the volume counts, also one the tenant made
    (``cinder/backup/api.py``, ``API.create``).
    """
    usable = [b for b in existing if b.volume_id == volume_id and b.status == "available"]
    return max(usable, key=lambda b: b.data_at, default=None)


def create_backup(
    site: CloudSite, token: str, *, volume_id: str, snapshot_id: str | None, name: str, incremental: bool
) -> Backup:
    """Find or ask for a backup of a volume as its snapshot shows it (why: see the top of this module).

    ``incremental``: on the parent Cinder chooses (``next_parent``); what it chose is in the exported
    record.  Raises what ``call`` raises.
    """
    fields = {
        "volume_id": volume_id,
        "snapshot_id": snapshot_id,
        "name": name,
        "incremental": incremental,
        "force": True,
    }
    row = resources.ensure(site, "backup", token, fields, within={"volume_id": volume_id})
    # Cinder answers the request with id and name only.
    return _backup(row) if "created_at" in row else get_backup(site, str(row["id"]))


def get_backup(site: CloudSite, backup_id: str) -> Backup:
    """A backup by id; NotFoundInSite when it is not there."""
    return _backup(resources.read(site, "backup", backup_id))


def wait_backup(
    site: CloudSite,
    backup_id: str,
    timeout: float,
    on_poll: Callable[[Backup], object] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Backup:
    """Wait until a backup is available.  Raises Failed with Cinder's reason, TimedOut, Cancelled."""
    return wait_until(
        lambda: get_backup(site, backup_id),
        done=("available",),
        failed=("error", "deleting", "error_deleting"),
        timeout=timeout,
        what=f"backup {backup_id}",
        poll=0.5,
        on_poll=on_poll,
        cancelled=cancelled,
        site=site.name,
    )


def export_record(site: CloudSite, backup_id: str) -> dict[str, str]:
    """The record another site's Cinder imports: ``{"backup_service": ..., "backup_url": ...}``."""
    what = f"export the record of backup {backup_id}"
    path = f"/backups/{backup_id}/export_record"
    answer = _get(administrator(site, EXPORT_RECORD), what, path)["backup-record"]
    return {key: str(value) for key, value in answer.items()}


def parent_in(record: Mapping[str, str]) -> str | None:
    """Id of the parent backup named in an exported record, None for a full backup.

    The API shows it nowhere else.  ``backup_url`` is base64 of JSON (``cinder/objects/backup.py``,
    ``Backup.encode_record``); ValueError when it is not.
    """
    parent = json.loads(base64.b64decode(record["backup_url"])).get("parent_id")
    return str(parent) if parent else None


def decoded(record: Mapping[str, str]) -> Mapping[str, object] | None:
    """What Cinder wrote into an exported record of a backup; None where that cannot be read."""
    try:
        row = json.loads(base64.b64decode(record["backup_url"]))
    except (KeyError, TypeError, ValueError):
        return None
    return row if isinstance(row, dict) else None


def named_in(record: Mapping[str, str]) -> tuple[str, str] | None:
    """Ids of the backup and of its volume in an exported record; None where that cannot be read."""
    row = decoded(record)
    return (str(row["id"]), str(row["volume_id"])) if row and {"id", "volume_id"} <= row.keys() else None


def delete_backup(site: CloudSite, backup_id: str, timeout: float = 600) -> None:
    """Delete a backup and wait until it is gone; harmless when it is.

    One that is still being made is stopped where our role and the driver allow it (os-force_delete),
    waited for otherwise.  Raises Refused while another backup builds on it.
    """
    path = f"/backups/{backup_id}/action"
    try:
        if get_backup(site, backup_id).status == "creating":
            what, body = f"stop backup {backup_id}", {"os-force_delete": None}
            admin = administrator(site, STOP_BACKUP)
            call(admin, what, lambda: admin.volume.post(path, json=body, microversion=CINDER_VERSION))
    except NotFoundInSite:
        return
    except (Refused, UnknownOutcome) as error:
        LOG.info("backup %s has to be waited for: %s", backup_id, error)
    delete(site, "backup", backup_id, timeout)


def delete(site: CloudSite, kind: Kind, resource_id: str, timeout: float) -> None:
    """DELETE a thing of Cinder as often as it takes, until it is gone; harmless when it is.

    Cinder accepts the request for a snapshot that a clone or backup still reads, finds it busy and shows
    it as "available" again (``VolumeManager.delete_snapshot``); what is being made, read or detached is not
    deletable yet.  Raises Failed (the deletion failed, or a volume stays in use), TimedOut, and what ``call`` raises.
    """
    what, begun = f"delete {label(kind)} {resource_id}", time.monotonic()
    asked_before = asked = False
    refused = 0

    def look_and_ask() -> Any:
        nonlocal asked_before, asked, refused
        row = resources.read(site, kind, resource_id)
        asked_before = asked
        if row["status"] == "available" or (row["status"] in _BROKEN and not asked):
            try:
                resources.delete_one(site, kind, resource_id)
                asked = True
            except Refused as error:
                refused += 1
                if error.site_status not in (400, 409) or refused == _REFUSALS:
                    raise
        return row

    def failed(row: Any) -> bool:
        stays_in_use = row["status"] == "in-use" and time.monotonic() > begun + _DETACH_SECONDS
        return (
            row["status"] == "error_deleting" or (row["status"] in _BROKEN and asked_before) or stays_in_use
        )

    wait_gone(look_and_ask, timeout=timeout, what=what, failed=failed, site=site.name)


def _get(site: CloudSite, what: str, path: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = call(
        site, what, lambda: site.volume.get(path, microversion=CINDER_VERSION)
    ).json()
    return found


def _token(row: Mapping[str, Any]) -> str | None:
    return (row.get("metadata") or {}).get(tokens.KEY)


def _snapshot(row: Mapping[str, Any]) -> Snapshot:
    created = _time(row["created_at"]) if row.get("created_at") else None
    return Snapshot(
        row["id"], row["volume_id"], row["status"], int(row["size"]), row.get("group_snapshot_id"), created
    )


def _backup(row: Mapping[str, Any]) -> Backup:
    created = _time(row["created_at"])
    return Backup(
        id=row["id"],
        volume_id=row["volume_id"],
        status=row["status"],
        incremental=bool(row.get("is_incremental")),
        size_gib=int(row.get("size") or 0),
        snapshot_id=row.get("snapshot_id"),
        created_at=created,
        data_at=_time(row["data_timestamp"]) if row.get("data_timestamp") else created,
        has_dependants=bool(row.get("has_dependent_backups")),
        fail_reason=row.get("fail_reason"),
        token=_token(row),
    )


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
