"""What may be stored: plain JSON, and dataclasses of it.

All a job stores passes here: a type that hides a secret never gets in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import ValidationError

from multisite.domain.adapter import adapter_of
from multisite.domain.errors import Invalid
from multisite.jobs.model import Json

TEXT_LIMIT = 4000

T = TypeVar("T")


def plain(value: object, where: str) -> Json:
    """A copy made of None, bool, int, float, str, list and dict only: tuples become lists, dataclasses dicts, moments
    ISO 8601.

    Exact types: a subclass of str may be a secret that does not print, and would be written out in full.  The
    message of the refusal names the place and the type, never the value.
    """
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if value is None or type(value) is bool or type(value) is int or type(value) is str:
        return value
    if type(value) is float:
        if not math.isfinite(value):
            raise Invalid(f"{where}: {value} is not JSON; use null")
        return value
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    return plain_object(value, where)


def plain_object(value: object, where: str) -> dict[str, Json]:
    """As ``plain``, of a mapping or a dataclass."""
    if isinstance(value, Mapping):
        return {_key(key, where): plain(item, f"{where}.{key}") for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name), f"{where}.{item.name}") for item in fields(value)}
    raise Invalid(f"{where}: {type(value).__name__} is not plain JSON; convert it, and never store a secret")


def decode(value: Json, kind: type[T], where: str) -> T:
    """What ``plain`` made, as ``kind`` again: a dataclass, or a type such as ``dict[str, int]``.

    Unknown keys are left out, and fields with a default may be missing, so that what an older release stored can be
    read.  Invalid names the place and the field, never the value.
    """
    try:
        shape: Any = kind
        decoded: T = adapter_of(shape).validate_python(value)
        return decoded
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'value'}: {item['msg']}"
            for item in error.errors(include_input=False)
        )
        raise Invalid(f"{where}: not a {getattr(kind, '__name__', kind)}: {wrong}") from None


def text(value: object, where: str) -> str:
    """A plain string, cut to a length an operator can read."""
    if type(value) is not str:
        raise Invalid(f"{where}: {type(value).__name__} is not plain text; never store a secret")
    return value if len(value) <= TEXT_LIMIT else value[: TEXT_LIMIT - 4] + " ..."


def _key(key: object, where: str) -> str:
    if type(key) is not str:
        raise Invalid(f"{where}: a key of type {type(key).__name__} is not JSON; use plain strings")
    return key
