"""Findings of a comparison: the setting is the ``kind``, where it is and both values are in ``what``."""

from __future__ import annotations

from multisite.domain.findings import Finding, Severity
from multisite.identity.check.facts import Unknown

_NOT_COMPARED = "nobody can say whether it is as it should be"


def differs(
    site: str, where: str, setting: str, expected: str, found: str, consequence: str, remedy: str,
    severity: Severity = Severity.DIFFERS,
) -> Finding:  # fmt: skip
    """``where``: the node, file or catalog.  ``expected``, ``found``: as shown to the operator, never a password."""
    return Finding(site, setting, f"{where}: it is {found}, not {expected}", consequence, remedy, severity)


def unknown(site: str, where: str, setting: str, fact: Unknown) -> Finding:
    """About something that could not be read."""
    what = f"{where}: it could not be read: {fact.reason}"
    return Finding(site, setting, what, _NOT_COMPARED, fact.remedy, Severity.UNKNOWN)
