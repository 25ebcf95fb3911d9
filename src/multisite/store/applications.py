"""Applications and their members.  Names are unique in a project."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from multisite.domain.errors import Conflict, NotFound
from multisite.domain.model import Application, Member
from multisite.store.models import ApplicationRow, MemberRow, SiteRow
from multisite.store.planes import forget_unrealized
from multisite.store.repository import Repository, equal


class ApplicationRepository(Repository[Application, ApplicationRow]):
    row_type, item_type, noun = ApplicationRow, Application, "application"
    used_by = "protections or realized planes"

    def delete(self, id: str) -> None:
        """Planes that are only described go with it.  Conflict while it is protected, or has something in a site."""
        with self._database.session() as session:
            self._database.advisory_lock(f"planes {id}")  # or one of them is realized meanwhile
            forget_unrealized(session, id)
            super().delete(id)

    def by_name(self, name: str, project_id: str) -> Application:
        wanted = select(ApplicationRow).where(
            ApplicationRow.name == name, ApplicationRow.project_id == project_id
        )
        with self._database.session(read_only=True) as session:
            row = session.scalar(wanted)
            if row is None:
                raise self._missing(name)
            return self._item(row)

    def list(self, project_id: str | None = None, site: str | None = None) -> list[Application]:
        """By name; of one project and one site (its name) when given."""
        where = equal((ApplicationRow.project_id, project_id), (ApplicationRow.site, site))
        return self._select(*where, order_by=[ApplicationRow.name, ApplicationRow.id])

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

    def _fill(self, row: ApplicationRow, item: Application) -> None:
        have = {member.server_id: member for member in row.members}
        members = [_fill_member(have.get(m.server_id) or MemberRow(), m) for m in item.members]
        super()._fill(row, replace(item, members=()))
        row.members = members

    def _item(self, row: ApplicationRow) -> Application:
        members = tuple(
            Member(m.server_id, m.server_name, m.order, m.quiesce) for m in sorted(row.members, key=_by_order)
        )
        return Application(
            id=row.id,
            name=row.name,
            project_id=row.project_id,
            site=row.site,
            members=members,
            metadata_tag=row.metadata_tag,
            created_at=row.created_at,
        )


def _by_order(member: MemberRow) -> Any:
    return member.order, member.server_id


def _fill_member(row: MemberRow, member: Member) -> MemberRow:
    row.server_id, row.server_name, row.order, row.quiesce = (
        member.server_id,
        member.server_name,
        member.order,
        member.quiesce,
    )
    return row
