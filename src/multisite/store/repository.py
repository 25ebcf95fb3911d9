"""What every repository does the same: dataclass in, dataclass out, errors that name the field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from multisite.domain.errors import Conflict, NotFound
from multisite.domain.page import ALL, Page
from multisite.store.codec import Codec, codec_of
from multisite.store.database import Database
from multisite.store.models import Base
from multisite.store.paging import paged
from multisite.store.types import now


class Identified(Protocol):
    """A domain dataclass with an id."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def id(self) -> str: ...


ItemT = TypeVar("ItemT", bound=Identified)
RowT = TypeVar("RowT", bound=Base)


class Repository(Generic[ItemT, RowT]):
    """Add, get, update, delete by id; subclasses name the row, the dataclass and how to list."""

    row_type: ClassVar[type[Any]]
    item_type: ClassVar[type[Any]]
    noun: ClassVar[str]
    used_by: ClassVar[str] = "other things"

    def __init__(self, database: Database) -> None:
        self._database = database
        self._codec: Codec[ItemT] = codec_of(self.item_type)

    def add(self, item: ItemT) -> ItemT:
        """Store a new one; returns it as stored (``created_at`` filled in).  Conflict when already there."""
        if getattr(item, "created_at", None) is None:
            item = replace(item, created_at=now())
        with self._database.session() as session:
            self._refuse_taken(session, item)
            self._write(session, item, lambda: session.add(self._new_row(item)))
        return item

    def get(self, id: str, project_id: str | None = None) -> ItemT:
        """By id; with ``project_id`` one of another project is as good as not there.  NotFound otherwise."""
        with self._database.session(read_only=True) as session:
            row = self._row(session, id)
            if project_id is not None and getattr(row, "project_id", None) != project_id:
                raise self._missing(id)
            return self._item(row)

    def update(self, item: ItemT) -> ItemT:
        """Replace the one with the same id.  NotFound, or Conflict when the new name is taken."""
        with self._database.session() as session:
            row = self._row(session, item.id)
            self._refuse_taken(session, item)
            self._write(session, item, lambda: self._fill(row, item))
            return self._item(row)

    def change(self, id: str, how: Callable[[ItemT], ItemT]) -> ItemT:
        """Read and write as one: whoever else changes it so waits."""
        with self._database.session():
            self._database.advisory_lock(f"{self.noun} {id}")
            known = self.get(id)
            wanted = how(known)
            return known if wanted == known else self.update(wanted)

    def delete(self, id: str) -> None:
        """NotFound when there is none; Conflict while something still needs it."""
        with self._database.session() as session:
            row = self._row(session, id)
            try:
                with session.begin_nested():
                    session.delete(row)
            except IntegrityError as error:
                label = getattr(row, "name", id)
                raise Conflict(
                    f"{self.noun}: {label!r} is still used by {self.used_by}; delete those first"
                ) from error

    def _write(self, session: Session, item: ItemT, change: Callable[[], None]) -> None:
        try:
            with session.begin_nested():  # a refusal must not spoil a transaction this verb has joined
                change()
        except IntegrityError as error:
            raise Conflict(self._refused(item)) from error

    def _refuse_taken(self, session: Session, item: ItemT) -> None:
        """Raise Conflict when another one already has what must be unique."""

    def _refused(self, item: ItemT) -> str:
        return f"id: a {self.noun} with id {item.id!r} already exists"

    def _row(self, session: Session, id: str) -> RowT:
        row: RowT | None = session.get(self.row_type, id)
        if row is None:
            raise self._missing(id)
        return row

    def _missing(self, key: str) -> NotFound:
        return NotFound(f"{self.noun}: there is no {self.noun} {key!r}")

    def _one(self, key: str, *where: ColumnElement[bool]) -> ItemT:
        """The only one there can be; NotFound, naming ``key``."""
        with self._database.session(read_only=True) as session:
            row = session.scalar(select(self.row_type).where(*where))
            if row is None:
                raise self._missing(key)
            return self._item(row)

    def _select(
        self,
        *where: ColumnElement[bool],
        order_by: Sequence[Any] = (),
        project_id: str | None = None,
        page: Page = ALL,
        newest_first: bool = False,
    ) -> list[ItemT]:
        """A page of those that meet ``where``, of one project when given; by ``order_by`` and then by id."""
        scope = [] if project_id is None else [self.row_type.project_id == project_id]
        order, wanted = (*order_by, self.row_type.id), select(self.row_type).where(*where)
        with self._database.session(read_only=True) as session:
            found = paged(session, wanted, page, order, scope=scope, newest_first=newest_first)
            return [self._item(row) for row in session.scalars(found)]

    def _new_row(self, item: ItemT) -> RowT:
        row: RowT = self.row_type()
        self._fill(row, item)
        return row

    def _fill(self, row: RowT, item: ItemT) -> None:
        for name, value in self._columns(row, item).items():
            if name != "created_at" or value is not None:  # an update need not know when it was created
                setattr(row, name, value)

    def _columns(self, row: RowT, item: ItemT) -> dict[str, Any]:  # noqa: ARG002 - for rows that have rows of their own
        return self._codec.columns(item)

    def _values(self, row: RowT) -> dict[str, Any]:
        return self._codec.values(row)

    def _item(self, row: RowT) -> ItemT:
        return self._codec.item(self._values(row))


def equal(*wanted: tuple[Any, object]) -> list[ColumnElement[bool]]:
    """Conditions for the filters that were given: ``equal((Row.name, None))`` asks nothing."""
    return [column == value for column, value in wanted if value is not None]
