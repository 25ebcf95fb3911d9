"""How old the data will be and how long a recovery will take, from what was measured before: pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multisite.domain.past import spread
from multisite.recovery.recover.speed import SpeedModel, restored_after


@dataclass(frozen=True)
class Estimate:
    """Seconds at best and at worst; None: unknown.  ``basis``: what it was estimated from, or why it is unknown.

    ``median_seconds``: of the ``count`` runs that it was estimated from; None and 0 where it is no such figure.
    """

    low_seconds: float | None
    high_seconds: float | None
    basis: str
    median_seconds: float | None = None
    count: int = 0

    def __str__(self) -> str:
        if self.low_seconds is None:
            return f"unknown ({self.basis})"
        if self.high_seconds is None:
            return f"at least {self.low_seconds:.0f} s ({self.basis})"
        return f"{self.low_seconds:.0f} to {self.high_seconds:.0f} s ({self.basis})"


@dataclass(frozen=True)
class PastRun:
    """A run that made a restore point.

    ``own``: of the application that is asked about, else of another one in its site.
    ``seconds``: from the consistency point until the restore point could be used.
    """

    method: str
    own: bool
    incremental: bool
    size_gib: int
    seconds: float
    frozen_seconds: float | None = None


@dataclass(frozen=True)
class PastRecovery:
    """A recovery in the target, from a restore point of ``method``."""

    method: str
    speed: SpeedModel


@dataclass(frozen=True)
class Every:
    """The longest time between two runs by a policy."""

    policy: str
    seconds: float


@dataclass(frozen=True)
class Figures:
    """What was measured.  ``every`` None: no policy says when it is run."""

    runs: Sequence[PastRun] = ()
    recoveries: Sequence[PastRecovery] = ()
    every: Every | None = None


def usable_after(figures: Figures, method: str, size_gib: int | None) -> Estimate:
    """From the consistency point until the restore point can be used.

    By the application's own runs; else by the full runs of others in the site and ``size_gib`` (None: the time does
    not follow from the size).
    """
    runs = [run for run in figures.runs if run.method == method]
    own = [run.seconds for run in runs if run.own]
    if own:
        return Estimate(min(own), max(own), f"from {len(own)} past runs")
    full = [run.seconds / run.size_gib for run in runs if not run.incremental and run.size_gib]
    if full and size_gib is not None:
        basis = f"from its {size_gib} GiB, at the speed of {len(full)} runs of other applications in the site"
        return Estimate(size_gib * min(full), size_gib * max(full), basis)
    return Estimate(None, None, "no run by this method was measured yet")


def rpo(usable: Estimate, every: Every | None) -> Estimate:
    """How old the newest usable data are if the site is lost: right after a run at best, right before one at worst."""
    if every is None:
        basis = f"{usable.basis}; how much more depends on how often it is run: no policy was named"
        return Estimate(usable.low_seconds, None, basis)
    basis = f"{usable.basis}; run every {every.seconds:.0f} s by policy {every.policy}"
    if usable.high_seconds is None:
        return Estimate(None, None, basis)
    return Estimate(usable.low_seconds, every.seconds + usable.high_seconds, basis)


def rto(figures: Figures, method: str, sizes_gib: Sequence[int] | None, boots: int) -> Estimate:
    """Until the last server is ready.

    By past recoveries by the same ``method`` alone.  ``boots``: servers that boot after each other; ``sizes_gib`` None:
    nothing is restored.
    """
    known = [past.speed for past in figures.recoveries if past.method == method]
    if not known:
        return Estimate(None, None, "no recovery in the target by this method was measured yet")
    found = spread(_until_ready(sizes_gib or (), boots, speed) for speed in known)
    size = "it does not grow with the data" if sizes_gib is None else f"{sum(sizes_gib)} GiB at their speed"
    basis = f"from {found.count} past recoveries in the target by this method: {size}"
    return Estimate(found.least, found.most, basis, found.median, found.count)


def frozen(figures: Figures, method: str) -> Estimate | None:
    """How long the application stood still in its own runs; None where nobody has told."""
    found = [
        run.frozen_seconds
        for run in figures.runs
        if run.own and run.method == method and run.frozen_seconds is not None
    ]
    return Estimate(min(found), max(found), f"from {len(found)} past runs") if found else None


def _until_ready(sizes_gib: Sequence[int], boots: int, speed: SpeedModel) -> float:
    restored = max(restored_after(sizes_gib, speed), default=speed.fixed_seconds)
    return restored + boots * speed.boot_seconds
