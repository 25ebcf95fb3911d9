"""Rows of steps: made, begun, and what is said of those that failed; called in a session of ``Records``."""

from __future__ import annotations

from collections.abc import Iterable

from multisite.jobs.model import Step, StepState
from multisite.store.models import JobRow, StepRow
from multisite.store.types import now


def new_step(job_id: str, position: int, step: Step) -> StepRow:
    """One that was never begun."""
    return StepRow(
        job_id=job_id, name=step.name, position=position, title=step.title, site=step.site,
        needs=list(step.needs), state=StepState.WAITING, attempt=0, interrupted=False, undo_attempt=0,
        unit="", detail="", waits="", result=None, limit_name=step.limit, epoch=0,
    )  # fmt: skip


def start(step: StepRow, state: StepState, epoch: int) -> None:
    """RUNNING or UNDOING, by the owner with this epoch."""
    step.state, step.error, step.started_at, step.ended_at = state, None, now(), None
    step.done, step.total, step.unit, step.detail = None, None, "", ""
    step.epoch, step.waits = epoch, ""


def failures(row: JobRow, steps: Iterable[StepRow]) -> str:
    """Why a run did not come to its end, in the order in which it happened; "" when nothing says so."""
    failed = [step for step in steps if step.state == StepState.FAILED]
    failed.sort(key=lambda step: step.ended_at or now())
    errors = [f"{step.title}: {step.error}" for step in failed]
    if row.cancel_requested:
        errors.insert(0, "cancelled by the operator")
    return "; ".join(errors)
