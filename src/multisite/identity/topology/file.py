"""A topology as a YAML file (``version: 1``) and back.

Every error names the field (``sites[2].databases[0].port``), what is wrong with it and what to do; all of them at
once.  Rules that concern more than one field are in ``rules``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from multisite.domain.errors import Invalid
from multisite.identity.topology import rules as topology_rules
from multisite.identity.topology.model import Topology

VERSION = 1
LARGEST = 4_000_000
"""Characters, aliases written out; a topology of 500 sites has a tenth of it."""

_FILE: TypeAdapter[Topology] = TypeAdapter(Topology)


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice, instead of taking the last one, and half a character."""

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        if any("\ud800" <= character <= "\udfff" for character in str(node.value)):
            raise yaml.constructor.ConstructorError(None, None, "half of a character", node.start_mark)
        return super().construct_scalar(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str) or key in seen:
                what = "is given twice" if key in seen else "is no name"
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} {what}", key_node.start_mark)
            seen.add(key)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def read(path: Path) -> Topology:
    """The topology in a file (multisite.domain.errors.Invalid says, in one line each, all that is wrong)."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Invalid(f"{path}: cannot be read: {reason}: name a topology file") from error
    try:
        return parsed(text)
    except Invalid as error:
        lines = str(error).splitlines()
        raise Invalid("\n".join(f"{path}: {line}" for line in lines)) from error


def parsed(text: str) -> Topology:
    """As ``read``, of a text."""
    try:
        # The loader is SafeLoader's child: it makes plain values only.
        content = yaml.load(text, Loader=_Loader)  # noqa: S506
    except RecursionError:
        raise Invalid("the file: is nested too deep: write it as in docs/identity.md") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or "it is not YAML"
        raise Invalid(f"{where}{problem}: correct the YAML there") from error
    return checked(content)


def checked(content: Any) -> Topology:
    """As ``read``, of a file's content."""
    if not isinstance(content, dict):
        raise Invalid("the file: is no mapping of fields: begin it with 'version: 1'")
    said = _version(content.get("version"))
    fields = {name: value for name, value in content.items() if name != "version"}
    try:
        # As JSON: there a list is a tuple and a word a member of an enumeration, with types as exact as else.
        found = _FILE.validate_json(_as_json(fields))
    except ValidationError as error:
        raise Invalid("\n".join([*said, *(_said(e) for e in error.errors())])) from None
    if found.sites:
        said += [str(problem) for problem in topology_rules.problems(found)]
    else:
        said.append("sites: is empty: add a site")
    if said:
        raise Invalid("\n".join(said))
    return found


def _as_json(content: Mapping[str, Any]) -> str:
    """Aliases of YAML make much of little, or a list of itself."""
    pieces, size = [], 0
    try:
        for piece in json.JSONEncoder(default=str).iterencode(content):
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST:
                raise Invalid(f"the file: is more than {LARGEST} characters: leave out what is no topology")
    except ValueError:
        raise Invalid("the file: an alias (*name) stands for itself: write out what it means") from None
    return "".join(pieces)


def _version(given: Any) -> list[str]:
    if given is None:
        return ["version: is missing: add it"]
    return [] if type(given) is int and given == VERSION else [f"version: {given!r} is wrong: give {VERSION}"]


def dumped(made: Topology) -> str:
    """The file of a topology; fields that have their default are left out."""
    content = {"version": VERSION} | _FILE.dump_python(made, mode="json", exclude_defaults=True)
    return yaml.safe_dump(content, sort_keys=False, width=120)


def _said(error: Mapping[str, Any]) -> str:
    """One pydantic error in an operator's words."""
    path = where(error["loc"])
    kind, context = error["type"], error.get("ctx", {})
    given = error.get("input")
    if kind == "missing":
        return f"{path}: is missing: add it"
    if kind == "unexpected_keyword_argument":
        return f"{path}: is no field of a topology file: remove it or correct its name"
    if kind in ("literal_error", "enum"):
        return f"{path}: {_short(given)} is wrong: give {context['expected']}"
    message = error["msg"][:1].lower() + error["msg"][1:]
    shown = "" if isinstance(given, dict | list) else f"{_short(given)} is wrong: "
    return f"{path}: {shown}{message}"


def _short(value: object) -> str:
    return f"{value!r:.100}"


def where(location: Iterable[str | int]) -> str:
    """``sites[2].databases[0].port`` of a location in a nested value; a name that is no field may be anything."""
    text = ""
    for part in location:
        name = part if isinstance(part, str) and part.isprintable() else f"{part!r}"
        text += f"[{part}]" if isinstance(part, int) else f".{name:.100}" if text else f"{name:.100}"
    return text or "the file"
