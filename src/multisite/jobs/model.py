"""What a job is made of: plain data and functions, no engine.

A job is a kind plus parameters (JSON).  ``JobKind.build(params)`` returns its steps, always the same for the same
parameters: the plan was decided before the job began and is part of the parameters.  Steps form a graph by ``needs``;
steps whose needs are done run at the same time, bounded by named limits.  Where the rest of a plan can be decided only
by what a step has found, the job grows: its kind makes further parameters of that result (``JobKind.grow``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Never, Protocol, TypeAlias, TypeVar, overload

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""What is stored.  Read it as a type of one's own: ``StepContext.result_of``, ``values.decode``."""

T = TypeVar("T")
Policy = Literal["undo", "pause"]
"""What becomes of a job when a step has failed: see ``JobKind.on_failure``."""
Ending = Literal["keep", "undo"]
"""What becomes of what a job made when every step has succeeded: see ``JobKind.on_done``."""


class JobState(StrEnum):
    """Each with what an operator can rely on."""

    QUEUED = "queued"  # accepted and durable; nothing was changed yet
    RUNNING = "running"  # a worker owns it; steps are being carried out
    PAUSED = "paused"  # a step failed; what was made is kept: resume or undo it
    DONE = "done"  # every step succeeded
    UNDOING = "undoing"  # what was made is being removed, last first
    UNDONE = "undone"  # nothing the job made is left
    UNDO_FAILED = "undo_failed"  # something is left; the steps say what; undo can be asked again


class StepState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"  # never started, because one it needs failed or the job was cancelled
    UNDOING = "undoing"
    UNDONE = "undone"
    UNDO_FAILED = "undo_failed"


@dataclass(frozen=True)
class Made:
    """What a step says that made one resource, or chose one that is there: its id in the site."""

    id: str


class StepContext(Protocol):
    """What a step may ask of the engine."""

    job_id: str
    step: str
    token: str
    """``multisite:<job id>:<step name>``: put on every resource the step makes and search for it first."""
    project_id: str
    """Whose job it is, to open sites for: "" when it is nobody's."""
    attempt: int
    """1 for the first run of this step."""
    interrupted: bool
    """True when an earlier run of this step began and its end is unknown (the worker died)."""

    def result_of(self, step: str, kind: type[T]) -> T:
        """The stored result of a step this one needs, as ``kind`` (see ``values.decode``).

        LookupError when the step is not needed by this one; NoResult when it has none, which ends an undo that has no
        result of its own to take away; Invalid when the result is no ``kind``.
        """

    def progress(self, done: float, total: float | None = None, unit: str = "", detail: str = "") -> None:
        """Tell operators how far it is (bytes, GiB, servers ...); cheap to call often."""

    def event(self, message: str, **data: Json) -> None:
        """Add a line to the job's journal (also the structured log).  Never a secret."""

    def cancelled(self) -> bool:
        """True once the operator asked to stop; long waits should look."""


@dataclass(frozen=True)
class Step:
    """One durable unit of work.

    ``run`` gets the context and returns JSON or a dataclass of it; it may run again after a crash, so it finds what
    it made before by ``ctx.token``.  ``undo`` gets the stored result (as ``result`` when that type is given), or None
    when the end of ``run`` is unknown, must accept "never happened", and raises if something is left.
    """

    name: str
    title: str
    run: Callable[[StepContext], object]
    undo: Callable[[StepContext, Never], None] | None = None
    needs: tuple[str, ...] = ()
    limit: str | None = None
    site: str | None = None
    result: type[object] | None = None

    if TYPE_CHECKING:  # an undo that reads what the run returned says so by ``result``
        # fmt: off
        @overload
        def __init__(
            self, name: str, title: str, run: Callable[[StepContext], object],
            undo: Callable[[StepContext, object], None] | None = None, needs: tuple[str, ...] = (),
            limit: str | None = None, site: str | None = None,
        ) -> None: ...
        @overload
        def __init__(
            self, name: str, title: str, run: Callable[[StepContext], T],
            undo: Callable[[StepContext, T | None], None] | None = None, needs: tuple[str, ...] = (),
            limit: str | None = None, site: str | None = None, *, result: type[T],
        ) -> None: ...
        def __init__(self, *_: object, **_more: object) -> None: ...
        # fmt: on


@dataclass(frozen=True)
class Ended:
    """A job at rest, for what it was about."""

    id: str
    state: JobState
    error: str | None
    params: Mapping[str, Json]


class AppliesOutcome(Protocol):
    """``outcome.Outcome``, of whatever object."""

    def apply(self, job: Ended) -> None: ...


@dataclass(frozen=True)
class JobKind:
    """A registered kind of job.

    ``on_failure``: "undo" removes at once what was made (a protection leaves nothing behind), "pause" keeps it for the
    operator to resume or undo (a half-done recovery is worth keeping).  ``on_done``: "undo" removes what was made when
    every step has succeeded, too; the job's error is None then.  ``limits`` maps a limit's name to how many
    steps may hold it at the same time; unknown names mean 1.
    ``outcome`` says what becomes of the object the job was about (``outcome.Outcome``), durably, once the job is at
    rest.  ``walked`` gets the job's id when every step of a run has come to its end, before any is undone: what an undo
    forgets (how long each took) can be kept then.  At least once; it works with the database alone.
    ``grow`` gets the parameters and what gives a step's result (None while it has none), once every step there is has
    come to its end, and returns the parameters of a longer job, or None when there is nothing to add.  ``build`` of
    them gives the steps there are, unchanged, and more; they are kept with the new steps in one transaction.
    ``retreat`` is asked when not every step came to its end well (one failed, or an operator canceled), with what
    ``grow`` gets: the parameters of the shorter job to go back to, or None for none.  The steps that one lacks are
    undone, last first, and forgotten, and the job is paused; resumed, it grows again, with steps of other names.
    ``finished`` is for what a table cannot say: called at least once, before it, outside of transactions.
    ``left`` is asked when every step was undone, with the ids of the job and its project, and the steps with an undo
    that had begun in a site: what is still there of the job, as pairs of a step ("" when that is not known) and words.
    The undo has failed when it finds something or raises.
    ``before_undo`` is called with the job's id in the transaction that orders an undo, whoever orders it, also again:
    what it raises refuses the undo, what it writes goes with it.
    ``uses_store``: its steps need the backup store, and the job waits where that was never reached since the start.
    ``rule`` of the policy, as in "network:stretch": that of the verb that starts it.  Who undoes, resumes or cancels
    such a job needs the same right; without one that is for administrators.
    """

    name: str
    build: Callable[[Mapping[str, Json]], list[Step]]
    on_failure: Policy
    limits: Mapping[str, int] = field(default_factory=dict)
    finished: Callable[[Ended], None] | None = None
    on_done: Ending = "keep"
    walked: Callable[[str], None] | None = None
    grow: Callable[[Mapping[str, Json], Callable[[str], Json]], Mapping[str, Json] | None] | None = None
    outcome: AppliesOutcome | None = None
    left: Callable[[str, str, Mapping[str, str]], Sequence[tuple[str, str]]] | None = None
    rule: str = ""
    uses_store: bool = False
    before_undo: Callable[[str], None] | None = None
    retreat: Callable[[Mapping[str, Json], Callable[[str], Json]], Mapping[str, Json] | None] | None = None


class StepFailed(Exception):
    """A step failed for a reason an operator understands: the message names the thing, what is wrong and what to do."""


class NoResult(StepFailed):
    """A needed step has no result: only in a database from the past, which may not know that it was done."""
