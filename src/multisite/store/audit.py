"""The audit trail's rows.  Added, never changed; the database itself refuses anything else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from multisite.domain.audit import AuditKind, AuditOutcome, AuditRecord, Ending, Intent
from multisite.domain.page import ALL, Page
from multisite.store.database import Database
from multisite.store.models import (
    ApplicationRow,
    AuditEndRow,
    AuditRow,
    ProtectionRow,
    RecoveryRow,
    RestorePointRow,
)
from multisite.store.repository import equal

_LONGEST = 255


class AuditRepository:
    """Intents and endings in, records out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, intents: Iterable[Intent] = (), endings: Iterable[Ending] = ()) -> None:
        """Append them in one transaction (the one this thread has open, if it has)."""
        with self._database.session() as session:
            session.add_all([AuditRow(**_columns(intent)) for intent in intents])
            session.flush()  # endings refer to intents
            session.add_all([AuditEndRow(**_columns(ending)) for ending in endings])

    def list(
        self,
        project_id: str | None = None,
        *,
        job: str | None = None,
        site: str | None = None,
        subject: str | None = None,
        since: datetime | None = None,
        page: Page = ALL,
    ) -> list[AuditRecord]:
        """Newest first; the ``marker`` of the page is the number of a record, whether or not that is shown.

        ``project_id``: only what somebody of that project asked or what was done to its things.  ``subject``: id of
        an application, protection, restore point or recovery, or an application's name; an application stands for
        everything that is known to be of it.
        """
        where = equal((AuditRow.site, site))
        if project_id is not None:
            where.append(or_(AuditRow.project_id == project_id, AuditEndRow.project_id == project_id))
        if job is not None:
            where.append(or_(AuditRow.job_id == job, AuditEndRow.job_id == job))
        if since is not None:
            where.append(AuditRow.at >= since)
        if page.marker is not None:
            where.append(AuditRow.id < int(page.marker))
        with self._database.session(read_only=True) as session:
            if subject is not None:
                where.append(_about(_family(session, subject, project_id)))
            found = session.execute(
                select(AuditRow, AuditEndRow)
                .outerjoin(AuditEndRow, AuditEndRow.key == AuditRow.key)
                .where(*where)
                .order_by(AuditRow.id.desc())
                .limit(page.limit)
            )
            return [_record(row, end) for row, end in found]


def _about(ids: set[str]) -> ColumnElement[bool]:
    return or_(AuditRow.subject.in_(ids), AuditRow.resource_id.in_(ids), AuditEndRow.resource_id.in_(ids))


def _family(session: Session, subject: str, project_id: str | None) -> set[str]:
    """The id itself and, for an application, its protections, restore points and recoveries.

    Restore points and recoveries outlive the application and its protections, and remember them.
    """

    def ids(column: Any, row: Any, *either: ColumnElement[bool]) -> set[str]:
        mine = [row.project_id == project_id] if project_id is not None else []
        return {found for found in session.scalars(select(column).where(or_(*either), *mine)) if found}

    apps = ids(
        ApplicationRow.id, ApplicationRow, ApplicationRow.id == subject, ApplicationRow.name == subject
    )
    for row in (ProtectionRow, RestorePointRow):
        apps |= ids(row.application_id, row, row.application_id == subject, row.application == subject)
    known = {subject} | apps
    known |= ids(ProtectionRow.id, ProtectionRow, ProtectionRow.application_id.in_(apps))
    points = RestorePointRow.application_id.in_(apps)
    known |= ids(RestorePointRow.id, RestorePointRow, points)
    known |= ids(RestorePointRow.protection_id, RestorePointRow, points)
    by_name = RecoveryRow.application == subject
    return known | ids(RecoveryRow.id, RecoveryRow, RecoveryRow.restore_point_id.in_(known), by_name)


def _columns(item: Intent | Ending) -> dict[str, Any]:
    """Plain values that fit: what an unauthenticated caller sends as an id may be longer than any id of ours."""
    return {
        name: str(value)[:_LONGEST] if isinstance(value, str) else value
        for name, value in asdict(item).items()
    }


def _record(row: AuditRow, end: AuditEndRow | None) -> AuditRecord:
    return AuditRecord(
        id=row.id,
        at=row.at,
        kind=AuditKind(row.kind),
        user=row.user,
        user_id=row.user_id,
        project_id=row.project_id,
        request_id=row.request_id,
        job_id=row.job_id or (end.job_id if end else None),
        subject=row.subject,
        step=row.step,
        attempt=row.attempt,
        undoing=row.undoing,
        site=row.site,
        service=row.service,
        method=row.method,
        path=row.path,
        action=row.action,
        resource_id=row.resource_id or (end.resource_id if end else None),
        outcome=AuditOutcome(end.outcome) if end else AuditOutcome.INTENDED,
        status=end.status if end else None,
        cloud_request_id=end.cloud_request_id if end else None,
        seconds=end.seconds if end else None,
    )
