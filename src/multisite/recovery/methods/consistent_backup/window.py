"""The time servers stand still: which were asked to freeze, that all are thawed again, and whether they
really stood still from the first to the last snapshot.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from multisite.clouds import quiesce
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import ConflictInSite, SiteError
from multisite.clouds.quiesce import Frozen, Thawed
from multisite.domain.manifest import FrozenWindow
from multisite.jobs.model import StepContext, StepFailed
from multisite.recovery.methods.consistent_backup.plan import ServerToFreeze

GRACE = 10.0
"""How long after a freeze's time limit a thaw that failed is still tried again; nova-api thaws by then."""
THAW_SECONDS = 180.0
"""How long an undo tries: nova-api itself gives a guest two minutes to answer late."""
AGAIN = 1.0
ROUNDING = 0.1
"""Seconds by which nova-api's times may be off against ours: they are rounded, and clocks are steered."""


@dataclass
class _Stop:
    """One server standing still.  Times without date are monotonic, by our own clock."""

    server: ServerToFreeze
    asked_at: datetime
    asked: float
    frozen: Frozen | None = None
    answered: float = 0.0
    thaw_asked: float | None = None
    thaw: Thawed | None = None
    thawed_at: datetime | None = None
    thawed: float | None = None


class Window:
    """Freezes and thaws the servers of one capture.  Nothing is read or recorded while they stand still."""

    def __init__(self, site: CloudSite, timeout: int) -> None:
        self._site = site
        self._timeout = timeout
        self._stops: list[_Stop] = []
        self._taken: float | None = None
        self._handed_over: list[str] = []

    @property
    def deadline(self) -> float | None:
        """Monotonic time at which the first server frozen may be thawed by nova-api; None without any."""
        return self._stops[0].asked + self._timeout if self._stops else None

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
        stop = _Stop(server, datetime.now(UTC), time.monotonic())
        self._stops.append(stop)
        try:
            stop.frozen = quiesce.freeze(self._site, server.id, self._timeout, within)
        except SiteError as error:
            raise StepFailed(f"server {server.name} could not be frozen: {error.message}") from error
        stop.answered = time.monotonic()

    def taken(self) -> None:
        """The last snapshot is complete."""
        self._taken = time.monotonic()

    def thaw(self) -> list[str]:
        """Thaw all that were asked to freeze, last first; returns what could not be thawed, in words."""
        return self._thaw_until((self.deadline or 0.0) + GRACE)

    def thaw_all(self, servers: Sequence[ServerToFreeze], seconds: float) -> list[str]:
        """Thaw these, last first, not knowing whether they were frozen; as ``thaw``."""
        self._stops = [_Stop(server, datetime.now(UTC), time.monotonic()) for server in servers]
        return self._thaw_until(time.monotonic() + seconds)

    def _thaw_until(self, end: float) -> list[str]:
        """Each in its turn, none waiting for another; again those that failed, until ``end``."""
        stops = self._stops[::-1]
        while True:
            failed: list[tuple[_Stop, str]] = []
            for stop in stops:
                try:
                    reason = self._thaw(stop)
                except Exception as error:  # whatever it is, the others must not stay frozen for it
                    reason = error.message if isinstance(error, SiteError) else repr(error)
                if reason is not None:
                    failed.append((stop, reason))
            if not failed or time.monotonic() > end:
                break
            time.sleep(AGAIN)
            stops = [stop for stop, _ in failed]
        return [
            f"server {stop.server.name} may still be frozen, nova-api goes on thawing it: {why}"
            for stop, why in failed
        ]

    def _thaw(self, stop: _Stop) -> str | None:
        """Ask for a thaw; the reason when the server may be frozen all the same."""
        stop.thaw_asked = stop.thaw_asked or time.monotonic()
        try:
            answer = quiesce.thaw(self._site, stop.server.id)
        except ConflictInSite as error:
            never = stop.frozen is None and quiesce.state(self._site, stop.server.id).frozen_at is None
            if not never:
                raise
            # A dead or hung agent confirms no thaw, but it never confirmed the freeze either: nova-api sees
            # to it that a freeze that comes late is undone, and there is nothing to wait for here.
            self._handed_over.append(
                f"server {stop.server.name} never confirmed its freeze and is left to nova-api:"
                f" {error.message}"
            )
            return None
        stop.thaw = stop.thaw or answer  # the first answer tells how the freeze ended
        stop.thawed_at, stop.thawed = datetime.now(UTC), time.monotonic()
        return None if answer.done else f"it is {answer.state}"

    def tell(self, ctx: StepContext) -> None:
        """Write down what was left to nova-api; not while servers stand still."""
        for line in self._handed_over:
            ctx.event(line)

    def doubts(self) -> list[str]:
        """Why the snapshots may show different moments, in words; empty when they cannot."""
        return [doubt for stop in self._stops if (doubt := self._doubt(stop))]

    def _doubt(self, stop: _Stop) -> str | None:
        name = stop.server.name
        if self._taken is not None and self._taken - stop.asked > self._timeout:
            return (
                f"server {name} was to be frozen for {self._timeout} s but the snapshots took"
                f" {self._taken - stop.asked:.1f} s: they are not consistent, raise freeze_timeout"
            )
        if stop.frozen is None or stop.thaw is None:
            return None
        if stop.thaw.expired:
            return (
                f"server {name} was thawed by nova-api after {self._timeout} s, before we asked:"
                " the snapshots are not surely consistent, raise freeze_timeout"
            )
        if _thawed_by_others(stop):
            return (
                f"server {name} was thawed by somebody else while snapshots were taken:"
                " they are not consistent, run the protection again"
            )
        return None

    def figures(self) -> tuple[tuple[FrozenWindow, ...], float]:
        """By server in freezing order, and the seconds from first freeze to last thaw."""
        over = [(s, s.thawed_at, s.thawed) for s in self._stops if s.thawed_at and s.thawed]
        windows = tuple(
            FrozenWindow(
                stop.server.id, stop.server.name, stop.asked_at, thawed_at, round(thawed - stop.asked, 3)
            )
            for stop, thawed_at, thawed in over
        )
        first = min((stop.asked for stop, _, _ in over), default=0.0)
        last = max((thawed for _, _, thawed in over), default=0.0)
        return windows, round(last - first, 3)


def _thawed_by_others(stop: _Stop) -> bool:
    """Whether nova-api's times of the freeze are not those of ours, from our request to our thaw."""
    frozen, thaw = stop.frozen, stop.thaw
    if frozen is None or thaw is None or frozen.frozen_at is None:
        return False
    if thaw.frozen_at is None or abs((thaw.frozen_at - frozen.frozen_at).total_seconds()) > ROUNDING:
        return True
    if thaw.thawed_at is None or stop.thaw_asked is None:
        return False
    lasted = (thaw.thawed_at - thaw.frozen_at).total_seconds()
    return lasted + ROUNDING < stop.thaw_asked - stop.answered
