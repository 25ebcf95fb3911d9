"""The consistency point: freeze in order, snapshot everything at once, thaw in reverse.

One step, because its middle must never be left alone: whatever happens, every server whose freeze was
asked for is thawed before anything else is thought about.  While servers stand still nothing is done that
can wait: no look-ups, no records, connections are made before, and every call may take only what is left
of the freeze's time limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from multisite.clouds.errors import SiteError
from multisite.clouds.quiesce import Frozen, Thawed
from multisite.domain.errors import MultisiteError
from multisite.jobs.model import Json, StepContext, StepFailed
from multisite.recovery.protect_cloud import ProtectCloud
from multisite.recovery.protect_plan import ProtectPlan, ServerToFreeze

THREADS = 16
POLL = 0.06
"""Seconds between two looks at the snapshots while servers stand still."""
GRACE = 10.0
"""How long after a freeze's time limit a thaw that failed is still tried again; nova-api thaws by then."""
THAW_SECONDS = 180.0
"""How long an undo tries: nova-api itself gives a guest two minutes to answer late."""
AGAIN = 1.0
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
        raise StepFailed("; ".join([said, *thaw_all(cloud, plan)]))
    _refuse_leftovers(cloud, ctx.token)
    threads = max(1, min(THREADS, len(plan.volumes)))
    group = cloud.consistent_group([v.id for v in plan.volumes]) if settings.gap is None else None
    window = Window(cloud, settings.timeout)
    trouble: list[str] = []
    # Leaving the pool waits for requests that are still out: only after thawing.
    with ThreadPoolExecutor(threads, "snapshot") as pool:
        cloud.warm(pool, threads, settings.timeout + 60.0)
        try:
            for server in plan.freeze:
                window.freeze(server)
            consistent_at = datetime.now(UTC)
            camera = _Camera(cloud, plan, settings, ctx.token, pool, group)
            snapshots = camera.take(window.deadline)
            window.taken()
        except (MultisiteError, StepFailed) as error:
            trouble.append(str(error))
        finally:
            trouble.extend(window.thaw())
    if trouble := trouble or window.doubts():
        raise StepFailed("; ".join(trouble))
    figures = window.figures()
    ctx.event(f"consistency point taken, {figures['frozen_seconds']:.2f} s frozen", group=group, **figures)
    return {"consistent_at": consistent_at.isoformat(), "snapshots": snapshots, **figures}


def undo_capture(cloud: ProtectCloud, plan: ProtectPlan, token: str, *, finished: bool) -> None:
    """Remove the snapshots; unless the capture is known to have ``finished``, thaw first.

    Raises StepFailed naming what is left.
    """
    trouble = [] if finished else thaw_all(cloud, plan)
    trouble.extend(remove_snapshots(cloud, {token}))
    if trouble:
        raise StepFailed("; ".join(trouble))


def thaw_all(cloud: ProtectCloud, plan: ProtectPlan, seconds: float = THAW_SECONDS) -> list[str]:
    """Thaw every server of the plan, last first; returns what could not be done in time, in words."""
    return _thaw(cloud, plan.freeze[::-1], time.monotonic() + seconds, lambda _server, _answer: None)


def _thaw(
    cloud: ProtectCloud,
    servers: Sequence[ServerToFreeze],
    end: float,
    on_answer: Callable[[ServerToFreeze, Thawed], None],
) -> list[str]:
    """Thaw each, in this order, none waiting for another; again those that failed, until ``end``."""
    while True:
        failed: list[tuple[ServerToFreeze, str]] = []
        for server in servers:
            try:
                answer = cloud.thaw(server.id)
            except SiteError as error:
                failed.append((server, error.message))
                continue
            on_answer(server, answer)
            if not answer.done:
                failed.append((server, f"it is {answer.state}"))
        if not failed or time.monotonic() > end:
            break
        time.sleep(AGAIN)
        servers = [server for server, _ in failed]
    return [f"server {s.name} may still be frozen, nova-api goes on thawing it: {why}" for s, why in failed]


def remove_snapshots(cloud: ProtectCloud, tokens: set[str]) -> list[str]:
    """Delete the snapshots that carry these tokens; returns what is left, in words."""
    left: list[str] = []
    deletions: list[tuple[str, Callable[[], None]]] = []
    try:
        for group in cloud.group_snapshots_by_token(tokens):
            deletions.append((f"group snapshot {group.id}", partial(cloud.delete_group_snapshot, group.id)))
        for found in cloud.snapshots_by_token(tokens):  # those of a group are gone with it by then
            what = f"snapshot {found.id} of volume {found.volume_id}"
            deletions.append((what, partial(cloud.delete_snapshot, found.id)))
    except SiteError as error:
        return [f"snapshots could not be looked for: {error}"]
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


