"""What operators say as JSON, checked against a dataclass: one place says which field is wrong and why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AwareDatetime, Field, ValidationError

from multisite.domain.adapter import adapter_of
from multisite.domain.errors import Invalid
from multisite.domain.pattern import LONGEST_PATTERN, compiled

T = TypeVar("T")


def _expression(text: str) -> str:
    try:
        compiled(text)
    except Invalid as error:
        raise ValueError(str(error)) from error
    return text


Expression = Annotated[
    str,
    Field(
        min_length=1, max_length=LONGEST_PATTERN, description="A regular expression (RE2's: no look-around)"
    ),
    AfterValidator(_expression),
]


def check_confirmed(confirm: str | None, application: str, what: str) -> None:
    """Invalid unless the operator has typed the name of the application that ``what`` (a thing and its id) is of."""
    if confirm != application:
        raise Invalid(f"confirm: {confirm!r} is not the application's name: {what} is of {application!r}")


def _address(text: str) -> str:
    try:
        ip_address(text)
    except ValueError:
        raise ValueError("must be an IPv4 or IPv6 address") from None
    return text


def _network(text: str) -> str:
    try:
        ip_network(text, strict=False)
    except ValueError:
        raise ValueError("must be an IPv4 or IPv6 network, such as 192.0.2.0/24") from None
    return text


def _moment(value: datetime) -> datetime:
    try:
        value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be within the years 1 to 9999 in UTC, too") from None
    return value


Address = Annotated[str, AfterValidator(_address)]
Network = Annotated[str, AfterValidator(_network)]
Moment = Annotated[AwareDatetime, AfterValidator(_moment)]
"""With a time zone, and to be kept in UTC."""


def first_problem(error: ValidationError, *within: str) -> str:
    """The first of what pydantic found: "field: what is wrong", without the value; ``within`` begins the field."""
    first = error.errors(include_input=False)[0]
    return f"{'.'.join(map(str, (*within, *first['loc'])))}: {first['msg']}"


def validated(kind: type[T], given: object, where: str, what: str) -> T:
    """A dataclass of a JSON object, exactly of the types it says; null is as good as nothing.

    ``where`` begins every message's field, ``what`` names a field in words.  Raises Invalid naming the field.
    """
    if not isinstance(given, Mapping):
        raise Invalid(f"{where}: must be an object, not {type(given).__name__}")
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    if unknown := sorted(set(given) - set(known)):
        raise Invalid(f"{where}.{unknown[0]}: there is no such {what}; there are: {', '.join(known)}")
    try:
        said = json.dumps({name: value for name, value in given.items() if value is not None})
        made: T = adapter_of(kind).validate_json(said, strict=True)
        return made
    except (TypeError, ValueError) as error:
        if not isinstance(error, ValidationError):
            raise Invalid(f"{where}: must be JSON: {error}") from error
        first = error.errors()[0]
        path = first["loc"][:-2] if first["loc"][-1:] == ("[key]",) else first["loc"]
        field = ".".join(map(str, (where, *path)))
        raise Invalid(f"{field}: {first['msg'].removeprefix('Value error, ')}") from error


def check_text(raw: Any) -> None:
    """Refuse JSON with what databases and UTF-8 cannot hold, which would fail later: ValueError."""
    for text in _texts(raw):
        if "\0" in text:
            raise ValueError("it has the character U+0000 in a text")
        text.encode()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
