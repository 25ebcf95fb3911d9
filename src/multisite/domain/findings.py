"""What a check of sites, files or a plan found: one type for everything that is in the way, differs or is unknown.

A check that found nothing found everything as it has to be: unknown is a finding, so it is never in sync.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """``SENTENCES`` has what each means."""

    BLOCKING = "blocking"
    DIFFERS = "differs"
    DEGRADED = "degraded"
    UNKNOWN = "unknown"
    NOTE = "note"


SENTENCES = {
    Severity.BLOCKING: "what was asked for is refused before anything is changed",
    Severity.DIFFERS: "it is not as it has to be: something fails now, or will when a site is lost",
    Severity.DEGRADED: "it works, worse than it should",
    Severity.UNKNOWN: "it could not be found out",
    Severity.NOTE: "good to know; nothing has to be done",
}


@dataclass(frozen=True)
class Finding:
    """``site``: "" when it is about several or none.  ``kind``: a word for programs, what it is about: ``mtu``,
    ``router gone``, ``flavor m1.small``.  ``what``: what was found, in words.  ``consequence``: what comes of it.
    ``remedy``: what to do.  ``repairable``: a repair by Multisite does it.
    """

    site: str
    kind: str
    what: str
    consequence: str = ""
    remedy: str = ""
    severity: Severity = Severity.DIFFERS
    repairable: bool = False

    @property
    def blocking(self) -> bool:
        return self.severity is Severity.BLOCKING

    def __str__(self) -> str:
        """``site paris: mtu: it is 1400, not 1450 (remedy: set it back)``."""
        site = f"site {self.site}" if self.site else ""
        said = ": ".join(part for part in (site, self.kind, self.what) if part)
        return f"{said} (remedy: {self.remedy})" if self.remedy else said


def blocking(site: str, kind: str, what: str, remedy: str) -> Finding:
    """Something in the way of what was asked for."""
    return Finding(site, kind, what, "", remedy, Severity.BLOCKING)


def unknown(site: str, why: str, consequence: str, remedy: str = "check again when it answers") -> Finding:
    """A site that did not tell."""
    return Finding(
        site, "unknown", f"it does not tell what it has: {why}", consequence, remedy, Severity.UNKNOWN
    )


def describe(findings: Iterable[Finding]) -> str:
    """All of them in one line of an error."""
    return "; ".join(str(finding) for finding in findings)


def blockers(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that have to be solved before anything is begun."""
    return tuple(finding for finding in findings if finding.blocking)


def in_sync(findings: Iterable[Finding]) -> bool | None:
    """What differs outweighs what is unknown; None: unknown."""
    severities = {finding.severity for finding in findings} - {Severity.NOTE}
    return False if severities - {Severity.UNKNOWN} else None if severities else True


@dataclass(frozen=True)
class Comparison:
    """What a check found, against what has to be."""

    findings: tuple[Finding, ...]

    @property
    def in_sync(self) -> bool | None:
        """None: unknown, a site could not be asked, and the others are as they have to be."""
        return in_sync(self.findings)