class Window:
    """The time servers stand still: what was asked of which when, by our own clock."""

    def __init__(self, cloud: ProtectCloud, timeout: int) -> None:
        self._cloud = cloud
        self._timeout = timeout
        self._asked: dict[str, tuple[ServerToFreeze, datetime, float]] = {}
        self._frozen: dict[str, Frozen] = {}
        self._thawed: dict[str, tuple[Thawed, datetime, float]] = {}
        self._taken: float | None = None

    @property
    def deadline(self) -> float | None:
        """Monotonic time at which the first server frozen may be thawed by nova-api; None without any."""
        first = min((moment for _, _, moment in self._asked.values()), default=None)
        return None if first is None else first + self._timeout

    def freeze(self, server: ServerToFreeze) -> None:
        """Freeze one server, in what is left of the time of those that wait for it."""
        deadline = self.deadline
        within = self._timeout if deadline is None else deadline - time.monotonic()
        if within <= 0:
            raise StepFailed(
                f"freezing took longer than the freeze limit of {self._timeout} s before server {server.name}"
                " was reached: raise freeze_timeout"
            )
        # Noted before it is asked: an answer that is lost or an error may still mean frozen.
        self._asked[server.id] = (server, datetime.now(UTC), time.monotonic())
        try:
            self._frozen[server.id] = self._cloud.freeze(server.id, self._timeout, within)
        except SiteError as error:
            raise StepFailed(f"server {server.name} could not be frozen: {error.message}") from error

    def taken(self) -> None:
        """The last snapshot is complete."""
        self._taken = time.monotonic()

    def thaw(self) -> list[str]:
        """Thaw all that were asked to freeze, last first; returns what could not be thawed, in words."""
        servers = [server for server, _, _ in self._asked.values()]
        return _thaw(self._cloud, servers[::-1], (self.deadline or 0.0) + GRACE, self._answered)

    def _answered(self, server: ServerToFreeze, answer: Thawed) -> None:
        # The first answer tells how the freeze ended, the last one when it was over.
        first = self._thawed[server.id][0] if server.id in self._thawed else answer
        self._thawed[server.id] = (first, datetime.now(UTC), time.monotonic())

    def doubts(self) -> list[str]:
        """Why the snapshots may show different moments, in words; empty when they cannot."""
        found: list[str] = []
        for server_id, frozen in self._frozen.items():
            server, _, asked = self._asked[server_id]
            thaw = self._thawed.get(server_id)
            if self._taken is not None and self._taken - asked > self._timeout:
                found.append(
                    f"server {server.name} was asked to freeze for {self._timeout} s but the snapshots took"
                    f" {self._taken - asked:.1f} s: they are not consistent, raise freeze_timeout"
                )
            elif thaw is not None:
                found.extend(_contradiction(server, frozen, thaw[0], self._timeout))
        return found

    def figures(self) -> Mapping[str, Json]:
        """``windows`` by server in freezing order, and ``frozen_seconds`` from first freeze to last thaw."""
        windows = [
            {
                "server_id": server.id,
                "server_name": server.name,
                "frozen_at": at.isoformat(),
                "thawed_at": self._thawed[server.id][1].isoformat(),
                "seconds": round(self._thawed[server.id][2] - asked, 3),
            }
            for server, at, asked in self._asked.values()
        ]
        first = min((asked for _, _, asked in self._asked.values()), default=0.0)
        last = max((thawed for _, _, thawed in self._thawed.values()), default=0.0)
        return {"windows": windows, "frozen_seconds": round(last - first, 3)}


def _contradiction(server: ServerToFreeze, frozen: Frozen, thawed: Thawed, timeout: int) -> list[str]:
    if thawed.expired:
        return [
            f"server {server.name} was thawed by nova-api after {timeout} s, before we asked:"
            " the snapshots are not surely consistent, raise freeze_timeout"
        ]
    if thawed.frozen_at is None or (frozen.frozen_at is not None and thawed.frozen_at != frozen.frozen_at):
        return [
            f"server {server.name} was thawed by somebody else while snapshots were taken:"
            " they are not consistent, run the protection again"
        ]
    return []


class _Camera:
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
            for volume in self._volumes:
                self._one(volume, end)
                self._wait([volume], end)
                time.sleep(self._settings.gap)
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


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise StepFailed(LATE)
    return left
