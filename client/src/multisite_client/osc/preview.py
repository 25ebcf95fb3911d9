"""A recovery's preview for people: what is lost, what will happen, what stands in the way."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from typing import Any, TextIO

from multisite_client.osc import past
from multisite_client.osc.base import Formats, Row, ShowOne, lines, seconds, shown
from multisite_client.osc.findings import headline, is_blocking, startable

_RTO = ("predicted_rto_seconds", "predicted_rto_least", "predicted_rto_most", "predicted_rto_count")
ORDER = (
    "application", "purpose", "target_site", "restore_point_id", "consistent_at", "data_age_seconds", "source_state",
    *_RTO, "startable", "items", "problems", "made_at",
)  # fmt: skip

BESIDE_TABLE = tuple(name for name in ORDER if name not in ("items", "problems"))
"""The fields worth a line of their own when ``write`` has shown everything."""
WIDTH = 100


def _count(items: list[dict[str, Any]]) -> str:
    kinds: dict[str, int] = {}
    for item in items:
        key = f"{item['action']} {item['kind']}"
        kinds[key] = kinds.get(key, 0) + 1
    return ", ".join(f"{key} ({count})" for key, count in kinds.items())


FORMATS: Formats = {
    "items": _count,
    "problems": lines(headline),
    "data_age_seconds": seconds,
    "predicted_rto_seconds": seconds,
    "predicted_rto_least": seconds,
    "predicted_rto_most": seconds,
}


def summary(found: dict[str, Any]) -> str:
    """The decision in a few lines."""
    purpose = found.get("purpose")
    first = {"drill": "Drill: recover a copy of", "move": "Stop, and recover,"}.get(str(purpose), "Recover")
    text = [f"{first} {found['application']!r} in {found['target_site']}"]
    if purpose == "move":
        text.append("  from a restore point that is made when it has been stopped: nothing is lost")
        text.append(f"  that one builds on restore point {found['restore_point_id']}")
    else:
        text.append(f"  from restore point {found['restore_point_id']}")
        text.append(
            f"  data of {found['consistent_at']}: work of the last {seconds(found['data_age_seconds'])} "
            f"{'would be' if purpose == 'drill' else 'is'} lost"
        )
    text.append(f"  state of the source: {found['source_state']}")
    if found.get("predicted_rto_seconds") is not None:
        text.append(f"  expected to take {past.spread(found, *_RTO)}")
    blocking = [p for p in found["problems"] if is_blocking(p)]
    what = f"{_count(found['items'])}; {len(blocking)} blocking problems"
    text.append(textwrap.fill(what, WIDTH, initial_indent="  ", subsequent_indent="  "))
    return "\n".join(text)


def refused(command: ShowOne, parsed: argparse.Namespace, found: dict[str, Any]) -> Row | None:
    """Tell what was previewed before it is started; a row, and the exit status, when it cannot be."""
    stream = command.app.stdout if parsed.formatter == "table" else command.app.stderr
    stream.write(summary(found) + "\n")
    if found["startable"]:
        return None
    write(found, stream)
    command.exit_status = startable(found)
    return shown(found, ORDER, FORMATS)


def write(found: dict[str, Any], stream: TextIO) -> None:
    """Everything: the summary, each resource, each problem with its remedy."""
    stream.write(summary(found) + "\n")
    rows = [(i["action"], i["kind"], i["name"], i["detail"] or "") for i in found["items"]]
    _write_table(stream, ("what", "kind", "name", "how"), rows)
    for problem in found["problems"]:
        stream.write(f"{headline(problem)}\n    remedy: {problem['remedy']}\n")
    if not found["startable"]:
        what = {"drill": "drill", "move": "move"}.get(str(found.get("purpose")), "recovery")
        stream.write(f"This {what} cannot be started before the blocking problems are solved.\n")


def _write_table(stream: TextIO, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    # cliff's own table library: nothing new to import.
    from prettytable import PrettyTable

    made = PrettyTable(list(titles), align="l")
    made.add_rows([list(row) for row in rows])
    stream.write(f"{made}\n")
