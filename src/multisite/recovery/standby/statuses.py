"""What there is of a protection's warm standby, from the database alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from multisite.domain.model import Protection
from multisite.domain.standby import Standby, StandbyState, StandbyWord


@dataclass(frozen=True)
class StandbyPoint:
    """A restore point that is, was or will be restored at the target.  ``bytes``: of its volumes.

    ``ready_at``: since when; ``checked_at``: when its volumes were last seen to be there; ``error``: what went wrong.
    """

    restore_point_id: str
    target_site: str
    state: StandbyState
    volumes: int
    bytes: int
    ready_at: datetime | None = None
    checked_at: datetime | None = None
    job_id: str | None = None
    recovery_id: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class StandbyStatus:
    """``wanted``: so many restore points are kept; ``ready``: so many are; ``bytes``: what all of it takes there.

    ``points``: newest first.  ``note``: what is in the way, None: nothing.
    """

    state: StandbyWord
    wanted: int
    ready: int
    bytes: int
    points: tuple[StandbyPoint, ...] = ()
    note: str | None = None


def status_of(protection: Protection, known: Sequence[Standby]) -> StandbyStatus:
    """``known``: the protection's, newest first."""
    ready = [one for one in known if one.state is StandbyState.READY]
    note = next((one.error for one in known if one.error), None)
    if note is None and protection.standby and protection.paused:
        note = "the protection is paused: nothing is restored or removed"
    return StandbyStatus(
        _word(protection, known, ready),
        protection.standby,
        len(ready),
        sum(one.bytes for one in known),
        tuple(_point(one) for one in known),
        note,
    )


def _word(protection: Protection, known: Sequence[Standby], ready: Sequence[Standby]) -> StandbyWord:
    if not protection.standby:
        return StandbyWord.REMOVING if known else StandbyWord.OFF
    if any(one.restore_point_id == protection.last_restore_point for one in ready):
        return StandbyWord.READY
    return StandbyWord.BEHIND if ready else StandbyWord.NONE


def _point(one: Standby) -> StandbyPoint:
    return StandbyPoint(
        one.restore_point_id, one.target_site, one.state, len(one.volumes), one.bytes, one.ready_at, one.checked_at,
        one.job_id, one.recovery_id, one.error,
    )  # fmt: skip
