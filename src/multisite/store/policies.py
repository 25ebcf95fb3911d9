"""Protection policies, and where each protection is in its policy's schedules."""

from __future__ import annotations

import builtins
from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from multisite.domain.errors import Conflict
from multisite.domain.page import ALL, Page
from multisite.domain.policy import ProtectionPolicy, ProtectionSchedule
from multisite.store.models import PolicyRow, ProtectionScheduleRow
from multisite.store.repository import Repository

_TICKS = ("tick_at", "policy_id", "drill_tick_at", "last_drill_result")
"""Whoever goes on with a schedule changes one of them."""


class PolicyRepository(Repository[ProtectionPolicy, PolicyRow]):
    row_type, item_type, noun = PolicyRow, ProtectionPolicy, "policy"
    used_by = "protections"

    def list(self, project_id: str | None = None, page: Page = ALL) -> list[ProtectionPolicy]:
        """By name."""
        return self._select(order_by=[PolicyRow.name], project_id=project_id, page=page)

    def by_name(self, name: str, project_id: str) -> ProtectionPolicy:
        return self._one(name, PolicyRow.name == name, PolicyRow.project_id == project_id)

    def _refuse_taken(self, session: Session, item: ProtectionPolicy) -> None:
        taken = select(PolicyRow.id).where(
            PolicyRow.name == item.name, PolicyRow.project_id == item.project_id, PolicyRow.id != item.id
        )
        if session.scalar(taken) is not None:
            raise Conflict(
                f"name: a policy {item.name!r} already exists in this project; choose another name"
            )


class ProtectionScheduleRepository(Repository[ProtectionSchedule, ProtectionScheduleRow]):
    """One for each protection that has a policy; they go with their protections."""

    row_type, item_type, noun = ProtectionScheduleRow, ProtectionSchedule, "schedule of protection"

    def due(self, now: datetime) -> builtins.list[ProtectionSchedule]:
        """Those with something to do, the longest waiting first."""
        row = ProtectionScheduleRow
        at_work = and_(row.last_drill_id.is_not(None), row.last_drill_result.is_(None))  # a result is awaited
        where = or_(row.due_at <= now, row.retention_at <= now, row.drill_due_at <= now, at_work)
        return self._select(where, order_by=[row.due_at])

    def list(self, project_id: str | None = None, policy_id: str | None = None) -> list[ProtectionSchedule]:
        where = [] if policy_id is None else [ProtectionScheduleRow.policy_id == policy_id]
        return self._select(*where, project_id=project_id)

    def go_on(self, before: ProtectionSchedule, after: ProtectionSchedule) -> None:
        """Make it ``after``, if nobody else has gone on to another tick; Conflict, with nothing changed, else.

        In the session of whoever begins the run: the run and the end of its tick are written together.
        """
        with self._database.session() as session:
            row = session.get(ProtectionScheduleRow, before.id, with_for_update=True, populate_existing=True)
            if row is None or any(getattr(row, name) != getattr(before, name) for name in _TICKS):
                raise Conflict(f"schedule of protection {before.id}: somebody else has gone on with it")
            self._fill(row, after)
