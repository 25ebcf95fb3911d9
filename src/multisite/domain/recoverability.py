"""Whether an application could be recovered if its site died now, and how long it would take."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from multisite.domain.findings import Finding, Severity, blockers


class Recoverable(StrEnum):
    YES = "yes"
    NO = "no"  # something is in the way; the findings say what, and what to do
    UNKNOWN = "unknown"  # the target, the store or a part of them did not tell


@dataclass(frozen=True)
class TargetLook:
    """Of one more target site of a protection, as ``Recoverability``."""

    target_site: str
    recoverable: Recoverable
    since: datetime
    reason: str
    findings: tuple[Finding, ...] = ()
    restore_point_id: str | None = None
    rules_of: str = ""
    rto_seconds: float | None = None
    rto_least: float | None = None
    rto_most: float | None = None
    rto_count: int = 0
    past_median: float | None = None
    past_least: float | None = None
    past_most: float | None = None
    past_count: int = 0
    method: str = ""


@dataclass(frozen=True)
class Recoverability:
    """One look at a protection (``id``): what a recovery in its target site would ask for, asked without one.

    ``target_site``: the preferred one; ``others``: the same of the other ones.
    ``since``: when it was first found so.  ``rules_of``: the recovery plan, recovery or drill whose mapping was
    used, "" none.
    ``rto_*``: predicted from the speeds of the newest recoveries there by the protection's ``method``: the median, the
    lowest, the highest, and how many there were (0: ``rto_seconds`` is what was set, or None).
    ``past_*``: measured RTO of past recoveries and drills of the application there by that method; those that took over
    a warm standby count where the next one would.  None and 0 without any.
    """

    id: str
    recoverable: Recoverable
    looked_at: datetime
    since: datetime
    target_site: str
    reason: str
    findings: tuple[Finding, ...] = ()
    restore_point_id: str | None = None
    rules_of: str = ""
    rto_seconds: float | None = None
    rto_least: float | None = None
    rto_most: float | None = None
    rto_count: int = 0
    past_median: float | None = None
    past_least: float | None = None
    past_most: float | None = None
    past_count: int = 0
    method: str = ""
    others: tuple[TargetLook, ...] = ()

    @property
    def at(self) -> dict[str, Recoverable]:
        """By target site, the preferred one first; empty without any."""
        here = {self.target_site: self.recoverable} if self.target_site else {}
        return here | {other.target_site: other.recoverable for other in self.others}


def judge(findings: Sequence[Finding], unread: Collection[Finding] = ()) -> tuple[Recoverable, str]:
    """What a preview's findings mean, and why in a line; "" when nothing is in the way.

    ``unread``: those of them that say only that the target did not tell.
    """
    if blocking := [finding for finding in blockers(findings) if finding not in unread]:
        first = f"{blocking[0].kind}: {blocking[0].what}"
        more = f" (and {len(blocking) - 1} more)" if len(blocking) > 1 else ""
        return Recoverable.NO, first + more
    unknown = [f for f in findings if f.severity is Severity.UNKNOWN or f in unread]
    if unknown:
        return Recoverable.UNKNOWN, f"{unknown[0].kind}: {unknown[0].what}"
    return Recoverable.YES, ""
