"""What is kept of a drill beside its recovery: what was asked for, what was seen, and its report."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

Target = Annotated[float, Field(gt=0, le=366 * 24 * 3600.0)]


Verify = Literal["none", "store"]
"""How the data of a drill are compared with what the restore point says of them: not at all, but by the guests
themselves; or every block of every backup, in the backup store, with its digest.
"""


@dataclass(frozen=True)
class DrillOptions:
    """``keep``: the copy stays until somebody ends the drill.  Targets are seconds; None: there is none."""

    verify: Annotated[
        Verify,
        Field(description="store: compare every block of the backups with its digest, in the backup store"),
    ] = "store"
    keep: Annotated[bool, Field(description="Leave the copy to look at, until the drill is ended")] = False
    rto_target: Annotated[
        Target | None, Field(description="Seconds a recovery may take; a longer drill has failed")
    ] = None
    rpo_target: Annotated[
        Target | None,
        Field(description="Seconds of work that may be lost; with older data the drill has failed"),
    ] = None


@dataclass(frozen=True)
class StepTime:
    """A step of the drill as its run ended.  ``seconds`` None: it did not begin."""

    name: str
    title: str
    state: str
    started_at: datetime | None
    seconds: float | None
    error: str | None = None


@dataclass(frozen=True)
class VolumeDigest:
    """A volume of which every block was as it was when it was backed up.

    ``digest``: sha256 over the sha256 of each of its ``blocks`` blocks of ``block_bytes``, in order, as the volume was
    at the consistency point; ``recorded``: the restore point, which is signed, has the same.  ``unknown``: why the data
    could not be compared, "" if they were.
    """

    volume: str
    volume_id: str
    backups: tuple[str, ...]
    digest: str = ""
    blocks: int = 0
    block_bytes: int = 0
    recorded: bool = False
    unknown: str = ""


@dataclass(frozen=True)
class Seen:
    """What is known when the steps have ended, before what they made is removed."""

    steps: tuple[StepTime, ...] = ()
    digests: tuple[VolumeDigest, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class Difference:
    """One thing of the target that is there and was not, or the other way round."""

    kind: str
    id: str
    name: str


@dataclass(frozen=True)
class KindCount:
    """``unknown``: why one of both could not be read, "" if they were."""

    service: str
    kind: str
    before: int | None
    after: int | None
    unknown: str = ""


@dataclass(frozen=True)
class InventoryResult:
    """The target's project before the drill and after it.

    ``left``: what the drill made and is there still; ``gone``: what was there and is not; ``others``: what came or went
    meanwhile and is not the drill's; ``kept``: backup records that stay, for deleting one deletes its data.
    """

    counts: tuple[KindCount, ...] = ()
    left: tuple[Difference, ...] = ()
    gone: tuple[Difference, ...] = ()
    others: tuple[Difference, ...] = ()
    kept: tuple[Difference, ...] = ()

    @property
    def unknown(self) -> bool:
        return not self.counts or any(c.unknown for c in self.counts)

    @property
    def equal(self) -> bool:
        """Nothing of the drill is left, and nothing is missing."""
        return not (self.unknown or self.left or self.gone)


@dataclass(frozen=True)
class Drill:
    """``id``: of the recovery.  ``report``: the signed one, as text, once there is one."""

    id: str
    options: DrillOptions
    seen: Seen = field(default_factory=Seen)
    inventory: InventoryResult = field(default_factory=InventoryResult)
    report: str | None = None
    created_at: datetime | None = None


class DrillResult(StrEnum):
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True)
class DrillReport:
    """What a drill has shown.  ``reasons``: why it failed; ``kept``: the copy is not removed yet; times are seconds."""

    id: str
    application: str
    application_id: str
    requested_by: str
    restore_point_id: str
    consistent_at: datetime | None
    target_site: str
    site_project_id: str
    begun_at: datetime
    made_at: datetime
    result: DrillResult
    reasons: tuple[str, ...]
    kept: bool
    state: str
    rto_seconds: float | None
    rpo_seconds: float | None
    options: DrillOptions
    digests: tuple[VolumeDigest, ...]
    inventory: InventoryResult
    steps: tuple[StepTime, ...]
    format: str = "multisite.drill-report/1"


@dataclass(frozen=True)
class DrillStatus:
    """A drill as operators see it; ``result`` None until there is a report."""

    id: str
    application: str
    project_id: str
    state: str
    target_site: str
    site_project_id: str
    restore_point_id: str
    consistent_at: datetime | None
    verify: Verify
    keep: bool
    result: DrillResult | None
    reasons: tuple[str, ...]
    rto_seconds: float | None
    rpo_seconds: float | None
    inventory_equal: bool | None
    job_id: str
    requested_by: str
    created_at: datetime
    ended_at: datetime | None
    error: str | None
