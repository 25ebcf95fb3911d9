"""A job's steps carried out as the engine does, without its durability."""

from __future__ import annotations

from dataclasses import dataclass, field

from multisite.jobs import graph
from multisite.jobs.model import Ended, JobKind, JobState
from multisite.jobs.values import decode, plain, plain_object


class Context:
    """What the engine gives a step."""

    def __init__(self, job_id: str, step: str, results: dict, *, interrupted: bool = False, attempt: int = 1):
        self.job_id, self.step, self.attempt, self.interrupted = job_id, step, attempt, interrupted
        self.project_id = "p1"
        self.token = f"multisite:{job_id}:{step}"
        self.results = results
        self.events: list[str] = []
        self.steps: list[tuple] = []
        self.stop = False

    def result_of(self, step: str, kind=object):
        return decode(self.results[step], kind, step)

    def progress(self, done, total=None, unit="", detail=""):
        self.steps.append((done, total, unit, detail))

    def event(self, message, **data):
        plain(data, "event")
        self.events.append(message)

    def cancelled(self):
        return self.stop


@dataclass
class Run:
    """How a job went: ``error`` of the first step that failed, ``left`` errors of undoing."""

    job_id: str
    state: JobState
    results: dict
    events: list[str]
    error: str | None = None
    left: list[str] = field(default_factory=list)


def carry_out(
    kind: JobKind,
    params: dict,
    job_id: str = "job1",
    *,
    interrupted: str | None = None,
    fail_after: str | None = None,
) -> Run:
    """What the engine does, without its durability: steps in order, undone when one fails.

    ``interrupted``: the worker died in this step, which then runs again; ``fail_after``: fail behind it.
    """
    steps = graph.ordered(kind.build(plain(params, "params")))
    results: dict = {}
    events: list[str] = []
    begun, error = [], None
    for step in steps:
        context = Context(job_id, step.name, results, interrupted=step.name == interrupted)
        begun.append(step)
        try:
            if step.name == interrupted:
                step.run(Context(job_id, step.name, results))  # its end was not recorded
            results[step.name] = plain(step.run(context), step.name)
            if step.name == fail_after:
                raise RuntimeError("the next thing failed")  # noqa: TRY301
        except Exception as failure:
            error = str(failure)
            break
        finally:
            events.extend(context.events)
    run = Run(job_id, JobState.DONE, results, events, error)
    if error is not None:
        run.state = JobState.UNDONE
        undo(run, begun)
    ended = Ended(job_id, run.state, error, plain_object(params, "params"))
    if kind.finished:
        kind.finished(ended)
    if kind.outcome:
        kind.outcome.apply(ended)
    return run


def undo(run: Run, steps: list) -> None:
    for step in reversed(steps):
        if step.undo is None:
            continue
        try:
            made = run.results.get(step.name)
            if made is not None and step.result is not None:
                made = decode(made, step.result, step.name)
            step.undo(Context(run.job_id, step.name, run.results), made)
        except Exception as failure:
            run.left.append(str(failure))
            run.state = JobState.UNDO_FAILED
            return
