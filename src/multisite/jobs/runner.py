"""Carrying out one run of a job: the steps forwards, backwards to undo them, then telling the job's kind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar

from multisite.domain import fence, work
from multisite.domain.errors import MultisiteError
from multisite.jobs import graph
from multisite.jobs.context import Context, RunContext
from multisite.jobs.model import JobKind, JobState, Json, NoResult, Step, StepFailed, StepState
from multisite.jobs.values import TEXT_LIMIT, decode, plain, plain_object
from multisite.store.failures import is_transient

log = logging.getLogger("multisite.jobs")

T = TypeVar("T")
TELL_PAUSE = 0.2
TELL_PAUSE_MAX = 60.0


class Worker(Protocol):
    """What the runner needs of the engine."""

    async def work(self, call: Callable[..., T], *args: Any) -> T:
        """Run a step in the pool for steps."""

    async def record(self, call: Callable[..., T], *args: Any) -> T:
        """Run a short call in the pool for bookkeeping, so that long steps never hold it up."""

    async def raise_mark(self, go_on: Callable[[], None]) -> None:
        """No earlier state of the database knows what was done until now."""

    def limit(self, name: str | None, step: str, around: RunContext) -> AbstractAsyncContextManager[Any]:
        """Held while a step runs."""


class Runner:
    """One claimed run.  Everything it decides is in the records: another one can carry on from them."""

    def __init__(self, worker: Worker, kind: JobKind, around: RunContext) -> None:
        self._worker = worker
        self._kind = kind
        self._around = around
        self._claim = around.claim
        self._records = around.records
        self._retry = around.retry
        self._note = partial(worker.record, around.retry)
        self._steps: list[Step] = []
        self._done: set[str] = set()  # by this run: not asked again when the job has grown
        self._has_turn = self._progressed = False

    async def carry_out(self) -> None:
        """Until the job is at rest and its kind has been told."""
        try:
            if self._claim.crashes.suspect:
                await self._take_turn()
            await self._carry_out()
        finally:
            self._end_turn()

    async def _take_turn(self) -> None:
        """No other suspect runs in this process until a step of this one has ended, or it is at rest."""
        died = self._claim.crashes.count
        message = f"the process died {died} times in a row with this job and others: they are carried out one at a time"
        await self._note(self._records.event, self._claim, message, None, {})
        self._has_turn = await self._around.ownership.turn.acquire()
        await self._note(self._records.begin_turn, self._claim)

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._around.ownership.turn.release()

    async def _carry_out(self) -> None:
        state = self._claim.state
        if state in (JobState.RUNNING, JobState.UNDOING):
            problem = await self._note(self._why_set_aside) or await self._note(self._plan)
            if problem:
                state = await self._note(self._records.give_up, self._claim, problem)
        if state == JobState.RUNNING:
            state = await self._run()
        if state == JobState.UNDOING:
            await self._walk(self._steps[::-1], graph.dependants(self._steps), undoing=True)
            left = await self._worker.work(self._left)
            state = await self._note(self._records.conclude_undo, self._claim, left)
        await self._settle()

    async def _run(self) -> JobState:
        """All steps, and those they let the job grow by; how it stands then."""
        state = JobState.RUNNING
        while state == JobState.RUNNING:
            if not await self._note(self._records.retreats, self._claim):
                if problem := await self._forwards():
                    return JobState(await self._note(self._records.give_up, self._claim, problem))
                shorter, problem = await self._note(self._shorter)
                if problem:
                    return JobState(await self._note(self._records.give_up, self._claim, problem))
                if shorter is None or not await self._note(self._records.begin_retreat, self._claim):
                    break
            state = await self._retreat()
        if state != JobState.RUNNING:
            return state
        if self._kind.walked is not None:
            await self._note(self._kind.walked, self._claim.job_id)
        ends = (self._kind.on_failure, self._kind.on_done)
        return JobState(await self._note(self._records.conclude, self._claim, *ends))

    async def _forwards(self) -> str | None:
        """Every step that can be carried out; what is wrong when the rest cannot be planned."""
        while True:
            await self._walk(self._steps, {step.name: step.needs for step in self._steps}, undoing=False)
            grown: bool
            problem: str | None
            grown, problem = await self._note(self._grow)
            if not grown:
                return problem

    def _shorter(self) -> tuple[Mapping[str, Json] | None, str | None]:
        """The parameters of the job that is gone back to, if there are any; what is wrong when that is not known."""
        if self._kind.retreat is None:
            return None, None
        try:
            wanted = self._kind.retreat(self._claim.params, partial(self._records.result, self._claim.job_id))
            return None if wanted is None else plain_object(wanted, "params"), None
        except Exception as error:
            if is_transient(error):
                raise
            log.exception("job %s: it cannot go back", self._claim.job_id)
            return None, f"what to take back cannot be planned: {describe(error)}"

    async def _retreat(self) -> JobState:
        """Undo what the shorter job lacks; RUNNING when the job is to go on."""
        shorter, problem = await self._note(self._shorter)
        if shorter is None:
            problem = problem or "what to take back is not known any more"
            return JobState(await self._note(self._records.give_up, self._claim, problem))
        kept = graph.ordered(await self._note(self._kind.build, shorter))
        gone = {step.name for step in self._steps} - {step.name for step in kept}
        undone = [step for step in self._steps[::-1] if step.name in gone]
        self._done -= gone
        await self._walk(undone, graph.dependants(self._steps), undoing=True)
        state = JobState(await self._note(self._records.end_retreat, self._claim, shorter, gone))
        if state == JobState.RUNNING:
            self._claim, self._steps = replace(self._claim, params=shorter), kept
        return state

    def _grow(self) -> tuple[bool, str | None]:
        """Whether there are more steps now; what is wrong when they cannot be planned."""
        if self._kind.grow is None:
            return False, None
        known = {step.name: step.needs for step in self._steps}
        try:
            wanted = self._kind.grow(self._claim.params, partial(self._records.result, self._claim.job_id))
            if wanted is None:
                return False, None
            params = plain_object(wanted, "params")
            steps = graph.ordered(self._kind.build(params))
        except Exception as error:
            if is_transient(error):
                raise
            log.exception("job %s: it cannot grow", self._claim.job_id)
            return False, f"the rest of it cannot be planned: {describe(error)}"
        if known.items() - {step.name: step.needs for step in steps}.items():
            return False, "the rest of it cannot be planned: it would change steps that there are"
        self._records.grow(self._claim, params, [step for step in steps if step.name not in known])
        self._claim, self._steps = replace(self._claim, params=params), steps
        return True, None

    def _left(self) -> Sequence[tuple[str, str]]:
        """What is found of the job once every step was undone; before, the steps say it themselves."""
        known = self._retry(self._records.get, self._claim.job_id)
        begun = [step for step in known.steps if step.attempt > 0]
        if self._kind.left is None or any(step.state != StepState.UNDONE for step in begun):
            return ()
        undone = {step.name for step in self._steps if step.undo is not None}
        sites = {step.name: step.site for step in begun if step.site is not None and step.name in undone}
        try:
            doing = replace(self._claim.work, undoing=True)
            with work.doing(doing):
                return self._kind.left(self._claim.job_id, doing.project_id or "", sites)
        except Exception as error:
            if is_transient(error):
                raise
            return [("", f"what is left cannot be told: {describe(error)}: undo it again when that is over")]

    def _why_set_aside(self) -> str | None:
        """Why it is not taken up once more."""
        if not self._claim.crashes.culprit:
            return None
        begun = (StepState.RUNNING, StepState.UNDOING)
        steps = self._records.get(self._claim.job_id).steps
        names = ", ".join(step.name for step in steps if step.state in begun)
        return (
            f"the process that carried it out died {self._claim.crashes.count} times in a row"
            f"{f' during {names}' if names else ''}: look into the service's log and the kernel's for why (memory?), "
            "then resume or undo it"
        )

    def _plan(self) -> str | None:
        """Rebuild the steps; what is wrong when they are not those the job was accepted with."""
        try:
            self._steps = graph.ordered(self._kind.build(self._claim.params))
        except Exception as error:
            log.exception("job %s: the plan cannot be rebuilt", self._claim.job_id)
            return f"the plan cannot be rebuilt: {describe(error)}"
        accepted = {step.name: step.needs for step in self._records.get(self._claim.job_id).steps}
        if accepted != {step.name: tuple(step.needs) for step in self._steps}:
            return "this release plans other steps than the one that accepted the job: use that one for it"
        return None

    async def _walk(
        self, steps: Sequence[Step], after: Mapping[str, Sequence[str]], *, undoing: bool
    ) -> None:
        """Every step whose predecessors have ended well.  Where they have not, a run has nothing to build on, and an
        undo would fail, or break what needs the thing.
        """
        tasks: dict[str, asyncio.Task[bool]] = {}

        async def one(step: Step) -> bool:
            ends = [await tasks[name] for name in after[step.name]]
            if not undoing and step.name in self._done:
                return True
            ok = all(ends) and await self._act(step, undoing=undoing)
            if ok and not undoing:
                self._done.add(step.name)
            return ok

        for step in steps:
            tasks[step.name] = asyncio.create_task(one(step))
        # All of them, whatever happens: no step of this run is left behind when another run takes over.
        ends = await asyncio.gather(*tasks.values(), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def _act(self, step: Step, *, undoing: bool) -> bool:
        async with self._worker.limit(step.limit, step.name, self._around):
            ok = await self._worker.work(self._act_now, step, undoing)
        if self._progressed:
            self._end_turn()
        return ok

    def _act_now(self, step: Step, undoing: bool) -> bool:
        self._around.go_on()
        if undoing:
            begun = self._retry(
                self._records.begin_undo, self._claim, step.name, has_undo=step.undo is not None
            )
        else:
            begun = self._retry(self._records.begin, self._claim, step.name, self._kind.on_failure)
        if not begun.go:
            return begun.ok
        known = partial(graph.ancestors, step.name, self._steps)
        context = Context(self._around, step.name, begun, known, undoing)
        with work.doing(replace(self._claim.work, step=step.name, attempt=begun.attempt, undoing=undoing)):
            try:
                with fence.around(context):
                    result = _call(step, context, begun.result, undoing=undoing)
            except Exception as error:
                if is_transient(error):  # no failure of the step: it runs again, and is told so
                    raise
                if not isinstance(error, StepFailed | MultisiteError):
                    log.exception("job %s: step %s raised", self._claim.job_id, step.name)
                failed = StepState.UNDO_FAILED if undoing else StepState.FAILED
                self._end(step, failed, error=describe(error))
                return False
            self._end(step, StepState.UNDONE if undoing else StepState.DONE, result=result)
            return True

    def _end(self, step: Step, state: StepState, **outcome: Any) -> None:
        progress = self._around.board.take(self._claim, step.name)
        self._retry(self._records.end, self._claim, step.name, state, progress=progress, **outcome)
        self._progressed = True

    async def _settle(self) -> None:
        """Until it succeeds: the object the job was about must not stay behind."""
        pause = TELL_PAUSE
        await self._worker.raise_mark(self._around.go_on)
        while True:
            try:
                await self._worker.record(self._around.ownership.check)  # or it tells what is no longer so
                if self._kind.finished is not None:
                    ended = await self._note(self._records.ended, self._claim)
                    await self._worker.record(self._kind.finished, ended)
                await self._note(self._records.settle, self._claim, self._kind.outcome)
                return
            except Exception as error:
                log.exception("job %s: its kind could not be told how it ended", self._claim.job_id)
                if pause == TELL_PAUSE:
                    message = f"what the job was about could not be updated, trying again: {describe(error)}"
                    await self._worker.record(self._records.event, self._claim, message, None, {})
            await asyncio.sleep(pause)
            pause = min(pause * 2, TELL_PAUSE_MAX)
            await self._note(self._records.ended, self._claim)  # still ours?


def _call(step: Step, context: Context, stored: Json, *, undoing: bool) -> Json:
    """The step's result, as it is stored; of an undo none."""
    what = f"result of step {step.name}"
    if not undoing:
        return plain(step.run(context), what)
    known: Any = stored if stored is None or step.result is None else decode(stored, step.result, what)
    if step.undo is not None:
        try:
            step.undo(context, known)
        except NoResult:  # as far as is known it never began; what is left is looked for once all is undone
            if stored is not None:
                raise
    return None


def describe(error: BaseException) -> str:
    """For operators: the message alone when it was written for them, else with the kind of exception."""
    kind = type(error).__name__
    words = str(error) if isinstance(error, StepFailed | MultisiteError) else f"{kind}: {error}"
    return words[:TEXT_LIMIT] or kind
