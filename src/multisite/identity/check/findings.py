"""What differs from the topology, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    ERROR = "error"
    """Something fails, or will when a site is lost."""
    WARNING = "warning"
    """It works, worse than it should."""
    UNKNOWN = "unknown"
    """It could not be seen."""


@dataclass(frozen=True)
class Finding:
    """``site``: "" when it is about all of them.  ``where``: the node, file or catalog.  ``what``: the setting.
    ``consequence``: one sentence."""

    severity: Severity
    site: str
    where: str
    what: str
    expected: str
    found: str
    consequence: str


IN_STEP, DRIFT, UNKNOWN = 0, 1, 2


def verdict(findings: Iterable[Finding]) -> int:
    """``IN_STEP``, ``DRIFT`` (also when something else is unknown) or ``UNKNOWN``."""
    kinds = {finding.severity for finding in findings}
    if kinds - {Severity.UNKNOWN}:
        return DRIFT
    return UNKNOWN if kinds else IN_STEP


def unknown(site: str, where: str, what: str, reason: str, expected: str = "") -> Finding:
    """A finding about something that was not seen."""
    consequence = "nobody can say whether it is as it should be"
    return Finding(Severity.UNKNOWN, site, where, what, expected, reason, consequence)
