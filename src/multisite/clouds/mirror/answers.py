"""What ``rbd --format json`` writes (Ceph 16.2: ``src/tools/rbd/action/{Info,Snap,MirrorImage,MirrorPool}.cc``)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from multisite.clouds.mirror.backend import MirrorImage, MirrorMode

Row = Mapping[str, Any]


def image_of(info: Row, snapshots: Iterable[Row] = (), status: Row | None = None) -> MirrorImage:
    """From ``rbd info``, ``rbd snap ls --all`` and ``rbd mirror image status``.

    Raises KeyError, TypeError or ValueError for what is none of them.
    """
    name, id, size = str(info["name"]), str(info["id"]), int(info["size"])
    mirroring = info.get("mirroring") or {}
    if mirroring.get("state") != "enabled":
        return MirrorImage(name, id, size)
    rows, status = list(snapshots), status or {}
    state, detail = str(status.get("state", "")), str(status.get("description", ""))
    figures = _figures(detail)
    received = _received(rows)
    stamp = figures.get("local_snapshot_timestamp")
    return MirrorImage(
        name, id, size,
        mode=MirrorMode(mirroring["mode"]),
        global_id=str(mirroring["global_id"]),
        primary=bool(mirroring["primary"]),
        state=state,
        detail=detail.partition(", {")[0],
        snapshots=frozenset(str(row["name"]) for row in rows if _namespace(row) == "user"),
        received=received,
        behind=_number(figures.get("entries_behind_primary")),
        percent=_number(figures.get("syncing_percent")),
        synced_at=datetime.fromtimestamp(float(stamp), UTC) if stamp else None,
    )  # fmt: skip


def _received(rows: Iterable[Row]) -> int | None:
    """The newest complete one; those under way, and those of the time when it was primary, do not count."""
    spaces = [row["namespace"] for row in rows if _namespace(row) == "mirror"]
    whole = [s for s in spaces if s.get("primary_mirror_uuid") and s.get("complete")]
    return max((int(s["primary_snap_id"]) for s in whole), default=None)


def _namespace(row: Row) -> str:
    return str((row.get("namespace") or {}).get("type", ""))


def _figures(detail: str) -> dict[str, Any]:
    """``replaying, {"entries_behind_primary":3, ...}``: the object in it."""
    _, brace, rest = detail.partition("{")
    if not brace:
        return {}
    try:
        found = json.loads(brace + rest)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None
