"""The planes of applications."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from multisite.domain.errors import Conflict, NotFound
from multisite.domain.page import Page
from multisite.domain.planes import AT_REST, PlaneRecord
from multisite.store.models import PlaneRow, StretchedRow
from multisite.store.repository import Repository


class PlaneRepository(Repository[PlaneRecord, PlaneRow]):
    row_type, item_type, noun = PlaneRow, PlaneRecord, "plane"

    def of(self, application_id: str) -> list[PlaneRecord]:
        """Those of an application, by name."""
        return self._select(PlaneRow.application_id == application_id, order_by=[PlaneRow.name])

    def by_name(self, application_id: str, name: str) -> PlaneRecord:
        """NotFound when the application has none of that name."""
        where = (PlaneRow.application_id == application_id, PlaneRow.name == name)
        found = self._select(*where, page=Page(1))
        if not found:
            raise NotFound(f"plane: the application has no plane {name!r}")
        return found[0]

    def _refuse_taken(self, session: Session, item: PlaneRecord) -> None:
        same = (
            PlaneRow.name == item.name,
            PlaneRow.application_id == item.application_id,
            PlaneRow.id != item.id,
        )
        if session.scalar(select(PlaneRow.id).where(*same)) is not None:
            raise Conflict(f"name: the application has a plane {item.name!r} already")


def forget_unrealized(session: Session, application_id: str) -> None:
    """Delete the planes of which nothing is in any site, as part of the session's transaction."""
    networks = select(StretchedRow.id)
    found = select(PlaneRow).where(
        PlaneRow.application_id == application_id,
        PlaneRow.state.in_([str(state) for state in AT_REST]),
        PlaneRow.stretched_network_id.is_(None) | PlaneRow.stretched_network_id.not_in(networks),
    )
    for row in session.scalars(found).all():
        if not row.left:  # JSON is not compared in every database
            session.delete(row)
    session.flush()
