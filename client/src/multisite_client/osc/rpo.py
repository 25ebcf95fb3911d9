"""An RPO as people see it: what would be lost now, and how it was, as a line of bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from multisite_client.osc.base import Formats, Row, lines, seconds, shown

BARS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
WIDTH = 60
_ORDER = (
    "application", "state", "reason", "target_seconds", "lost_seconds", "lost_bytes", "lost_bytes_note",
    "consistent_at", "restore_point_id", "history", "events",
)  # fmt: skip


def in_a_list(found: Mapping[str, Any]) -> str:
    """State, and age against the target."""
    if found["lost_seconds"] is None or found["state"] == "no target":
        return str(found["state"])
    about = "" if found.get("lost_bytes") is None else f", about {size(found['lost_bytes'])}"
    return f"{found['state']} ({seconds(found['lost_seconds'])} of {seconds(found['target_seconds'])}{about})"


def size(value: float) -> str:
    """Bytes for people: ``512 B``, ``3.4 MiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def row(report: Mapping[str, Any]) -> Row:
    """Fields and values; for machines the samples as they are."""
    series = {"history": report["samples"], "events": report["events"]}
    fields = {"application": report["application"], **report["now"], **series}
    formats: Formats = {
        "target_seconds": seconds, "lost_seconds": seconds, "lost_bytes": size, "history": plot,
        "events": lines(_event),
    }  # fmt: skip
    return shown(fields, _ORDER, formats)


def plot(samples: Sequence[Mapping[str, Any]]) -> str:
    """A bar for each stretch, full height at the target or the worst; ``!`` over the target, ``?`` unknown or all."""
    if not samples:
        return "no samples yet"
    size = -(-len(samples) // WIDTH)
    stretches = [samples[n : n + size] for n in range(0, len(samples), size)]
    known = [s["lost_seconds"] for s in samples if s["lost_seconds"] is not None]
    target = samples[-1]["target_seconds"]
    top = max([*known, target or 0, 1])
    bars = "".join(_bar([s["lost_seconds"] for s in part], top) for part in stretches)
    over = "".join("!" if any(s["state"] == "missed" for s in part) else " " for part in stretches).rstrip()
    said = f"{samples[0]['at']} to {samples[-1]['at']}, highest {seconds(top)}"
    return "\n".join([*([over] if over else []), bars, said])


def _bar(values: Sequence[float | None], top: float) -> str:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return "?"
    return BARS[min(len(BARS) - 1, int(max(known) / top * len(BARS)))]


def _event(event: Mapping[str, Any]) -> str:
    return f"{event['at']} {event['state']}: {event['reason']}".rstrip(": ")
