"""Making one backup of a volume, as its snapshot shows it, and taking it back.

Its token finds it, whether the end of the step is known or not.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from multisite.clouds import volumes
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import Failed, Refused
from multisite.clouds.volumes import Backup, parent_in
from multisite.jobs.model import StepContext
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.methods.cinder_backups.blocks import block_digest, carried_bytes
from multisite.recovery.methods.cinder_backups.chain import PlannedVolume
from multisite.recovery.methods.cinder_backups.payload import BackupRecord, backup_timeout, chain_of

SEARCH_AGAIN_SECONDS = 3.0
"""A request whose answer was lost may still take effect: an undo looks a second time, so much later."""
# Cinder's words when only the incremental backup is impossible (backup/api.py, backup/chunkeddriver.py).
_ASKS_FOR_FULL = re.compile(r"full backup|incremental|parent", re.IGNORECASE)


def back_up(
    site: CloudSite, volume: PlannedVolume, snapshot: str | None, name: str, ctx: StepContext
) -> BackupRecord:
    """Back up the volume as its snapshot shows it; export the record at once, later the site may be gone.

    ``snapshot`` None: as it is itself, for one that is attached nowhere.
    """
    mine = volumes.backups_by_token(site, ctx.token, volume.id)
    for broken in [backup for backup in mine if backup.status.startswith("error")]:
        volumes.delete_backup(site, broken.id, backup_timeout(volume.size_gib))  # of an earlier attempt
    if volume.incremental:
        try:
            made, record = _make(site, volume, snapshot, name, ctx, incremental=True)
            parent = parent_in(record)
            if parent in (volume.parent, None):  # None: an earlier attempt had to make a full one
                return _result(made, record, incremental=parent is not None)
            why = f"Cinder built on backup {parent}, which is not of this chain"
        except (Failed, Refused) as error:
            if not _ASKS_FOR_FULL.search(error.message):
                raise
            why = error.message
        ctx.event(
            f"{volume.device} of server {volume.server}: no incremental backup: {why}; making a full one"
        )
        _remove_backups(site, volume, ctx)
    made, record = _make(site, volume, snapshot, name, ctx, incremental=False)
    return _result(made, record, incremental=False)


def undo_backup(
    site_of: Callable[[StepContext], CloudSite], volume: PlannedVolume, ctx: StepContext, result: object
) -> None:
    """Delete what ``back_up`` made; ``result`` None: also what took effect after its answer was lost."""
    site = site_of(ctx)
    _remove_backups(site, volume, ctx)
    if result is None:
        time.sleep(SEARCH_AGAIN_SECONDS)
        _remove_backups(site, volume, ctx)


def chains_of(
    manifests: ManifestStore, parent_id: str | None, made: Mapping[str, BackupRecord]
) -> tuple[dict[str, tuple[BackupRecord, ...]], str | None]:
    """The chain that each volume's new backup makes, by id, and the restore point they build on, None for none.

    ``parent_id``: the one that was planned.
    """
    builds = parent_id is not None and any(record.incremental for record in made.values())
    parent = manifests.read(parent_id) if builds and parent_id is not None else None

    def chain(volume_id: str, new: BackupRecord) -> tuple[BackupRecord, ...]:
        return (*chain_of(parent.volume(volume_id)), new) if new.incremental and parent else (new,)

    chains = {id: chain(id, with_digest(manifests, new)) for id, new in made.items()}
    return chains, parent_id if parent else None


def with_digest(store: ManifestStore, made: BackupRecord) -> BackupRecord:
    """With the digest of its blocks, and its bytes, where the store has them: the signed manifest keeps them."""
    return replace(made, digest=block_digest(store, made.record), bytes=carried_bytes(store, made.record))


def _make(
    site: CloudSite,
    volume: PlannedVolume,
    snapshot: str | None,
    name: str,
    ctx: StepContext,
    *,
    incremental: bool,
) -> tuple[Backup, dict[str, str]]:
    size = float(volume.size_gib)
    started = volumes.create_backup(
        site,
        ctx.token,
        volume_id=volume.id,
        snapshot_id=snapshot,
        name=name,
        incremental=incremental,
    )

    def report(seen: Backup) -> None:
        # Cinder tells no bytes: a volume counts when it is done.
        ctx.progress(size if seen.status == "available" else 0.0, size, "GiB", f"backup {seen.status}")

    made = volumes.wait_backup(
        site, started.id, backup_timeout(volume.size_gib), on_poll=report, cancelled=ctx.cancelled
    )
    return made, volumes.export_record(site, made.id)


def _result(made: Backup, record: dict[str, str], *, incremental: bool) -> BackupRecord:
    return BackupRecord(made.id, incremental, made.created_at, made.size_gib, record)


def _remove_backups(site: CloudSite, volume: PlannedVolume, ctx: StepContext) -> None:
    for made in volumes.backups_by_token(site, ctx.token, volume.id):
        volumes.delete_backup(site, made.id, backup_timeout(volume.size_gib))
