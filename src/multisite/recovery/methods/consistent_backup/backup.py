"""The steps of one run between looking and writing the manifest: the consistency point, and a backup of each volume.

Step names (``capture``, ``backup:<server>:<device>``) and results are kept in databases: jobs of earlier releases
have them.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from functools import partial

from multisite.clouds import build, volumes
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import Failed, Refused, SiteError
from multisite.clouds.volumes import Backup, parent_in
from multisite.domain.manifest import Manifest, Mark
from multisite.domain.pattern import newest_match
from multisite.jobs.model import Step, StepContext, StepFailed
from multisite.recovery.methods.base import ProtectDependencies, ProtectOrder
from multisite.recovery.methods.consistent_backup.capture import (
    SEARCH_AGAIN_SECONDS,
    Captured,
    capture,
    undo_capture,
)
from multisite.recovery.methods.consistent_backup.clean import clean_up
from multisite.recovery.methods.consistent_backup.payload import (
    BackupChain,
    BackupRecord,
    backup_timeout,
    chain_of,
    payload_of,
)
from multisite.recovery.methods.consistent_backup.plan import PlannedVolume, ProtectPlan, differences
from multisite.recovery.methods.consistent_backup.state import read_state
from multisite.recovery.protect.steps import Checked, check_step, manifest_step

CONSOLE_LINES = 500
# Cinder's words when only the incremental backup is impossible (backup/api.py, backup/chunkeddriver.py).
_ASKS_FOR_FULL = re.compile(r"full backup|incremental|parent", re.IGNORECASE)


class Run:
    """One run: its order, the plan in it, and what its steps do in the application's site."""

    def __init__(self, order: ProtectOrder, dependencies: ProtectDependencies) -> None:
        self._order = order
        self._plan: ProtectPlan = ProtectPlan.from_json(order.plan)
        self._dependencies = dependencies

    def steps(self) -> list[Step]:
        """Check, capture, back up, write the manifest, clean up."""
        plan, site = self._plan, self._order.application.site
        frozen = f"freeze {len(plan.freeze)} servers, " if plan.freeze else ""
        capturing = Step(
            "capture",
            f"Take the consistency point: {frozen}snapshot {len(plan.volumes)} volumes",
            self._capture,
            self._undo_capture,
            needs=("check",),
            site=site,
            result=Captured,
        )
        cleaning = partial(clean_up, self._dependencies, self._order)
        needs = ("capture", *(volume.step for volume in plan.volumes))
        return [
            check_step(self._order, self._dependencies, self._check),
            capturing,
            *(self._backup_step(number, volume) for number, volume in enumerate(plan.volumes)),
            manifest_step(self._order, self._dependencies, self._complete, needs),
            Step("cleanup", "Delete the snapshots", cleaning, needs=("manifest",), site=site),
        ]

    def _backup_step(self, number: int, volume: PlannedVolume) -> Step:
        site = self._order.application.site
        return Step(
            volume.step,
            f"Back up {volume.server} {volume.device} ({volume.size_gib} GiB, {volume.reason})",
            partial(self._backup, volume),
            partial(self._undo_backup, volume),
            needs=("capture",),
            # A limit of its own for each of the backups a site may make at a time: sites are not known
            # when the engine is told its limits, and an unknown one means "one at a time".
            limit=f"backup:{site}:{number % self._dependencies.backups_per_site}",
            site=site,
        )

    def _site(self, ctx: StepContext) -> CloudSite:
        return self._dependencies.sites.open(self._order.application.site, for_project=ctx.project_id)

    def _check(self, site: CloudSite) -> Checked:
        """Look again and refuse what has changed."""
        state = read_state(site, self._order.application, ask_quiesce=bool(self._plan.freeze))
        if changed := differences(self._plan, state.servers, state.volumes):
            raise StepFailed("; ".join(changed))
        return Checked(state.facts, self._plan.quiesced, self._plan.notes)

    def _capture(self, ctx: StepContext) -> Captured:
        site = self._site(ctx)
        result = capture(site, self._plan, self._order.label, ctx)
        return replace(result, marks=self._marks(site, ctx))

    def _undo_capture(self, ctx: StepContext, result: Captured | None) -> None:
        known = None if result is None else result.snapshots.values()
        undo_capture(self._site(ctx), self._plan, ctx, known)

    def _marks(self, site: CloudSite, ctx: StepContext) -> tuple[Mark, ...]:
        """The newest matching console line of each server that was frozen; read when all are thawed again."""
        marks: list[Mark] = []
        wanted = self._plan.options.console_mark
        if not wanted:
            return ()
        for server in self._plan.freeze:
            try:
                lines = build.console(site, server.id, lines=CONSOLE_LINES).splitlines()
            except SiteError as error:
                ctx.event(f"the console of server {server.name} cannot be read: it has no mark ({error})")
                continue
            line = newest_match(wanted, lines)
            if line is None:
                ctx.event(f"no line of the console of server {server.name} matches: it has no mark")
            else:
                marks.append(Mark(server.id, server.name, line))
        return tuple(marks)

    def _backup(self, volume: PlannedVolume, ctx: StepContext) -> BackupRecord:
        """Back up the volume as its snapshot shows it; export the record at once, later the site may be gone."""
        site = self._site(ctx)
        snapshot = ctx.result_of("capture", Captured).snapshots[volume.id]
        mine = volumes.backups_by_token(site, ctx.token, volume.id)
        for broken in [backup for backup in mine if backup.status.startswith("error")]:
            volumes.delete_backup(site, broken.id, backup_timeout(volume.size_gib))  # of an earlier attempt
        if volume.incremental:
            try:
                made, record = self._make(site, volume, snapshot, ctx, incremental=True)
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
        made, record = self._make(site, volume, snapshot, ctx, incremental=False)
        return _result(made, record, incremental=False)

    def _make(
        self,
        site: CloudSite,
        volume: PlannedVolume,
        snapshot: str,
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
            name=self._order.label,
            incremental=incremental,
        )

        def report(seen: Backup) -> None:
            # Cinder tells no bytes: a volume counts when it is done.
            ctx.progress(size if seen.status == "available" else 0.0, size, "GiB", f"backup {seen.status}")

        made = volumes.wait_backup(
            site, started.id, backup_timeout(volume.size_gib), on_poll=report, cancelled=ctx.cancelled
        )
        return made, volumes.export_record(site, made.id)

    def _undo_backup(self, volume: PlannedVolume, ctx: StepContext, result: object) -> None:
        # Its token finds it, whether the end of the step is known or not.
        site = self._site(ctx)
        _remove_backups(site, volume, ctx)
        if result is None:
            time.sleep(SEARCH_AGAIN_SECONDS)
            _remove_backups(site, volume, ctx)

    def _complete(self, draft: Manifest, ctx: StepContext) -> Manifest:
        """The draft with the consistency point, and in each volume the chain its new backup makes."""
        captured = ctx.result_of("capture", Captured)
        made = {v.id: ctx.result_of(v.step, BackupRecord) for v in self._plan.volumes}
        parent_id = self._plan.parent_id if any(record.incremental for record in made.values()) else None
        parent = self._dependencies.manifests.read(parent_id) if parent_id is not None else None

        def chain(volume_id: str) -> tuple[BackupRecord, ...]:
            new = made[volume_id]
            return (*chain_of(parent.volume(volume_id)), new) if new.incremental and parent else (new,)

        return replace(
            draft,
            volumes=tuple(
                replace(v, payload=payload_of(BackupChain(chain(v.id), captured.snapshots[v.id])))
                for v in draft.volumes
            ),
            consistent_at=captured.consistent_at,
            frozen=captured.windows,
            frozen_seconds=captured.frozen_seconds,
            marks=captured.marks,
            incremental=parent is not None,
            parent_id=parent_id,
        )


def _result(made: Backup, record: dict[str, str], *, incremental: bool) -> BackupRecord:
    return BackupRecord(made.id, incremental, made.created_at, made.size_gib, record)


def _remove_backups(site: CloudSite, volume: PlannedVolume, ctx: StepContext) -> None:
    for made in volumes.backups_by_token(site, ctx.token, volume.id):
        volumes.delete_backup(site, made.id, backup_timeout(volume.size_gib))
