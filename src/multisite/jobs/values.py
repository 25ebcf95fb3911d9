"""What may be kept: plain JSON.  All a job stores passes here: a type that hides a secret never gets in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum

from multisite.domain.errors import Invalid
from multisite.jobs.model import Json

TEXT_LIMIT = 4000


def plain(value: object, where: str) -> Json:
    """A copy made of None, bool, int, float, str, list and dict only (tuples become lists).

    Exact types: a subclass of str may be a secret that does not print, and would be written out in full.  The
    message of the refusal names the place and the type, never the value.
    """
    if isinstance(value, StrEnum):
        return value.value
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        if not math.isfinite(value):
            raise Invalid(f"{where}: {value} is not JSON; use null")
        return value
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {_key(key, where): plain(item, f"{where}.{key}") for key, item in value.items()}
    raise Invalid(f"{where}: {type(value).__name__} is not plain JSON; convert it, and never store a secret")


def text(value: object, where: str) -> str:
    """A plain string, cut to a length an operator can read."""
    if type(value) is not str:
        raise Invalid(f"{where}: {type(value).__name__} is not plain text; never store a secret")
    return value if len(value) <= TEXT_LIMIT else value[: TEXT_LIMIT - 4] + " ..."


def _key(key: object, where: str) -> str:
    if type(key) is not str:
        raise Invalid(f"{where}: a key of type {type(key).__name__} is not JSON; use plain strings")
    return key
