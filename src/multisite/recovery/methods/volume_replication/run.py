"""The steps of one run between looking and writing the manifest: mirror, take the point, send it, wait for it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial

from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import Cancelled, Unreachable
from multisite.clouds.managed import image_name, snapshot_name
from multisite.clouds.mirror.backend import MirrorBackend, MirrorImage, MirrorMode, MirrorPoint
from multisite.domain.manifest import Manifest
from multisite.jobs.model import Step, StepContext, StepFailed
from multisite.recovery.methods.base import ProtectDependencies, ProtectOrder
from multisite.recovery.methods.cinder_backups.chain import PlannedVolume
from multisite.recovery.methods.cinder_backups.state import read_state
from multisite.recovery.methods.consistent_backup.capture import Captured, capture, undo_capture
from multisite.recovery.methods.consistent_backup.plan import differences
from multisite.recovery.methods.volume_replication.payload import Copy, payload_of
from multisite.recovery.methods.volume_replication.plan import ReplicationPlan
from multisite.recovery.protect.steps import Checked, check_step, manifest_step

POLL = 2.0
POINT, SEND, MIRROR = "point", "send", "mirror"


@dataclass(frozen=True)
class SentPoint:
    """Of one volume; see ``MirrorPoint``."""

    global_id: str
    snapshot: str
    number: int | None


@dataclass(frozen=True)
class Sent:
    """By the volume's id."""

    points: dict[str, SentPoint]


@dataclass(frozen=True)
class Arrived:
    """The copy at the target, and the storages' ids."""

    image_id: str
    storage: str
    source_storage: str


