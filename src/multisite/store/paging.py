"""Pages of lists, in SQL: a page begins behind the row that ended the one before, however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from multisite.domain.errors import Invalid
from multisite.domain.page import Page


def paged(
    session: Session,
    wanted: Select[Any],
    page: Page,
    order: Sequence[InstrumentedAttribute[Any]],
    *,
    scope: Sequence[ColumnElement[bool]] = (),
    newest_first: bool = False,
) -> Select[Any]:
    """The rows of a page, in the ``order`` of columns whose last is the id that ``marker`` names.

    ``scope``: conditions that the marker's row meets too, as whose it is; not those that may have changed since it
    was shown.  Invalid when there is no such row.
    """
    if page.marker is not None:
        last = session.execute(select(*order).where(order[-1] == page.marker, *scope)).one_or_none()
        if last is None:
            raise Invalid(f"marker: there is nothing with id {page.marker!r} in this list: begin without one")
        columns = tuple_(*order)
        behind = tuple_(*(literal(value, key.type) for value, key in zip(last, order, strict=True)))
        wanted = wanted.where(columns < behind if newest_first else columns > behind)
    keys = [key.desc() for key in order] if newest_first else order
    return wanted.where(*scope).order_by(*keys).limit(page.limit)
