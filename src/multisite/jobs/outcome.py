"""What becomes of the object a job was about, as a table: the job's state at rest -> the object's state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from multisite.domain.errors import Invalid, NotFound
from multisite.jobs.model import Ended, JobState
from multisite.jobs.view import AT_REST


class HasState(Protocol):
    """A domain dataclass with ``state`` and ``error``; with a ``job_id``, only that job changes it."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def id(self) -> str: ...


ItemT = TypeVar("ItemT", bound=HasState)


class Rows(Protocol[ItemT]):
    """What it needs of ``store.repository.Repository``."""

    def change(self, id: str, how: Callable[[ItemT], ItemT]) -> ItemT: ...
    def delete(self, id: str) -> None: ...


class Row(Enum):
    """What becomes of a row beside a state."""

    DELETED = auto()
    UNCHANGED = auto()


@dataclass(frozen=True)
class Outcome(Generic[ItemT]):
    """The row whose id is the job's parameter ``param`` gets ``states[job.state]`` and the job's error.

    ``amend`` (row as it was, row as the table wants it, job) changes more of it; None deletes the row.  It may be
    called again with the same job.  Applied in the transaction that settles the job, by the job's owner only; a row
    that is gone is left alone, and one that names another job as its ``job_id``, unless ``any_job``.
    ``without_error``: states in which the job's error is not the row's.
    """

    rows: Rows[ItemT]
    param: str
    """With dots between the keys of objects within objects."""
    states: Mapping[JobState, StrEnum | Row]
    amend: Callable[[ItemT, ItemT, Ended], ItemT | None] | None = None
    any_job: bool = False
    without_error: Collection[JobState] = (JobState.DONE,)

    def __post_init__(self) -> None:
        if missing := sorted(AT_REST - set(self.states)):
            raise Invalid(
                f"states: {', '.join(missing)} missing: a job can come to rest in {sorted(AT_REST)}"
            )

    def apply(self, job: Ended) -> None:
        """Within the session that settles the job."""
        found: object = job.params
        for key in self.param.split("."):
            found = found[key] if isinstance(found, Mapping) else None
        id, gone = str(found), False

        def change(known: ItemT) -> ItemT:
            nonlocal gone
            wanted = self._wanted(job, known)
            gone = wanted is None
            return known if wanted is None else wanted

        with suppress(NotFound):
            self.rows.change(id, change)
            if gone:
                self.rows.delete(id)

    def _wanted(self, job: Ended, known: ItemT) -> ItemT | None:
        state = self.states[job.state]
        others = not self.any_job and getattr(known, "job_id", job.id) != job.id
        if others or state is Row.UNCHANGED:
            return known
        if state is Row.DELETED:
            return None
        wanted = replace(known, state=state, error=None if job.state in self.without_error else job.error)
        return wanted if self.amend is None else self.amend(known, wanted, job)


def failure(job: Ended) -> str:
    """For an object whose job did not make it: why, and whether something is left."""
    left = "" if job.state is JobState.UNDONE else "; not everything it made could be removed, see the job"
    return f"{job.error or 'undone by the operator'}{left}"
