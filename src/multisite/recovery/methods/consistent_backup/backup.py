"""The steps of one run between looking and writing the manifest: the consistency point, and a backup of each volume.

Step names (``capture``, ``backup:<server>:<device>``) and results are kept in databases: jobs of earlier releases
have them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from multisite.clouds import build
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import SiteError
from multisite.domain.manifest import Manifest, Mark
from multisite.domain.pattern import newest_match
from multisite.jobs.model import Step, StepContext, StepFailed
from multisite.recovery.methods.base import ProtectDependencies, ProtectOrder
from multisite.recovery.methods.cinder_backups.chain import PlannedVolume
from multisite.recovery.methods.cinder_backups.making import back_up, chains_of, undo_backup
from multisite.recovery.methods.cinder_backups.payload import BackupChain, BackupRecord, payload_of
from multisite.recovery.methods.cinder_backups.state import read_state
from multisite.recovery.methods.consistent_backup.capture import (
    Captured,
    capture,
    undo_capture,
)
from multisite.recovery.methods.consistent_backup.clean import clean_up
from multisite.recovery.methods.consistent_backup.plan import ProtectPlan, differences
from multisite.recovery.protect.steps import Checked, check_step, manifest_step

CONSOLE_LINES = 500


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
            partial(undo_backup, self._site, volume),
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
        state = read_state(
            site, self._order.application, ask_quiesce=bool(self._plan.freeze),
            standby_only=self._plan.options.standby_only,
        )  # fmt: skip
        if changed := differences(self._plan, state.servers, state.volumes):
            raise StepFailed("; ".join(changed))
        return Checked(state.facts, self._plan.quiesced, self._plan.notes)

    def _capture(self, ctx: StepContext) -> Captured:
        site = self._site(ctx)
        at_rest = self._order.stopped is not None
        result = capture(site, self._plan, self._order.label, ctx, at_rest=at_rest)
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
        snapshot = ctx.result_of("capture", Captured).snapshots[volume.id]
        return back_up(self._site(ctx), volume, snapshot, self._order.label, ctx)

    def _complete(self, draft: Manifest, ctx: StepContext) -> Manifest:
        """The draft with the consistency point, and in each volume the chain its new backup makes."""
        captured = ctx.result_of("capture", Captured)
        made = {v.id: ctx.result_of(v.step, BackupRecord) for v in self._plan.volumes}
        chains, parent_id = chains_of(self._dependencies.manifests, self._plan.parent_id, made)
        return replace(
            draft,
            volumes=tuple(
                replace(v, payload=payload_of(BackupChain(chains[v.id], captured.snapshots[v.id])))
                for v in draft.volumes
            ),
            consistent_at=captured.consistent_at,
            frozen=captured.windows,
            frozen_seconds=captured.frozen_seconds,
            marks=captured.marks,
            incremental=parent_id is not None,
            parent_id=parent_id,
        )
