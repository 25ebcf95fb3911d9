"""Cinder at the target: importing backup records and restoring volumes from them.

What the code below rests on, read in Cinder (``cinder/backup/{api,manager,driver,chunkeddriver}.py``):

* An imported record keeps the backup's id; importing it again is refused ("already exists").  Deleting one
  deletes the backup's *data* in the store, so nothing here ever deletes a record.
* Restoring follows the chain of an incremental backup by itself: all its records must be there, the newest is
  the one to restore.  One backup is restored into one volume at a time: until then its status is "restoring", and
  another request is refused with 400, "Backup status must be available" (``API.restore``).
* When Cinder makes the volume (a name is given, no id), it skips zeros; into an existing volume it writes
them.
* Restoring replaces the volume's metadata by the source's, if that had any: a token there would be lost.  The
  name of an existing volume is kept.  So a volume is *named* by its token until it is restored.
* ``src_backup_id`` appears in the metadata when the restore is complete: a blank volume and a restored one
are both "available", and this tells them apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from multisite.clouds import resources, volumes
from multisite.clouds.administrator import IMPORT_RECORD, administrator
from multisite.clouds.call import call, post
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import (
    Refused,
    UnknownOutcome,
)
from multisite.clouds.resources import tokens
from multisite.clouds.resources.kinds import CINDER_VERSION
from multisite.clouds.waiting import volume_messages, wait_until

Row = dict[str, Any]

SOURCE_BACKUP = "src_backup_id"
_RESTORING = "restoring-backup"
_ENDED_BADLY = ("error", "error_restoring")
_NOT_FREE = "Backup status must be available"


@dataclass(frozen=True)
class WantedVolume:
    """A volume to be restored.  Type and zone None are the site's defaults; ``blank_first``: see the module's top.

    ``backup_id`` None: it stays blank.
    """

    name: str
    size_gib: int
    backup_id: str | None
    volume_type: str | None = None
    availability_zone: str | None = None
    blank_first: bool = False
    bootable: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    image_metadata: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    read_only: bool = False


def import_record(site: CloudSite, backup_id: str, record: Mapping[str, str], timeout: float = 120) -> bool:
    """Make a backup known to this site's Cinder.  True when it was imported now, False when it was known.

    ``timeout``: seconds until Cinder has read the record.  Raises Failed when it ends in error, TimedOut, and
    what ``call`` raises (importing is for administrators).
    """
    known = resources.read_or_none(site, "backup", backup_id)
    if known is None:
        what = f"import backup record {backup_id}"
        try:
            admin = administrator(site, IMPORT_RECORD)
            _send(admin, what, "/backups/import_record", {"backup-record": dict(record)})
        except UnknownOutcome:
            pass  # the wait below looks whether it arrived
        except Refused as error:
            if "already exists" not in error.message:
                raise
    wait_until(
        lambda: resources.read(site, "backup", backup_id),
        done=("available", "restoring"),
        failed=("error", "deleting", "error_deleting"),
        timeout=timeout,
        what=f"backup record {backup_id}",
        site=site.name,
        explain=lambda row: f"{row.get('fail_reason') or 'no reason given'}: {_HINT}",
    )
    return known is None


_HINT = (
    "the cinder-backup there must use the driver and the store of the backup; remove the record "
    "only if it names no container (deleting one that does deletes the data)"
)


def restore_volume(
    site: CloudSite,
    token: str,
    wanted: WantedVolume,
    *,
    timeout: float,
    on_poll: Callable[[str], object] | None = None,
    on_busy: Callable[[], object] | None = None,
    cancelled: Callable[[], bool] | None = None,
    fresh: bool = False,
) -> str:
    """Find or make the volume of this token, restored from its backup; returns its id.

    It can be called again after any interruption: it goes on where the volume stands.  A volume whose restore ended
    badly before is deleted and made anew.  ``timeout`` is seconds for the restore, and as many for the backup to be
    free when another job restores it: ``on_busy`` is called at every look meanwhile.  ``on_poll`` sees the volume's
    status.  Raises Failed with Cinder's reason, TimedOut, Cancelled, and what ``call`` raises.
    """
    free = _Turn(timeout, on_busy, cancelled)
    row = _begun(site, token, wanted, free, fresh)
    volume_id = str(row["id"])
    if row["status"] == "in-use" and restored_from(row) == wanted.backup_id:
        return volume_id  # a later step has attached it: the database is from before that
    begun = row["status"] == _RESTORING
    row = _wait_volume(site, volume_id, wanted, timeout, on_poll, cancelled)
    if wanted.backup_id is not None and not begun and restored_from(row) != wanted.backup_id:
        _restore_when_free(site, wanted.backup_id, {"volume_id": volume_id}, free)
        row = _wait_volume(site, volume_id, wanted, timeout, on_poll, cancelled)
    apply_attributes(site, token, row, wanted)
    return volume_id


@dataclass(frozen=True)
class _Turn:
    """How a backup that another job restores is waited for."""

    timeout: float
    on_busy: Callable[[], object] | None
    cancelled: Callable[[], bool] | None


def _begun(site: CloudSite, token: str, wanted: WantedVolume, free: _Turn, fresh: bool) -> Row:
    """The volume of this token, in whatever state, made now if there is none."""
    rows = [] if fresh else resources.rows(site, "volume", token)
    for row in rows:
        if row["status"] in _ENDED_BADLY:
            remove_volume(site, str(row["id"]), free.timeout)
    rows = [row for row in rows if row["status"] not in _ENDED_BADLY]
    if rows:
        # Several only after a request whose answer was lost: the one that is furthest counts.
        return max(
            rows, key=lambda r: (restored_from(r) == wanted.backup_id, r["status"] != "creating", r["id"])
        )
    return resources.look_again(
        lambda: resources.read(site, "volume", _make(site, token, wanted, free)),
        lambda: next(iter(resources.rows(site, "volume", token)), None),
    )


def _make(site: CloudSite, token: str, wanted: WantedVolume, free: _Turn) -> str:
    """Ask for the volume, empty or with the restore; returns its id."""
    if wanted.backup_id is not None and not wanted.blank_first:
        made = _restore_when_free(site, wanted.backup_id, {"name": token}, free)
        return str(made["restore"]["volume_id"])
    fields: Row = {"name": token, "size": wanted.size_gib}
    if wanted.volume_type is not None:
        fields["volume_type"] = wanted.volume_type
    if wanted.availability_zone is not None:
        fields["availability_zone"] = wanted.availability_zone
    body = {"volume": tokens.mark("volume", token, fields)}
    return str(resources.create(site, "volume", body, f"create volume {wanted.name}")["id"])


def _restore_when_free(site: CloudSite, backup_id: str, where: Mapping[str, str], free: _Turn) -> Row:
    """Another job may restore the same backup, and be a moment quicker, and have done before this is looked at."""
    what, path = f"restore backup {backup_id}", f"/backups/{backup_id}/restore"
    deadline = time.monotonic() + free.timeout
    while True:
        _wait_backup_free(site, backup_id, deadline - time.monotonic(), free)
        try:
            return _send(site, what, path, {"restore": dict(where)})
        except Refused as error:
            if _NOT_FREE not in error.message or time.monotonic() > deadline:
                raise
            _tell_busy(free)


def _wait_volume(
    site: CloudSite,
    volume_id: str,
    wanted: WantedVolume,
    timeout: float,
    on_poll: Callable[[str], object] | None,
    cancelled: Callable[[], bool] | None,
) -> Row:
    """Until it is available (blank or restored)."""
    return wait_until(
        lambda: resources.read(site, "volume", volume_id),
        done=("available",),
        failed=(*_ENDED_BADLY, "deleting", "error_deleting"),
        timeout=timeout,
        what=f"volume {wanted.name}" + (f" from backup {wanted.backup_id}" if wanted.backup_id else ""),
        on_poll=(lambda row: on_poll(str(row["status"]))) if on_poll else None,
        cancelled=cancelled,
        site=site.name,
        explain=lambda _: "; ".join(
            filter(None, (volume_messages(site, id) for id in (volume_id, wanted.backup_id) if id))
        ),
    )


def _wait_backup_free(site: CloudSite, backup_id: str, timeout: float, free: _Turn) -> None:
    """Cinder restores a backup into one volume at a time."""
    wait_until(
        lambda: resources.read(site, "backup", backup_id),
        done=("available",),
        failed=("error", "deleting", "error_deleting"),
        timeout=timeout,
        what=f"backup {backup_id} being free for a restore",
        on_poll=lambda row: _tell_busy(free) if row["status"] == "restoring" else None,
        cancelled=free.cancelled,
        site=site.name,
    )


def _tell_busy(free: _Turn) -> None:
    if free.on_busy is not None:
        free.on_busy()


def apply_attributes(site: CloudSite, token: str, row: Row, wanted: WantedVolume) -> None:
    """Name, description, metadata, image metadata and the flags, as far as the restore did not bring them.

    ``row``: the volume as Cinder shows it.  Idempotent; metadata that are not wanted go.
    The token goes into the metadata before the name stops being it.
    """
    path, what = f"/volumes/{row['id']}", f"describe volume {wanted.name}"
    metadata = {**wanted.metadata, tokens.KEY: token}
    if wanted.backup_id is not None:
        metadata[SOURCE_BACKUP] = wanted.backup_id
    body = {"metadata": metadata}
    call(
        site,
        what,
        lambda: site.volume.put(f"{path}/metadata", json=body, microversion=CINDER_VERSION),
        idempotent=True,
    )
    missing = {
        key: value
        for key, value in wanted.image_metadata.items()
        if (row.get("volume_image_metadata") or {}).get(key) != value
    }
    if missing:
        _send(site, what, f"{path}/action", {"os-set_image_metadata": {"metadata": missing}}, idempotent=True)
    if wanted.bootable != (str(row.get("bootable")).lower() == "true"):
        _send(
            site, what, f"{path}/action", {"os-set_bootable": {"bootable": wanted.bootable}}, idempotent=True
        )
    if wanted.read_only:
        _send(site, what, f"{path}/action", {"os-update_readonly_flag": {"readonly": True}}, idempotent=True)
    named = {"volume": {"name": wanted.name, "description": wanted.description}}
    call(site, what, lambda: site.volume.put(path, json=named, microversion=CINDER_VERSION), idempotent=True)


def remove_volume(site: CloudSite, volume_id: str, timeout: float = 600) -> None:
    """Delete a volume, once what is done with it has ended, and wait until it is gone; harmless when it is.

    Raises Failed (in use, or the deletion failed), TimedOut, and what ``call`` raises.
    """
    volumes.delete(site, "volume", volume_id, timeout)


def remove_by_token(site: CloudSite, token: str, timeout: float = 600, *, late: bool = False) -> int:
    """As ``resources.remove``, by ``remove_volume``: also what has the token in its name only (not yet restored)."""
    return resources.remove(
        site, "volume", token, late=late, delete=lambda one: remove_volume(site, one, timeout)
    )


def restored_from(row: Row) -> str | None:
    """Id of the backup that a volume was restored from to the end; None: it was not, or not to the end."""
    return (row.get("metadata") or {}).get(SOURCE_BACKUP)


def _send(site: CloudSite, what: str, path: str, body: Row, *, idempotent: bool = False) -> Row:
    return post(
        site, what, lambda: site.volume, path, body, microversion=CINDER_VERSION, idempotent=idempotent
    )
