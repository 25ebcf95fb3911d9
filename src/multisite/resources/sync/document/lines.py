"""YAML of strangers, with the line of everything it says: plain values, lists and mappings by text, nothing else.

No tags, no anchors (a few lines of aliases can stand for gigabytes), no values that YAML takes for something else than
they look like (``no``, ``010``, ``12:30``).  Read event by event, so that nothing is built of what is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.resolver import Resolver

from multisite.domain.errors import Invalid

MOST_BYTES = 192 * 1024
"""Of a document, in UTF-8; with what JSON adds it fits into a request (``api/app.py: MAX_BODY_BYTES``)."""
DEEPEST = 8
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{1,18}")
_TRUTH = {"true": True, "false": False}
_SHOWN = 60


@dataclass(frozen=True)
class Said:
    """A value and its line, from 1.  ``value``: None, text, a number, a truth value, a list or a mapping by text."""

    line: int
    value: str | int | float | bool | tuple[Said, ...] | Mapping[str, Said] | None


def wrong(said: Said | int, at: str, what: str) -> Invalid:
    """The error of what is at a line; ``at``: as ``resources.flavor[0].ram``."""
    line = said if isinstance(said, int) else said.line
    return Invalid(f"document: line {line}: {at}: {what}" if at else f"document: line {line}: {what}")


def shown(value: object) -> str:
    """A value in a message, not longer than a line has room for."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def load(text: str) -> Said:
    """What a text says.  Raises Invalid naming the line, what is wrong there and what to do."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise Invalid("document: it is not text: write it in UTF-8") from error
    if size > MOST_BYTES:
        limit = f"{MOST_BYTES // 1024} KiB"
        raise Invalid(f"document: it has {size // 1024 + 1} KiB, at most {limit}: make several, by kind")
    try:
        return _whole(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        line = getattr(error.problem_mark, "line", 0) + 1
        why = error.problem or error.context
        raise wrong(line, "", f"this is no YAML: {why}: correct it there or just above") from error
    except yaml.YAMLError as error:  # a character that may be in no YAML
        before = text.encode()[: getattr(error, "position", 0)]
        what = "this is no YAML: a character that cannot be printed: remove it, or escape it in double quotes"
        raise wrong(before.count(b"\n") + 1, "", what) from error


def _whole(events: Iterator[Any]) -> Said:
    found: Said | None = None
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.DocumentStartEvent):
            if found is not None:
                raise wrong(line, "", "a second document begins: one is read, remove `---`")
        elif isinstance(event, yaml.NodeEvent):
            found = _value(event, events, 1)
    if found is None:
        raise Invalid("document: it is empty: write `version: 1` and `resources:`, or leave it as it was")
    return found


def _value(event: Any, events: Iterator[Any], depth: int) -> Said:
    line = event.start_mark.line + 1
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
        raise wrong(
            line, "", "anchors and aliases (`&`, `*`) are not read: write it out, or in quotes if it is text"
        )
    if event.tag is not None:
        raise wrong(line, "", f"tags ({shown(event.tag)}) are not read: leave it out")
    if depth > DEEPEST:
        raise wrong(line, "", f"more than {DEEPEST} levels deep: no field is")
    if isinstance(event, yaml.ScalarEvent):
        return Said(line, _plain(event, line))
    if isinstance(event, yaml.SequenceStartEvent):
        return Said(line, tuple(_items(events, depth)))
    return Said(line, _mapping(events, depth))


def _items(events: Iterator[Any], depth: int) -> Iterator[Said]:
    for event in events:
        if isinstance(event, yaml.SequenceEndEvent):
            return
        yield _value(event, events, depth + 1)


def _mapping(events: Iterator[Any], depth: int) -> dict[str, Said]:
    found: dict[str, Said] = {}
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            break
        key = _value(event, events, depth + 1)
        if not isinstance(key.value, str):
            raise wrong(key, "", "this is no name of a field: write text, in quotes")
        if key.value in found:
            first = found[key.value].line
            raise wrong(key, "", f"{shown(key.value)} is there twice, before in line {first}: keep one")
        found[key.value] = _value(next(events), events, depth + 1)
    return found


def _plain(event: Any, line: int) -> str | int | float | bool | None:
    text = str(event.value)
    if not event.implicit[0]:
        return text  # in quotes
    kind = str(_RESOLVER.resolve(yaml.ScalarNode, text, (True, False))).removeprefix(_TAG)  # type: ignore[no-untyped-call]
    if kind == "null":
        return None
    if kind == "bool" and text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    if kind == "int" and _DECIMAL.fullmatch(text):
        return int(text)
    if kind == "float" and _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    if kind in ("bool", "int", "float", "merge"):
        what = {"bool": "`true` or `false`", "merge": "it out"}.get(kind, "a decimal number")
        raise wrong(
            line, "", f"{shown(text)} can be read in several ways: write {what}, or in quotes if it is text"
        )
    return text


_RESOLVER = Resolver()
