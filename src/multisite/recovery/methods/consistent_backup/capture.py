"""The consistency point: freeze in order, snapshot everything at once, thaw in reverse.

One step, because its middle must never be left alone: whatever happens, every server whose freeze was asked for is
thawed before anything else is thought about.  While servers stand still nothing is done that can wait: no look-ups, no
records, connections are made before, and every call may take only what is left of the freeze's time limit.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from multisite.clouds import quiesce, volumes
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import SiteError
from multisite.clouds.warm import warm
from multisite.domain import work
from multisite.domain.errors import MultisiteError
from multisite.domain.fence import FencedThreads
from multisite.domain.manifest import FrozenWindow, Mark
from multisite.jobs.model import StepContext, StepFailed
from multisite.jobs.values import plain
from multisite.recovery.methods.base import fresh
from multisite.recovery.methods.cinder_backups.snapshots import remove_snapshots
from multisite.recovery.methods.consistent_backup.plan import ProtectPlan, ServerToFreeze
from multisite.recovery.methods.consistent_backup.window import THAW_SECONDS, Window

THREADS = 16
POLL = 0.06
"""Seconds between two looks at the snapshots while servers stand still."""
SEARCH_AGAIN_SECONDS = 3.0
"""A request whose answer was lost may still take effect: an undo looks a second time, so much later."""
LATE = "the snapshots were not complete within the freeze limit: raise freeze_timeout"
SNAPSHOT_SECONDS = 300.0
"""How long snapshots may take when no server is frozen."""


@dataclass(frozen=True)
class Captured:
    """``snapshots``: ids by that of the volume; ``windows`` by server in freezing order."""

    consistent_at: datetime
    snapshots: dict[str, str]
    windows: tuple[FrozenWindow, ...]
    frozen_seconds: float
    marks: tuple[Mark, ...] = ()


def capture(
    site: CloudSite, plan: ProtectPlan, name: str, ctx: StepContext, *, at_rest: bool = False
) -> Captured:
    """Take the consistency point; all its snapshots get this name.

    ``at_rest``: all servers are shut off, and stay so: what an earlier attempt took is removed, another shows the same.
    Raises StepFailed with every server thawed (or named as not), snapshots left for ``undo_capture``.
    """
    if not at_rest:
        _refuse_interrupted(site, plan, ctx)
    elif not fresh(ctx):
        undo_capture(site, plan, ctx, None)
    _refuse_leftovers(site, ctx.token)
    threads = max(1, min(THREADS, len(plan.volumes)))
    options = plan.options
    group = (
        None if options.snapshot_gap_seconds else volumes.consistent_group(site, [v.id for v in plan.volumes])
    )
    window = Window(site, options.freeze_timeout)
    trouble: list[str] = []
    # Leaving the pool waits for requests that are still out: only after thawing.
    # What these threads change is changed within the window.
    with FencedThreads(threads, "snapshot") as pool, work.in_a_hurry():
        warm(site, pool, threads, options.freeze_timeout + 60.0)
        try:
            for server in plan.freeze:
                window.freeze(server)
            consistent_at = datetime.now(UTC)
            taker = _SnapshotTaker(site, plan, name, ctx.token, pool, group)
            snapshots = taker.take(window.deadline)
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
    windows, seconds = window.figures()
    told = plain(windows, "windows")
    ctx.event(
        f"consistency point taken, {seconds:.2f} s frozen", group=group, windows=told, frozen_seconds=seconds
    )
    return Captured(consistent_at, snapshots, windows, seconds)


def undo_capture(site: CloudSite, plan: ProtectPlan, ctx: StepContext, taken: Collection[str] | None) -> None:
    """Remove the snapshots: ``taken``, and those found.  None: it is not known how the capture ended, so thaw
    first, and look for what came late.

    Raises StepFailed naming what is left.
    """
    trouble = [] if taken is not None else _thaw_all(site, plan.freeze, ctx)
    trouble.extend(remove_snapshots(site, {ctx.token}, taken or ()))
    if taken is None and not trouble:
        time.sleep(SEARCH_AGAIN_SECONDS)
        trouble.extend(_thaw_all(site, _frozen_late(site, plan), ctx))
        trouble.extend(remove_snapshots(site, {ctx.token}))
    if trouble:
        raise StepFailed("; ".join(trouble))


def _frozen_late(site: CloudSite, plan: ProtectPlan) -> list[ServerToFreeze]:
    """Servers frozen although they were thawed; where nova-api does not tell, its own limit has to do."""
    found = []
    for server in plan.freeze:
        with suppress(SiteError):
            if quiesce.state(site, server.id).state in ("freezing", "frozen"):
                found.append(server)
    return found


def _thaw_all(site: CloudSite, servers: Sequence[ServerToFreeze], ctx: StepContext) -> list[str]:
    window = Window(site, 0)
    with work.in_a_hurry():
        trouble = window.thaw_all(servers, THAW_SECONDS)
    window.tell(ctx)
    return trouble


def _refuse_interrupted(site: CloudSite, plan: ProtectPlan, ctx: StepContext) -> None:
    if ctx.interrupted:
        said = "interrupted while frozen: the consistency point is lost, run the protection again"
        raise StepFailed("; ".join([said, *_thaw_all(site, plan.freeze, ctx)]))


def _refuse_leftovers(site: CloudSite, token: str) -> None:
    found = volumes.snapshots_by_token(site, {token})
    if found:
        raise StepFailed(f"{len(found)} snapshots of this step exist already: run the protection again")


class _SnapshotTaker:
    """Takes the snapshots of all volumes, and waits until Cinder has them.

    "creating" is not enough: the request is answered before the back end is asked at all.
    """

    def __init__(
        self,
        site: CloudSite,
        plan: ProtectPlan,
        name: str,
        token: str,
        pool: ThreadPoolExecutor,
        group: str | None,
    ) -> None:
        self._site = site
        self._volumes = [v.id for v in plan.volumes]
        self._name = name
        self._gap = plan.options.snapshot_gap_seconds
        self._token = token
        self._pool = pool
        self._group = group

    def take(self, deadline: float | None) -> dict[str, str]:
        """Snapshot ids by volume id.  Raises StepFailed or SiteError at the first sign of failure."""
        end = deadline if deadline is not None else time.monotonic() + SNAPSHOT_SECONDS
        if self._group is not None:
            volumes.create_group_snapshot(self._site, self._token, self._group, self._name, _left(end))
        elif self._gap:
            for number, volume in enumerate(self._volumes):
                if number:
                    time.sleep(min(self._gap, _left(end)))
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
        volumes.create_snapshot(self._site, self._token, volume, self._name, _left(end))

    def _wait(self, wanted: list[str], end: float) -> dict[str, str]:
        while True:
            seen = volumes.snapshots_named(self._site, self._name, _left(end))
            found = {s.volume_id: s for s in seen}
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
