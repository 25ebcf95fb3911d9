"""Dataclasses to columns and back, by their annotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

import pytest
from pydantic import ValidationError
from sqlalchemy import String, inspect
from sqlalchemy.orm import Mapped, mapped_column

from multisite.store.codec import Codec
from multisite.store.models import Base
from multisite.store.types import UtcDateTime

NOON = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)


class Color(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Part:
    site: str
    color: Color = Color.RED


@dataclass(frozen=True)
class Thing:
    id: str
    color: Color
    parts: tuple[Part, ...]
    at: datetime | None
    size: float | None = None
    by_site: Mapping[str, Part] = field(default_factory=dict)


THING = Thing("1", Color.RED, (Part("west"), Part("east")), NOON, 1.5, {"west": Part("west")})
CODEC = Codec(Thing)


def test_one_value_stays_and_the_rest_is_json() -> None:
    columns = CODEC.columns(THING)
    assert columns == {
        "id": "1",
        "color": "red",
        "parts": [{"site": "west", "color": "red"}, {"site": "east", "color": "red"}],
        "at": NOON,
        "size": 1.5,
        "by_site": {"west": {"site": "west", "color": "red"}},
    }
    assert type(columns["color"]) is str
    assert CODEC.item(columns) == THING


def test_what_another_release_wrote_is_read() -> None:
    columns = CODEC.columns(THING) | {"parts": [{"site": "west", "later": 1}, {"site": "east"}]}
    assert CODEC.item(columns) == THING


@pytest.mark.parametrize("wrong", [{"color": "blue"}, {"parts": [{"color": "red"}]}, {"at": "soon"}])
def test_what_cannot_be_one_is_no_item(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        CODEC.item(CODEC.columns(THING) | wrong)


def test_only_dataclasses_have_columns() -> None:
    with pytest.raises(TypeError, match="no dataclass"):
        Codec(str)


def test_a_row_has_the_columns_of_its_dataclass() -> None:
    class Other(Base, of=Thing):
        __abstract__ = False
        __tablename__ = "codec_test_thing"
        id: Mapped[str] = mapped_column(primary_key=True)

    try:
        columns = inspect(Other).columns
        assert {c.name: c.nullable for c in columns} == {
            "id": False, "color": False, "parts": False, "at": True, "size": True, "by_site": False,
        }  # fmt: skip
        assert isinstance(columns["color"].type, String)
        assert isinstance(columns["at"].type, UtcDateTime)
    finally:
        Base.metadata.remove(Base.metadata.tables["codec_test_thing"])
