"""The things operators name: sites, applications, protections, restore points, recoveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from multisite.domain.findings import Finding, blockers


@dataclass(frozen=True)
class Site:
    """``cloud`` names an entry of clouds.yaml: credentials are referred to, never stored."""

    id: str
    name: str
    cloud: str
    region: str
    auth_url: str
    description: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True)
class ProjectGrant:
    """In ``site``, things of our project ``project_id`` may be in the site's project ``site_project_id``.

    Everything is done in the one of them that ``is_default``; a recovery may choose another.  Ids are of two Keystones,
    or of one that both share; a name alone is nobody's.
    """

    id: str
    project_id: str
    site: str
    site_project_id: str
    site_project_name: str
    granted_by: str
    created_at: datetime
    is_default: bool = False


class Known(StrEnum):
    """A fact read from a site.  An unreachable site is "unknown", never "no"."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Capability:
    """One thing a site can or cannot do; ``detail`` says what was seen and, for "no", what to do."""

    name: str
    present: Known
    detail: str = ""
    version: str | None = None


@dataclass(frozen=True)
class SiteCheck:
    site: str
    checked_at: datetime
    reachable: bool
    seconds: float
    capabilities: tuple[Capability, ...]
    error: str | None = None


class MemberRole(StrEnum):
    """In a pair (or more): who serves, and who stands by with the same data.  Alone, a server is active."""

    ACTIVE = "active"
    STANDBY = "standby"


@dataclass(frozen=True)
class Member:
    """One server of an application, in boot order (1 first); ``quiesce=False``: never frozen, but snapshotted.

    ``role``: a protection through standbys (``standby_only``) leaves active members alone altogether.
    """

    server_id: str
    server_name: str
    order: int
    quiesce: bool = True
    role: MemberRole = MemberRole.ACTIVE


@dataclass(frozen=True)
class Application:
    id: str
    name: str
    project_id: str
    site: str
    members: tuple[Member, ...]
    metadata_tag: str | None = None
    created_at: datetime | None = None
    epoch: int = 0
    """0: what was described is the application; else another copy is, made by a recovery (``domain.epoch``)."""


@dataclass(frozen=True)
class Protection:
    id: str
    application_id: str
    application: str
    project_id: str
    method: str
    site: str
    target_site: str | None
    options: dict[str, Any] = field(default_factory=dict)
    """Its method's own, complete (``recovery.methods.base.ProtectionMethod.options``)."""
    created_at: datetime | None = None
    last_restore_point: str | None = None
    policy_id: str | None = None
    policy: str | None = None
    """Its name."""
    paused: bool = False
    """No run by the policy, and no deletion."""
    standby: int = 0
    """So many of its newest restore points are kept restored at the target (``domain.standby``)."""
    other_target_sites: tuple[str, ...] = ()
    """Beside ``target_site``, which is preferred; in the order of preference."""

    @property
    def target_sites(self) -> tuple[str, ...]:
        """Every site it may be recovered in, the preferred one first."""
        return tuple(site for site in (self.target_site, *self.other_target_sites) if site is not None)

    def aimed_at(self, sites: Sequence[str]) -> Protection:
        """The same with these target sites, the preferred one first."""
        return replace(self, target_site=sites[0] if sites else None, other_target_sites=tuple(sites[1:]))


class RestorePointState(StrEnum):
    RUNNING = "running"  # not usable yet
    AVAILABLE = "available"  # manifest and backups are complete and digested
    FAILED = "failed"  # not usable; nothing of it is left in the site
    SUPERSEDED = (
        "superseded"  # usable, but a recovery made another copy the application since: by its id only
    )
    UNKNOWN = "unknown"  # usable, if it is not superseded: the file that tells is damaged; by its id only
    MISSING = "missing"  # the database knows it, the backup store does not hold it, or all its data, any more


@dataclass(frozen=True)
class RestorePoint:
    """The database's cache of a manifest; ``digest`` is the sha256 of its canonical bytes."""

    id: str
    application_id: str
    application: str
    project_id: str
    protection_id: str | None
    method: str
    state: RestorePointState
    incremental: bool
    parent_id: str | None
    created_at: datetime
    consistent_at: datetime | None = None
    frozen_seconds: float | None = None
    frozen: tuple[dict[str, Any], ...] = ()
    marks: tuple[dict[str, str], ...] = ()
    quiesced: bool = True
    size_gib: int | None = None
    digest: str | None = None
    job_id: str | None = None
    error: str | None = None
    epoch: int = 0
    carried_bytes: int | None = None
    """Of an incremental one: so many bytes of blocks that had changed in ``carried_seconds``; None: not known."""
    carried_seconds: float | None = None


