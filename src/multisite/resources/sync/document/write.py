"""The document of what a site has: equal states give equal texts, so that version control shows what differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from multisite.domain.resource_sync import Record
from multisite.resources.sync.document.read import VERSION
from multisite.resources.sync.kinds import KINDS

_WIDTH = 120


class _Dumper(yaml.SafeDumper):
    """Without anchors: they are not read."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def document(found: Mapping[str, Mapping[str, Record]], notes: Sequence[str]) -> str:
    """``found``: by kind and id the records of a site; ``notes``: what of it is not carried, as comments."""
    said = {kind: _entries(kind, records) for kind, records in found.items()}
    text = yaml.dump(
        {"version": VERSION, "resources": said}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH
    )  # fmt: skip
    lines = [
        "Desired state for `openstack multisite resource sync create --file`; what is left out is left alone."
    ]
    return "".join(f"# {_on_a_line(line)}\n" for line in [*lines, *notes]) + text


def _entries(kind: str, records: Mapping[str, Record]) -> list[dict[str, Any]]:
    entry = KINDS[kind].entry
    if entry is None:
        raise AssertionError(f"{kind} is in no document")
    often = Counter(record.name for record in records.values())
    ids = {
        id: record.name if often[record.name] == 1 and record.name else id for id, record in records.items()
    }
    ordered = sorted(records.values(), key=lambda record: (record.name, record.id))
    return [
        ({} if ids[one.id] == one.name else {"id": ids[one.id]})
        | _in_order(tuple(entry.fields), entry.said(one.fields, ids))
        for one in ordered
    ]


def _in_order(names: Sequence[str], fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in names if name in fields}


def _on_a_line(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)
