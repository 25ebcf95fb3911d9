"""Warm standby, as the commands of protections take and show it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any


def add_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--standby", type=int, metavar="<count>",
        help="Keep so many of the newest restore points restored at the target as volumes, so that recovering one only "
        "takes them over and boots (0: none; takes quota there)",
    )  # fmt: skip


def in_a_list(found: Mapping[str, Any]) -> str:
    """``ready (2 of 2)``, ``behind (1 of 2)``; empty when it is off."""
    if found["state"] == "off":
        return ""
    if found["state"] == "removing":
        return "removing"
    return f"{found['state']} ({found['ready']} of {found['wanted']})"


def as_lines(found: Mapping[str, Any]) -> str:
    """The word, what it takes, and a line for each restore point."""
    if found["state"] == "off":
        return "off"
    lines = [f"{in_a_list(found)}, {found['bytes'] / 2**30:.0f} GiB"]
    lines += [_line(point) for point in found["points"]]
    return "\n".join([*lines, *([str(found["note"])] if found["note"] else [])])


def _line(point: Mapping[str, Any]) -> str:
    said = f"{point['restore_point_id']} {point['state']} at {point['target_site']}"
    if point["state"] != "ready":
        job = f", job {point['job_id']}" if point["job_id"] else ""
        return f"{said}{job}"
    size = f"{point['volumes']} volumes, {point['bytes'] / 2**30:.0f} GiB"
    return f"{said} since {point['ready_at']} ({size}; seen {point['checked_at']})"