class Purpose(StrEnum):
    """What a recovery is for."""

    DISASTER = "disaster"  # its copy is the application from then on
    DRILL = "drill"  # a copy in isolated networks, to prove that it could be done; the application is where it was
    MOVE = "move"  # as for a disaster, without loss: of a restore point made with the application stopped


@dataclass(frozen=True)
class PreviewItem:
    """What a recovery will do with one resource: create it, use one that is there, or map it to another."""

    kind: str
    name: str
    action: str
    detail: str = ""
    target_id: str | None = None


@dataclass(frozen=True)
class Preview:
    restore_point_id: str
    application: str
    target_site: str
    made_at: datetime
    consistent_at: datetime
    data_age_seconds: float
    items: tuple[PreviewItem, ...]
    problems: tuple[Finding, ...]
    source_state: str
    predicted_rto_seconds: float | None = None
    """Median of what ``predicted_rto_count`` past recoveries there by the same method predict; of 0: what was set."""
    predicted_rto_least: float | None = None
    predicted_rto_most: float | None = None
    predicted_rto_count: int = 0
    purpose: Purpose = Purpose.DISASTER

    @property
    def digest(self) -> str:
        """Hex sha256 of what is shown, but for times: by it a start knows that nothing has changed since."""
        shown = (self.restore_point_id, self.target_site, self.items, self.problems, self.source_state)
        return sha256(repr(shown).encode()).hexdigest()

    @property
    def startable(self) -> bool:
        return not blockers(self.problems)


class RecoveryState(StrEnum):
    RUNNING = "running"  # servers are being recreated at the target
    DONE = "done"  # every server passed its readiness gate
    PAUSED = "paused"  # a step failed; what was made is kept: resume or undo
    UNDOING = "undoing"
    UNDONE = "undone"  # nothing of it is left at the target
    UNDO_FAILED = "undo_failed"  # something is left; the job's steps name it


@dataclass(frozen=True)
class ProtectedFrom:
    """Where a protection protected, and to where, before its application was reprotected."""

    id: str
    site: str
    target_site: str | None
    other_target_sites: tuple[str, ...] = ()


@dataclass(frozen=True)
class DescribedBefore:
    """What a reprotection changes, as it was: where the application was described to be, and its protections."""

    site: str
    members: tuple[Member, ...]
    protections: tuple[ProtectedFrom, ...] = ()


@dataclass(frozen=True)
class Recovery:
    id: str
    application: str
    project_id: str
    restore_point_id: str
    target_site: str
    state: RecoveryState
    job_id: str
    requested_by: str
    created_at: datetime
    ended_at: datetime | None = None
    consistent_at: datetime | None = None
    rto_seconds: float | None = None
    rpo_seconds: float | None = None
    servers: tuple[dict[str, Any], ...] = ()
    mapping: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    application_id: str = ""
    """"" for one begun by an earlier release whose restore point was forgotten."""
    epoch: int = 0
    """Of the application, when it is done; 0 for one begun by an earlier release, which begins none."""
    site_project_id: str = ""
    """Of the target: everything it makes is in that project; "" for one begun by an earlier release."""
    purpose: Purpose = Purpose.DISASTER
    plan: str = ""
    """Name of the recovery plan that it was begun by; "": none."""
    reprotected_at: datetime | None = None
    """Since then the application, and what protects it, is described where it was recovered."""
    committed_at: datetime | None = None
    """Since then nothing of it is undone."""
    described_before: DescribedBefore | None = None
    downtime_seconds: float | None = None
    """Of a move: from the first member that was stopped to the last that was ready; None: not known, or none ran."""
    answers: dict[str, dict[str, str]] = field(default_factory=dict)
    """By step that asked the operator: ``text``, ``by`` (name) and ``at``."""
    method: str | None = None
    """Of its restore point; None for one begun by an earlier release."""
    warm: bool = False
    """It took over what was kept restored (``domain.standby``), so that less was restored, or nothing."""
