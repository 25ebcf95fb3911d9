"""Recoveries: applications recreated, or being recreated, in another site."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from multisite.domain.errors import NotFound
from multisite.domain.model import Purpose, Recovery, RecoveryState
from multisite.domain.page import ALL, Page
from multisite.store.models import RecoveryRow
from multisite.store.repository import Repository, equal

FINAL = frozenset({RecoveryState.DONE, RecoveryState.UNDONE})
"""In these a recovery needs its restore point no more."""


class RecoveryRepository(Repository[Recovery, RecoveryRow]):
    row_type, item_type, noun = RecoveryRow, Recovery, "recovery"

    def list(
        self,
        project_id: str | None = None,
        *,
        application_id: str | None = None,
        restore_point_id: str | None = None,
        state: RecoveryState | None = None,
        purpose: Purpose | None = None,
        page: Page = ALL,
    ) -> list[Recovery]:
        """Newest first."""
        where = equal(
            (RecoveryRow.application_id, application_id),
            (RecoveryRow.restore_point_id, restore_point_id),
            (RecoveryRow.state, state),
            (RecoveryRow.purpose, purpose),
        )
        order = [RecoveryRow.created_at]
        return self._select(*where, order_by=order, project_id=project_id, page=page, newest_first=True)

    def project_of_job(self, job_id: str) -> str | None:
        """Id, at the target, of the project that was chosen for the recovery of a job; None: the default."""
        try:
            return self.of_job(job_id).site_project_id or None
        except NotFound:
            return None

    def of_job(self, job_id: str) -> Recovery:
        """The one that a job carries out; NotFound when there is none."""
        for recovery in self._select(RecoveryRow.job_id == job_id):
            return recovery
        raise NotFound(f"recovery: there is none of job {job_id!r}")

    @contextmanager
    def claim(self, application_id: str) -> Iterator[None]:
        """A session in which nobody else begins a recovery of the application, or takes restore points of it away."""
        with self._database.session():
            self._database.advisory_lock(f"recovery of {application_id}")
            yield

    def users_of(self, restore_point_id: str, parents: Mapping[str, str | None]) -> builtins.list[Recovery]:
        """Those that need a restore point, or one that builds on it, and are not at their end.

        ``parents``: of each restore point the one it builds on.  Whoever deletes one asks in a ``claim``.
        """
        states = [state for state in RecoveryState if state not in FINAL]
        where = RecoveryRow.state.in_(states)
        found = self._select(where, order_by=[RecoveryRow.created_at, RecoveryRow.id])
        return [r for r in found if restore_point_id in _chain(r.restore_point_id, parents)]


def _chain(id: str | None, parents: Mapping[str, str | None]) -> list[str]:
    """A restore point and all it builds on."""
    chain: list[str] = []
    while id is not None and id not in chain:
        chain.append(id)
        id = parents.get(id)
    return chain
