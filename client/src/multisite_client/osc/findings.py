"""What checks and previews found, for people: one line, one table, and the exit status that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multisite_client.osc.base import lines

COLUMNS = {
    "Site": "site", "Severity": "severity", "Kind": "kind", "What": "what", "Consequence": "consequence",
    "Remedy": "remedy",
}  # fmt: skip
_STATUS = {True: 0, False: 1, None: 2}


def exit_status(as_wanted: bool | None) -> int:
    """0: as wanted; 1: it differs, or failed; 2 (None): unknown, or refused before anything was changed."""
    return _STATUS[as_wanted]


def startable(found: Mapping[str, Any]) -> int:
    """The exit status of a preview: what it is in the way of would be refused."""
    return exit_status(True if found["startable"] else None)


def is_blocking(finding: Mapping[str, Any]) -> bool:
    return bool(finding["severity"] == "blocking")


def headline(finding: Mapping[str, Any]) -> str:
    """``BLOCKING: site paris: mtu: it is 1400, not 1450``."""
    severity, kind = str(finding["severity"]), str(finding["kind"])
    site = f"site {finding['site']}" if finding["site"] else ""
    said = ": ".join(part for part in (site, kind if kind != severity else "", finding["what"]) if part)
    return f"{severity.upper() if is_blocking(finding) else severity}: {said}"


def line(finding: Mapping[str, Any]) -> str:
    """With what to do about it."""
    return headline(finding) + (f" (remedy: {finding['remedy']})" if finding["remedy"] else "")


as_lines = lines(line)
"""For a field that has several."""
