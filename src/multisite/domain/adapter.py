"""Pydantic's adapter of a type, built once: building one takes milliseconds, using it microseconds."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import TypeAdapter


def adapter_of(kind: Any) -> TypeAdapter[Any]:
    """The one of this type, for as long as the process lives; types are few."""
    return _made(kind)


@cache
def _made(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
