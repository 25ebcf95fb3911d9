"""Applications and their members.  Names are unique in a project."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from multisite.domain.errors import Conflict, NotFound
from multisite.domain.model import Application, Member
from multisite.domain.page import ALL, Page
from multisite.store.codec import Codec
from multisite.store.models import ApplicationRow, MemberRow, SiteRow
from multisite.store.planes import forget_unrealized
from multisite.store.repository import Repository, equal

_MEMBER = Codec(Member)


class ApplicationRepository(Repository[Application, ApplicationRow]):
    row_type, item_type, noun = ApplicationRow, Application, "application"
    used_by = "protections or realized planes"
    _turns = threading.Lock()

    def delete(self, id: str) -> None:
        """Planes that are only described go with it.  Conflict while it is protected, or has something in a site."""
        with self._database.session() as session:
            self._database.advisory_lock(f"planes {id}")  # or one of them is realized meanwhile
            forget_unrealized(session, id)
            super().delete(id)

    @contextmanager
    def turn(self, id: str) -> Iterator[None]:
        """Nobody else is in one for the same application; what is done within may take long, or hang.

        So SQLite, where one process works, gives no transaction for it: its only writer would wait, and all with it.
        """
        with self._turns:
            if self._database.is_sqlite:
                yield
            else:
                with self._database.session():
                    self._database.advisory_lock(f"epochs of {id}")
                    yield

    def recovered(self) -> frozenset[str]:
        """Ids of those whose application is a copy that a recovery made."""
        with self._database.session() as session:
            return frozenset(session.scalars(select(ApplicationRow.id).where(ApplicationRow.epoch > 0)))

    def by_name(self, name: str, project_id: str) -> Application:
        return self._one(name, ApplicationRow.name == name, ApplicationRow.project_id == project_id)

    def list(
        self,
        project_id: str | None = None,
        site: str | None = None,
        *,
        name: str | None = None,
        page: Page = ALL,
    ) -> list[Application]:
        """By name; of one project, one site (its name) and of one name when given."""
        where = equal((ApplicationRow.site, site), (ApplicationRow.name, name))
        return self._select(*where, order_by=[ApplicationRow.name], project_id=project_id, page=page)

    def _refuse_taken(self, session: Session, item: Application) -> None:
        taken = select(ApplicationRow.id).where(
            ApplicationRow.name == item.name,
            ApplicationRow.project_id == item.project_id,
            ApplicationRow.id != item.id,
        )
        if session.scalar(taken) is not None:
            raise Conflict(
                f"name: an application {item.name!r} already exists in this project; choose another name"
            )
        if session.scalar(select(SiteRow.id).where(SiteRow.name == item.site)) is None:
            raise NotFound(f"site: no site {item.site!r} is registered")

    def _columns(self, row: ApplicationRow, item: Application) -> dict[str, Any]:
        have = {member.server_id: member for member in row.members}
        members = [have.get(m.server_id) or MemberRow() for m in item.members]
        for member_row, member in zip(members, item.members, strict=True):
            for name, value in _MEMBER.columns(member).items():
                setattr(member_row, name, value)
        return super()._columns(row, item) | {"members": members}

    def _values(self, row: ApplicationRow) -> dict[str, Any]:
        members = sorted(row.members, key=lambda member: (member.order, member.server_id))
        return super()._values(row) | {"members": [_MEMBER.values(member) for member in members]}
