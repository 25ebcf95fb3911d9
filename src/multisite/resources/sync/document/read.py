"""A document of desired state, as a site that has exactly that: by kind and id the records.

::

    version: 1
    resources:
      security-group:
      - name: web
        rules:
        - {direction: ingress, protocol: tcp, port_range_min: 443, port_range_max: 443}

A kind that is left out is left alone; ``[]`` is none of it.  The id of an entry is its ``id``, else its name, and says
from one version to the next which is which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multisite.domain.errors import Invalid
from multisite.domain.resource_sync import Record
from multisite.resources.sync.document.entries import LONGEST, Entry, items, known, title
from multisite.resources.sync.document.lines import Said, load, shown, wrong
from multisite.resources.sync.kinds import KINDS

VERSION = 1
Desired = Mapping[str, Mapping[str, Record]]


def desired(text: str) -> Desired:
    """What is wanted.  Raises Invalid naming the line and the field, what is wrong and what to do."""
    whole = known(load(text), "", ("version", "resources"))
    for name in ("version", "resources"):
        if name not in whole:
            raise Invalid(f"document: {name}: it is missing: write `{name}:` at the beginning of a line")
    if whole["version"].value != VERSION or isinstance(whole["version"].value, bool):
        raise wrong(
            whole["version"], "version", f"{shown(whole['version'].value)}: this service reads {VERSION}"
        )
    said = whole["resources"]
    kinds = {name: row.entry for name, row in KINDS.items() if row.entry is not None}
    if isinstance(said.value, Mapping) and "image" in said.value:
        what = "the data of images is in no document: use `image replicate`, or a sync with a source site"
        raise wrong(said.value["image"], "resources.image", what)
    found = known(said, "resources", tuple(kinds))
    if not found:
        raise wrong(said, "resources", f"no kind is said: name some of {', '.join(kinds)}")
    return {kind: _records(kinds[kind], found[kind], f"resources.{kind}") for kind in found}


def _records(entry: Entry, said: Said, at: str) -> dict[str, Record]:
    listed = [(one, f"{at}[{number}]") for number, one in enumerate(items(said, at))]
    found: dict[str, Record] = {}
    lines: dict[str, int] = {}
    for one, where in listed:
        record = _record(entry, one, where)
        if record.id in found:
            what = f"{shown(record.id)} is in line {lines[record.id]}, too: give each an `id` that stays the same"
            raise wrong(one, where, what)
        found[record.id], lines[record.id] = record, one.line
    for one, where in listed:
        for named, place in entry.refers(one, where):
            if named.value not in found:
                raise wrong(
                    named, place, f"{shown(named.value)} is no entry here: write its `id`, or its name"
                )
    return found


def _record(entry: Entry, said: Said, at: str) -> Record:
    parts = known(said, at, ("id", *entry.fields))
    for name in entry.required:
        if name not in parts:
            raise wrong(said, at, f"{name}: it is missing")
    fields: dict[str, Any] = dict(entry.defaults)
    fields |= {
        name: entry.fields[name](value, f"{at}.{name}") for name, value in parts.items() if name != "id"
    }
    name = entry.name(fields)
    id = title(parts["id"], f"{at}.id") if "id" in parts else name
    if not id or len(id) > LONGEST:
        raise wrong(said, at, f"id: 1 to {LONGEST} characters, it has {len(id)}: write an `id`")
    return Record(id, name, fields)
