"""A part of a list, as OpenStack's lists are divided: ``limit`` and ``marker``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from multisite.domain.errors import Invalid

LARGEST = 1000
"""Most items of an answer."""


class HasId(Protocol):
    @property
    def id(self) -> str: ...


ItemT = TypeVar("ItemT", bound=HasId)


def no_such(marker: str) -> str:
    """What is wrong with a marker."""
    return f"marker: there is nothing with id {marker!r} in this list: begin without one"


@dataclass(frozen=True)
class Page:
    """At most ``limit`` items (None: all) that come after the one whose id is ``marker``."""

    limit: int | None = None
    marker: str | None = None

    def of(self, items: Sequence[ItemT]) -> list[ItemT]:
        """The page of a list that is at hand; Invalid when the marker is of none of them."""
        begin = 0
        if self.marker is not None:
            ids = [item.id for item in items]
            if self.marker not in ids:
                raise Invalid(no_such(self.marker))
            begin = ids.index(self.marker) + 1
        return list(items[begin:][: self.limit])


ALL = Page()
