"""A dataclass of ``domain`` to the columns of its row and back, by its annotations alone.

One value (text, number, time) is kept as it is, an enum as its value; tuples, mappings and dataclasses as JSON.
What a newer release added to a JSON object is ignored, what an older one did not know has its default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, Generic, TypeVar, get_type_hints

from pydantic import TypeAdapter

from multisite.domain.adapter import adapter_of

ItemT = TypeVar("ItemT")
_AS_IT_IS = (bool, int, float, datetime, type(None))


class Codec(Generic[ItemT]):
    """``item_type``: a dataclass; its row has an attribute for each of its fields."""

    def __init__(self, item_type: type[ItemT]) -> None:
        if not is_dataclass(item_type):
            raise TypeError(f"{item_type!r} is no dataclass")
        hints = get_type_hints(item_type)
        self._fields: dict[str, TypeAdapter[Any]] = {
            field.name: adapter_of(hints[field.name]) for field in fields(item_type)
        }
        self._item: TypeAdapter[ItemT] = adapter_of(item_type)

    def columns(self, item: ItemT) -> dict[str, Any]:
        """Values by attribute of the row."""
        return {name: self._column(name, getattr(item, name)) for name in self._fields}

    def values(self, row: object) -> dict[str, Any]:
        """The row's attributes by name of the field."""
        return {name: getattr(row, name) for name in self._fields}

    def item(self, values: Mapping[str, Any]) -> ItemT:
        """The dataclass of a row's values; ``pydantic.ValidationError`` when they cannot be one."""
        return self._item.validate_python(values)

    def _column(self, name: str, value: object) -> Any:
        return value if isinstance(value, _AS_IT_IS) else self._fields[name].dump_python(value, mode="json")


def codec_of(item_type: Any) -> Codec[Any]:
    """The one of a dataclass, made once: its repositories are made with every service."""
    return _made(item_type)


@cache
def _made(item_type: Any) -> Codec[Any]:
    return Codec(item_type)
