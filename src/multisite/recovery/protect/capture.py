"""The consistency point: freeze in order, snapshot everything at once, thaw in reverse.

One step, because its middle must never be left alone: whatever happens, every server whose freeze was
asked for is thawed before anything else is thought about.  While servers stand still nothing is done that
can wait: no look-ups, no records, connections are made before, and every call may take only what is left
of the freeze's time limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from multisite.clouds.errors import SiteError
from multisite.domain import work
from multisite.domain.errors import MultisiteError
from multisite.domain.fence import FencedThreads
from multisite.jobs.model import Json, StepContext, StepFailed
from multisite.recovery.protect.cloud import ProtectCloud
from multisite.recovery.protect.plan import ProtectPlan, ServerToFreeze
from multisite.recovery.protect.window import THAW_SECONDS, Window

THREADS = 16
POLL = 0.06
"""Seconds between two looks at the snapshots while servers stand still."""
LOOK_AGAIN_SECONDS = 3.0
"""A request whose answer was lost may still take effect: an undo looks a second time, so much later."""
LATE = "the snapshots were not complete within the freeze limit: raise freeze_timeout"
SNAPSHOT_SECONDS = 300.0
"""How long snapshots may take when no server is frozen."""


@dataclass(frozen=True)
class CaptureSettings:
    """``name`` of all snapshots; ``timeout``: time limit of a freeze, seconds.

    ``gap``: seconds between snapshots taken one after the other; only for showing what happens without a
    freeze (None: all at once).
    """

    name: str
    timeout: int
    gap: float | None = None


def capture(cloud: ProtectCloud, plan: ProtectPlan, settings: CaptureSettings, ctx: StepContext) -> Json:
    """Take the consistency point.

    Returns ``{"consistent_at", "frozen_seconds", "windows": [...], "snapshots": {volume id: snapshot id}}``.
    Raises StepFailed with every server thawed (or named as not), snapshots left for ``undo_capture``.
    """
    if ctx.interrupted:
        said = "interrupted while frozen: the consistency point is lost, run the protection again"
        raise StepFailed("; ".join([said, *_thaw_all(cloud, plan.freeze, ctx)]))
    _refuse_leftovers(cloud, ctx.token)
    threads = max(1, min(THREADS, len(plan.volumes)))
    group = cloud.consistent_group([v.id for v in plan.volumes]) if settings.gap is None else None
    window = Window(cloud, settings.timeout)
    trouble: list[str] = []
    # Leaving the pool waits for requests that are still out: only after thawing.
    # What these threads change is changed within the window.
    with FencedThreads(threads, "snapshot") as pool, work.in_a_hurry():
        cloud.warm(pool, threads, settings.timeout + 60.0)
        try:
            for server in plan.freeze:
                window.freeze(server)
            consistent_at = datetime.now(UTC)
            camera = _SnapshotTaker(cloud, plan, settings, ctx.token, pool, group)
            snapshots = camera.take(window.deadline)
            window.taken()
        except (MultisiteError, StepFailed) as error:
            # A call cut short by what was left of the limit says only that its own answer did not come.
            cut_short = isinstance(error, SiteError) and _is_over(window.deadline)
            trouble.append(f"{LATE} ({error})" if cut_short else str(error))
        finally:
            trouble.extend(window.thaw())
    window.tell(ctx)
    if trouble := trouble or window.doubts():
        raise StepFailed("; ".join(trouble))
    figures = window.figures()
    ctx.event(f"consistency point taken, {figures['frozen_seconds']:.2f} s frozen", group=group, **figures)
    return {"consistent_at": consistent_at.isoformat(), "snapshots": snapshots, **figures}


def undo_capture(
    cloud: ProtectCloud, plan: ProtectPlan, ctx: StepContext, taken: Collection[str] | None
) -> None:
    """Remove the snapshots: ``taken``, and those found.  None: it is not known how the capture ended, so thaw
    first, and look for what came late.

    Raises StepFailed naming what is left.
    """
    trouble = [] if taken is not None else _thaw_all(cloud, plan.freeze, ctx)
    trouble.extend(remove_snapshots(cloud, {ctx.token}, taken or ()))
    if taken is None and not trouble:
        time.sleep(LOOK_AGAIN_SECONDS)
        trouble.extend(_thaw_all(cloud, _frozen_late(cloud, plan), ctx))
        trouble.extend(remove_snapshots(cloud, {ctx.token}))
    if trouble:
        raise StepFailed("; ".join(trouble))


def _frozen_late(cloud: ProtectCloud, plan: ProtectPlan) -> list[ServerToFreeze]:
    """Servers frozen although they were thawed; where nova-api does not tell, its own limit has to do."""
    found = []
    for server in plan.freeze:
        with suppress(SiteError):
            if cloud.freeze_record(server.id).state in ("freezing", "frozen"):
                found.append(server)
    return found


def _thaw_all(cloud: ProtectCloud, servers: Sequence[ServerToFreeze], ctx: StepContext) -> list[str]:
    window = Window(cloud, 0)
    with work.in_a_hurry():
        trouble = window.thaw_all(servers, THAW_SECONDS)
    window.tell(ctx)
    return trouble


def remove_snapshots(cloud: ProtectCloud, tokens: set[str], known: Collection[str] = ()) -> list[str]:
    """Delete the snapshots that carry these tokens; returns what is left, in words.

    ``known``: ids of some that are deleted too when the list, which may lose rows and not say so, lacks them.
    """
    left: list[str] = []
    listed: set[str] = set()
    deletions: list[tuple[str, Callable[[], None]]] = []
    try:
        for group in cloud.group_snapshots_by_token(tokens):
            deletions.append((f"group snapshot {group.id}", partial(cloud.delete_group_snapshot, group.id)))
        for found in cloud.snapshots_by_token(tokens):  # those of a group are gone with it by then
            listed.add(found.id)
            what = f"snapshot {found.id} of volume {found.volume_id}"
            deletions.append((what, partial(cloud.delete_snapshot, found.id)))
    except SiteError as error:
        return [f"snapshots could not be looked for: {error}"]
    for snapshot in sorted(set(known) - listed):
        deletions.append((f"snapshot {snapshot}", partial(cloud.delete_snapshot, snapshot)))
    for what, delete in deletions:
        try:
            delete()
        except SiteError as error:
            left.append(f"{what} is left: {error}")
    return left


def _refuse_leftovers(cloud: ProtectCloud, token: str) -> None:
    found = cloud.snapshots_by_token({token})
    if found:
        raise StepFailed(f"{len(found)} snapshots of this step exist already: run the protection again")


class _SnapshotTaker:
    """Takes the snapshots of all volumes, and waits until Cinder has them.

    "creating" is not enough: the request is answered before the back end is asked at all.
    """

    def __init__(
        self,
        cloud: ProtectCloud,
        plan: ProtectPlan,
        settings: CaptureSettings,
        token: str,
        pool: ThreadPoolExecutor,
        group: str | None,
    ) -> None:
        self._cloud = cloud
        self._volumes = [v.id for v in plan.volumes]
        self._settings = settings
        self._token = token
        self._pool = pool
        self._group = group

    def take(self, deadline: float | None) -> dict[str, str]:
        """Snapshot ids by volume id.  Raises StepFailed or SiteError at the first sign of failure."""
        end = deadline if deadline is not None else time.monotonic() + SNAPSHOT_SECONDS
        if self._group is not None:
            self._cloud.snapshot_group(self._token, self._group, self._settings.name, _left(end))
        elif self._settings.gap is not None:
            for number, volume in enumerate(self._volumes):
                if number:
                    time.sleep(min(self._settings.gap, _left(end)))
                self._one(volume, end)
                self._wait([volume], end)
        else:
            requests = [self._pool.submit(self._one, volume, end) for volume in self._volumes]
            done, waiting = wait(requests, timeout=_left(end), return_when=FIRST_EXCEPTION)
            for request in done:
                request.result()
            if waiting:
                raise StepFailed(LATE)
        return self._wait(self._volumes, end)

    def _one(self, volume: str, end: float) -> None:
        self._cloud.snapshot(self._token, volume, self._settings.name, _left(end))

    def _wait(self, wanted: list[str], end: float) -> dict[str, str]:
        while True:
            found = {s.volume_id: s for s in self._cloud.snapshots_named(self._settings.name, _left(end))}
            failed = [s for s in found.values() if s.status.startswith("error")]
            if failed:
                raise StepFailed(f"snapshot {failed[0].id} of volume {failed[0].volume_id} ended in error")
            if all(v in found and found[v].status == "available" for v in wanted):
                return {v: found[v].id for v in wanted}
            time.sleep(min(POLL, _left(end)))


def _is_over(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise StepFailed(LATE)
    return left
