"""What is lost of answered rows: compared with the tables, said in sentences.

A sentence per field of a kind, naming the things that have it set, so there are never more than the tables have fields.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from multisite.clouds.ledger import LEDGER
from multisite.clouds.ledger.model import UNSET, Field, Kind

Answered = Mapping[str, JsonValue]

MOST_NAMED = 5
"""Things named in one sentence, and fields."""
LONGEST_VALUE = 80
"""Characters of a value that are shown."""


@dataclass
class Notes:
    """Collects what is not carried over: sentences of the readers, and rows as the services answered them."""

    sentences: list[str] = field(default_factory=list)
    _rows: dict[str, list[tuple[str, Answered]]] = field(default_factory=dict)

    def add(self, sentence: str) -> None:
        self.sentences.append(sentence)

    def compare(self, kind: Kind, row: Answered, name: str | None = None) -> None:
        """Compare a row with its table at the end.  ``name``: of the thing, where the row itself has none."""
        self._rows.setdefault(kind.name, []).append((name or str(row.get("name") or row["id"]), row))

    def all(self) -> tuple[str, ...]:
        """Each sentence once: those of the readers as they came, then those of the tables in their order."""
        found = [s for kind in LEDGER for s in lost(kind, self._rows.get(kind.name, ()))]
        return tuple(dict.fromkeys([*self.sentences, *found]))


def lost(kind: Kind, rows: Iterable[tuple[str, Answered]]) -> list[str]:
    """What is lost of these rows, by their names: in the order of the table, then what it does not know."""
    named = _distinct(rows)
    found = []
    for one in kind.fields:
        if not one.told:
            continue
        having = {
            name: _shown(row[one.name])
            for name, row in named
            if one.name in row and one.is_set(row[one.name])
        }
        if having:
            found.append(f"{_subject(kind, having)}: {_told(one, having)}: {one.remedy}")
    return found + _unknown(kind, named)


def _distinct(rows: Iterable[tuple[str, Answered]]) -> list[tuple[str, Answered]]:
    """Sorted, each once; where things of one name are different ones the id is added."""
    by_id = {(name, str(row.get("id") or n)): row for n, (name, row) in enumerate(rows)}
    times = Counter(name for name, _ in by_id)
    return [
        (f"{name} ({id})" if times[name] > 1 and id != name and row.get("id") else name, row)
        for (name, id), row in sorted(by_id.items(), key=lambda item: item[0])
    ]


def _subject(kind: Kind, having: Mapping[str, str]) -> str:
    """ "ports a, b and 7 more", each with its value where these differ."""
    differ = len(set(having.values())) > 1
    shown = [f"{name} ({value})" if differ else name for name, value in list(having.items())[:MOST_NAMED]]
    more = f" and {len(having) - MOST_NAMED} more" if len(having) > MOST_NAMED else ""
    return f"{kind.name if len(having) == 1 else kind.plural} {', '.join(shown)}{more}"


def _told(one: Field, having: Mapping[str, str]) -> str:
    values = set(having.values())
    if len(values) > 1:
        return one.told.replace(" {value}", "")
    return one.told.replace("{value}", values.pop())


def _shown(value: JsonValue) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def _unknown(kind: Kind, named: Iterable[tuple[str, Answered]]) -> list[str]:
    """One sentence; values of unknown meaning are not shown."""
    known = {one.name for one in kind.fields}
    having: dict[str, str] = {}
    fields: set[str] = set()
    for name, row in named:
        new = {key for key, value in row.items() if key not in known and value not in UNSET}
        if new:
            having[name], fields = "", fields | new
    if not fields:
        return []
    more = f" and {len(fields) - MOST_NAMED} more" if len(fields) > MOST_NAMED else ""
    listed = ", ".join(sorted(fields)[:MOST_NAMED]) + more
    return [
        f"{_subject(kind, having)}: this release knows nothing of {listed}: compare it at the target, and report it"
    ]
