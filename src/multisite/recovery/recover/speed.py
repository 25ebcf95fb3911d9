"""How fast a target restores and boots: measured in recoveries that were carried out there, to predict the next."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from multisite.jobs.model import StepState
from multisite.jobs.view import Job


@dataclass(frozen=True)
class SpeedModel:
    """How fast the target is, for predicting.  Seconds; measured in earlier recoveries or configured.

    ``seconds_per_gib``: restoring one GiB while ``restores_at_once`` volumes are restored; ``boot_seconds``: from
    asking for a server to its passed readiness gate; ``fixed_seconds``: everything before the first restore.
    """

    seconds_per_gib: float
    boot_seconds: float
    restores_at_once: int = 4
    fixed_seconds: float = 5.0


def measured(job: Job, restores_at_once: int) -> SpeedModel | None:
    """From the steps of a finished "recover" job, by the units of their progress; None when it restored or
    booted nothing.

    A step's seconds include what it waited for its neighbors' use of the site, which is what to expect again.
    """
    done = [s for s in job.steps if s.state is StepState.DONE and s.elapsed is not None]
    restores = [s for s in done if s.unit == "GiB" and s.total]
    gib = sum(s.total or 0 for s in restores)
    # Two steps of each server say so: its boot and its readiness gate.
    servers = [s.elapsed or 0.0 for s in done if s.unit == "servers"]
    if not gib or not servers:
        return None
    return SpeedModel(
        seconds_per_gib=sum(s.elapsed or 0.0 for s in restores) / gib,
        boot_seconds=2 * fmean(servers),
        restores_at_once=restores_at_once,
    )


def restored_after(sizes_gib: Sequence[int], speed: SpeedModel) -> list[float]:
    """Seconds after which each volume is restored, in the order they are begun."""
    lanes = [speed.fixed_seconds] * max(speed.restores_at_once, 1)
    heapq.heapify(lanes)
    ends = []
    for size in sizes_gib:
        ends.append(heapq.heappop(lanes) + size * speed.seconds_per_gib)
        heapq.heappush(lanes, ends[-1])
    return ends
