"""A part of a list, as OpenStack's lists are divided: ``limit`` and ``marker``."""

from __future__ import annotations

from dataclasses import dataclass

LARGEST = 1000
"""Most items of an answer."""


@dataclass(frozen=True)
class Page:
    """At most ``limit`` items (None: all) that come after the one whose id is ``marker``."""

    limit: int | None = None
    marker: str | None = None


ALL = Page()
