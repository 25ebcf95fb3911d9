"""How fast a target restores and boots, measured in a recovery that was carried out there."""

from __future__ import annotations

from statistics import fmean

from multisite.jobs.model import StepState
from multisite.jobs.view import Job
from multisite.recovery.recover.plan import SpeedModel


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
