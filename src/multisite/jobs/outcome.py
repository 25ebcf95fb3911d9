"""What becomes of the object a job was about, as a table: the job's state at rest -> the object's state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from multisite.domain.errors import Invalid, NotFound
from multisite.jobs.model import JobState
from multisite.jobs.view import AT_REST, Job


class HasState(Protocol):
    """A domain dataclass with ``state`` and ``error``; with a ``job_id``, only that job changes it."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def id(self) -> str: ...


ItemT = TypeVar("ItemT", bound=HasState)


class Rows(Protocol[ItemT]):
    """What it needs of ``store.repository.Repository``."""

    def get(self, id: str) -> ItemT: ...
    def update(self, item: ItemT) -> ItemT: ...
    def delete(self, id: str) -> None: ...


@dataclass(frozen=True)
class Outcome(Generic[ItemT]):
    """The row whose id is the job's parameter ``param`` gets ``states[job.state]`` and the job's error.

    ``amend`` (row as it was, row as the table wants it, job) changes more of it; None deletes the row.  It may be
    called again with the same job.  Applied in the transaction that settles the job, by the job's owner only; a
    row that is gone, or that names another job as its ``job_id``, is left alone.
    """

    rows: Rows[ItemT]
    param: str
    states: Mapping[JobState, StrEnum]
    amend: Callable[[ItemT, ItemT, Job], ItemT | None] | None = None

    def __post_init__(self) -> None:
        if missing := sorted(AT_REST - set(self.states)):
            raise Invalid(
                f"states: {', '.join(missing)} missing: a job can come to rest in {sorted(AT_REST)}"
            )

    def apply(self, job: Job, params: Mapping[str, Any]) -> None:
        """Within the session that settles the job."""
        try:
            known = self.rows.get(str(params[self.param]))
        except NotFound:
            return
        if getattr(known, "job_id", job.id) != job.id:
            return
        error = None if job.state is JobState.DONE else job.error
        wanted: ItemT | None = replace(known, state=self.states[job.state], error=error)
        if self.amend is not None and wanted is not None:
            wanted = self.amend(known, wanted, job)
        if wanted is None:
            self.rows.delete(known.id)
        elif wanted != known:
            self.rows.update(wanted)