class Run:
    """One run: its order, the plan in it, and what its steps do."""

    def __init__(self, order: ProtectOrder, dependencies: ProtectDependencies) -> None:
        self._order = order
        self._plan = ReplicationPlan.from_json(order.plan)
        self._dependencies = dependencies

    def steps(self) -> list[Step]:
        """Check, mirror, take the point, send it, wait for each copy, write the manifest."""
        plan, site = self._plan.capture, self._order.application.site
        count, mode = len(plan.volumes), self._plan.options.mirror_mode
        frozen = f"freeze {len(plan.freeze)} servers, " if plan.freeze else ""
        waits = [self._wait_step(number, volume) for number, volume in enumerate(plan.volumes, 1)]
        needs = (POINT, SEND, *(step.name for step in waits))
        return [
            check_step(self._order, self._dependencies, self._check),
            Step(
                MIRROR,
                f"Mirror {count} volumes, mode {mode}",
                self._mirror,
                self._stop,
                ("check",),
                site=site,
            ),
            Step(
                POINT,
                f"Take the consistency point: {frozen}snapshot {count} volumes",
                self._capture,
                self._undo_capture,
                needs=("check", MIRROR),
                site=site,
                result=Captured,
            ),
            Step(SEND, "Send the point to the other storage", self._send, needs=(POINT,), site=site),
            *waits,
            manifest_step(self._order, self._dependencies, self._complete, needs),
        ]

    def _wait_step(self, number: int, volume: PlannedVolume) -> Step:
        title = (
            f"Wait until {volume.server} {volume.device} ({volume.size_gib} GiB) is at {self._plan.target}"
        )
        return Step(
            f"copy-{number}", title, partial(self._wait, volume), needs=(SEND,), site=self._plan.target
        )

    def _site(self, ctx: StepContext) -> CloudSite:
        return self._dependencies.sites.open(self._order.application.site, for_project=ctx.project_id)

    def _storage(self, ctx: StepContext, name: str) -> MirrorBackend:
        try:
            return self._site(ctx).mirrors[name]
        except KeyError:
            raise StepFailed(f"the storage of {name} is no longer in multisite.conf: put it back") from None

    def _check(self, site: CloudSite) -> Checked:
        """Look again and refuse what has changed."""
        plan = self._plan.capture
        state = read_state(site, self._order.application, ask_quiesce=bool(plan.freeze))
        if changed := differences(plan, state.servers, state.volumes):
            raise StepFailed("; ".join(changed))
        return Checked(state.facts, plan.quiesced, plan.notes)

    def _mirror(self, ctx: StepContext) -> object:
        mirror, volumes = self._storage(ctx, self._order.application.site), self._plan.capture.volumes
        for done, volume in enumerate(volumes):
            ctx.progress(done, len(volumes), "volumes")
            mirror.enable(image_name(volume.id), self._plan.options.mirror_mode, ctx.token)
        ctx.progress(len(volumes), len(volumes), "volumes")
        return {"volumes": len(volumes)}

    def _stop(self, ctx: StepContext, _result: object) -> None:
        """Only what this step has begun: its token is at the image."""
        mirror = self._storage(ctx, self._order.application.site)
        for volume in self._plan.capture.volumes:
            if mirror.enabled_by(image_name(volume.id)) == ctx.token:
                mirror.disable(image_name(volume.id))

    def _capture(self, ctx: StepContext) -> Captured:
        at_rest = self._order.stopped is not None
        return capture(self._site(ctx), self._plan.capture, self._order.label, ctx, at_rest=at_rest)

    def _undo_capture(self, ctx: StepContext, result: Captured | None) -> None:
        known = None if result is None else result.snapshots.values()
        undo_capture(self._site(ctx), self._plan.capture, ctx, known)

    def _send(self, ctx: StepContext) -> Sent:
        """Nothing stands still any more: the point is a snapshot, and what carries it may take its time.

        Once more is harmless: a later mirror snapshot carries the point, too.
        """
        mirror = self._storage(ctx, self._order.application.site)
        captured, volumes = ctx.result_of(POINT, Captured), self._plan.capture.volumes
        points = {}
        for done, volume in enumerate(volumes):
            ctx.progress(done, len(volumes), "volumes")
            name, snapshot = image_name(volume.id), snapshot_name(captured.snapshots[volume.id])
            image = mirror.image(name)
            if image is None or image.mode is None or snapshot not in image.snapshots:
                raise StepFailed(
                    f"{name} at {mirror.site} is not mirrored or has no snapshot {snapshot}: does Cinder there call "
                    "images and snapshots otherwise (volume_name_template, snapshot_name_template)?"
                )
            number = mirror.send(name) if image.mode is MirrorMode.SNAPSHOT else None
            points[volume.id] = SentPoint(image.global_id, snapshot, number)
        ctx.progress(len(volumes), len(volumes), "volumes")
        return Sent(points)

    def _wait(self, volume: PlannedVolume, ctx: StepContext) -> Arrived:
        """As long as something moves: a first copy of a large volume takes hours."""
        sent = ctx.result_of(SEND, Sent).points[volume.id]
        point = MirrorPoint(sent.global_id, sent.snapshot, sent.number)
        source = self._storage(ctx, self._order.application.site).info()
        target = self._storage(ctx, self._plan.target)
        storage, name, size = target.info().id, image_name(volume.id), float(volume.size_gib)
        seen, moved = "", time.monotonic()
        while True:
            now, image = _look(target, name, point)
            if image is not None and image.has(point):
                ctx.progress(size, size, "GiB", "there")
                return Arrived(image.id, storage, source.id)
            percent = image.percent if image is not None and image.percent is not None else 0
            ctx.progress(size * percent / 100, size, "GiB", now)
            if now != seen:
                seen, moved = now, time.monotonic()
            if ctx.cancelled():
                raise Cancelled(target.site, f"copy of {name}", f"stopped waiting on request; it was {now}")
            if (still := time.monotonic() - moved) > self._plan.options.stall_timeout:
                raise StepFailed(
                    f"the copy of {volume.server} {volume.device} at {target.site} has not moved for {still:.0f} s, it "
                    f"is {now}: see that rbd-mirror runs there and reaches {self._order.application.site}"
                )
            time.sleep(POLL)

    def _complete(self, draft: Manifest, ctx: StepContext) -> Manifest:
        """The draft with the consistency point, and each volume's copy."""
        captured, sent, plan = ctx.result_of(POINT, Captured), ctx.result_of(SEND, Sent), self._plan
        steps = {volume.id: f"copy-{number}" for number, volume in enumerate(plan.capture.volumes, 1)}

        def copy(volume_id: str) -> Copy:
            arrived, point = ctx.result_of(steps[volume_id], Arrived), sent.points[volume_id]
            return Copy(
                plan.target, arrived.storage, arrived.image_id, arrived.source_storage, image_name(volume_id),
                point.global_id, plan.options.mirror_mode, captured.snapshots[volume_id], point.snapshot,
                point.number,
            )  # fmt: skip

        return replace(
            draft,
            volumes=tuple(replace(v, payload=payload_of(copy(v.id))) for v in draft.volumes),
            consistent_at=captured.consistent_at,
            frozen=captured.windows,
            frozen_seconds=captured.frozen_seconds,
        )


def _look(mirror: MirrorBackend, name: str, point: MirrorPoint) -> tuple[str, MirrorImage | None]:
    """How it stands in words that change when it moves, and the copy."""
    try:
        image = mirror.image(name)
        if image is None or image.global_id != point.global_id:
            other = mirror.names().get(point.global_id)
            image = mirror.image(other) if other else None
    except Unreachable as error:
        return f"unknown: {error.message}", None
    if image is None:
        return "not begun", None
    figures = (
        (image.percent, "percent"),
        (image.behind, "entries behind"),
        (image.received, "last complete"),
    )
    return ", ".join(
        [image.state or "unknown", *(f"{n} {word}" for n, word in figures if n is not None)]
    ), image
