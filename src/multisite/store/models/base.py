"""What all tables share.  Only portable SQL: SQLite now, PostgreSQL when grown.

A row of a domain dataclass has the dataclass's fields as columns without naming them::

    class SiteRow(Base, of=Site):
        __tablename__ = "site"
        id: Mapped[str] = mapped_column(primary_key=True)

Only what a type cannot say is written in the row: keys, indexes, foreign keys, long texts; and what queries name.
"""

from __future__ import annotations

import types
from dataclasses import fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Union, get_args, get_origin, get_type_hints

from sqlalchemy import JSON, Boolean, Double, Integer, MetaData, String
from sqlalchemy.orm import DeclarativeBase, MappedColumn, mapped_column
from sqlalchemy.types import TypeEngine

from multisite.store.types import UtcDateTime

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
_PLAIN: dict[object, type[TypeEngine[Any]]] = {
    str: String, bool: Boolean, int: Integer, float: Double, datetime: UtcDateTime
}  # fmt: skip


class Base(DeclarativeBase):
    """``of``: the dataclass whose fields become columns where the row does not say otherwise."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        str: String(255),
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        list[Any]: JSON,
    }

    def __init_subclass__(cls, of: type[Any] | None = None, **options: Any) -> None:
        if of is not None:
            hints = get_type_hints(of)
            for field in fields(of):
                if field.name not in cls.__annotations__:
                    setattr(cls, field.name, _column(field.name, hints[field.name]))
        super().__init_subclass__(**options)


def _column(name: str, hint: object) -> MappedColumn[Any]:
    """Enums are kept as their value, anything that is not one value as JSON (see ``store.codec``).

    A job that is named is looked up by it: whether it may be removed (``store.retention``).
    """
    optional = get_origin(hint) in (Union, types.UnionType)
    if optional:
        (hint,) = [one for one in get_args(hint) if one is not type(None)]
    nullable = optional and name != "created_at"  # a stored thing always has it
    if isinstance(hint, type) and (hint is str or issubclass(hint, StrEnum)):
        return mapped_column(String(255), nullable=nullable, index=name.endswith("job_id") or None)
    return mapped_column(_PLAIN.get(hint, JSON), nullable=nullable)
