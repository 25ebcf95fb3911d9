"""What a protection method is: one way to make restore points, to remove them, and to restore from them.

The job that protects, the job that deletes a restore point and the job that recovers are the same for all
methods; what they do to the volumes' data is their method's.  CONTRIBUTING.md has the recipe for a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pydantic import JsonValue, TypeAdapter

from multisite.clouds.connect import CloudSite, Sites
from multisite.domain.adapter import adapter_of
from multisite.domain.errors import Invalid
from multisite.domain.findings import Finding
from multisite.domain.manifest import Manifest, VolumeRecord
from multisite.domain.model import Application, Capability, Protection
from multisite.domain.validation import validated
from multisite.jobs.model import Json, Step, StepContext
from multisite.jobs.values import decode
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.methods.offers import Candidate, Offer
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.model import PlannedVolume
from multisite.store.protections import ProtectionRepository
from multisite.store.recoveries import RecoveryRepository
from multisite.store.restore_points import RestorePointRepository

DATA_GONE = "backup gone"
"""Kind of the findings of data that are not there any more."""
RESTORES, IMPORTS, CALLS = "recover-restores", "recover-imports", "recover-calls"
"""Limits of the steps of a recovery: how many of each at the same time."""


@dataclass(frozen=True)
class ProtectDependencies:
    """What the jobs around a restore point work with.  ``backups_per_site``: made at the same time."""

    sites: Sites
    manifests: ManifestStore
    restore_points: RestorePointRepository
    protections: ProtectionRepository
    recoveries: RecoveryRepository
    backups_per_site: int


@dataclass(frozen=True)
class RunRequest:
    """One run somebody asked for.  ``previous``: the newest restore point of the application.

    ``incremental``: True, False, or None for "as the chain allows".
    """

    application: Application
    protection: Protection
    previous: Manifest | None
    incremental: bool | None
    restore_point_id: str
    created_at: datetime


@dataclass(frozen=True)
class PlannedRun:
    """The run that was decided.  ``plan`` is the method's own; ``summary`` says it in words.

    ``parent_id``: the restore point it builds on when it is ``incremental``.
    """

    summary: str
    plan: Mapping[str, JsonValue]
    incremental: bool
    parent_id: str | None
    quiesced: bool
    size_gib: int


@dataclass(frozen=True)
class ProtectOrder:
    """The parameters of the job that makes one restore point; ``plan`` is the method's (``PlannedRun.plan``).

    ``notes``: what an operator should know of the application, in words.  ``stopped``: of a run with the application
    shut off, the servers that were stopped for it, each with its ports in the order of its NICs when it ran: they
    count as running.  None for any other run.
    """

    restore_point_id: str
    protection_id: str
    application: Application
    method: str
    created_at: datetime
    plan: dict[str, JsonValue]
    notes: tuple[str, ...] = ()
    stopped: dict[str, tuple[str, ...]] | None = None

    @property
    def label(self) -> str:
        """Name of what the run makes in the site."""
        return f"{self.application.name}-{self.restore_point_id}"

    def to_params(self) -> dict[str, Json]:
        params: dict[str, Json] = _ORDER.dump_python(self, mode="json")
        return params

    @classmethod
    def from_params(cls, params: Mapping[str, Json]) -> ProtectOrder:
        """Raises pydantic's ValidationError for anything ``to_params`` did not write.

        Jobs from before plans were a method's own have its options beside the plan.
        """
        known = {name: params[name] for name in cls.__dataclass_fields__ if name in params}
        options = {name: value for name, value in params.items() if name not in known}
        plan = decode(params["plan"], dict[str, object], "plan")
        return _ORDER.validate_python({**known, "plan": {**options, **plan}})


_ORDER: TypeAdapter[ProtectOrder] = TypeAdapter(ProtectOrder)


@dataclass(frozen=True)
class DeleteOrder:
    """The parameters of the job that deletes a restore point; ``data`` is what the method's ``delete`` gave."""

    restore_point: str
    site: str
    method: str
    data: dict[str, JsonValue]


@dataclass(frozen=True)
class VolumeToRestore:
    """``number``: its place in the order of restoring, from 1.  Type and zone None are the target's defaults.

    ``empty``: its data is given up.
    """

    number: int
    volume_type: str | None
    record: VolumeRecord
    availability_zone: str | None = None
    empty: bool = False

    @property
    def step(self) -> str:
        return f"volume-{self.number}"

    @property
    def shown(self) -> str:
        return self.record.name or self.record.id


@dataclass(frozen=True)
class StoreAnswer:
    """What the backup store says of a restore point's data.

    ``gone``: what is not there any more (of the kind ``DATA_GONE``); ``seen``: the method's ids of what is;
    ``unknown``: why nothing can be said of the rest.
    """

    gone: tuple[Finding, ...] = ()
    seen: frozenset[str] = frozenset()
    unknown: Finding | None = None


@dataclass(frozen=True)
class RestoreTarget:
    """The site to restore a volume in.  ``bootable``: a server will boot from it."""

    name: str
    open: Callable[[StepContext], CloudSite]
    bootable: bool


class ProtectionMethod(Protocol):
    """One way to protect an application, to delete its restore points and to restore from them.

    ``options``: a dataclass of what an operator may choose, with defaults and pydantic's constraints.
    """

    name: str
    options: type[Any]

    def requirements(self, capabilities: Sequence[Capability], protection: Protection) -> tuple[Finding, ...]:
        """What the application's site lacks for this method; what is not known is no problem that blocks."""

    def offer(self, candidate: Candidate) -> Offer:
        """What it could do for the application, by what both sites were seen to have.  Pure; never raises."""

    def plan(self, site: CloudSite, request: RunRequest) -> PlannedRun:
        """Look at the application and decide; nothing is changed.

        Raises Conflict naming everything that forbids the run, SiteError when the site cannot be asked.
        """

    def steps(self, order: ProtectOrder, dependencies: ProtectDependencies) -> list[Step]:
        """The steps that make the restore point; all are undone when one fails.

        ``protect.steps`` has the two that every method needs: ``check_step`` and ``manifest_step``.
        """

    def delete(self, manifest: Manifest) -> Mapping[str, JsonValue]:
        """What ``delete_steps`` need to know of a restore point whose manifest is gone by then."""

    def delete_steps(self, order: DeleteOrder, dependencies: ProtectDependencies) -> list[Step]:
        """The steps that remove a restore point's own data; its manifest is removed before them."""

    def check_store(self, store: ManifestStore, manifest: Manifest) -> StoreAnswer:
        """Look for the data that the manifest names where manifests are kept, too; "gone" only what certainly is."""

    def check_source(
        self, site: CloudSite, manifest: Manifest, stored: Collection[str] = ()
    ) -> tuple[Finding, ...]:
        """Why data that the manifest names must not be restored, or cannot: it is not the application's, or gone, says
        the site where it was made.  ``stored``: what ``check_store`` has seen.  Only what is known; SiteError when the
        site does not tell.
        """

    def target_parts(self, site: CloudSite, manifest: Manifest) -> Mapping[str, Callable[[], object]]:
        """What ``plan_restore`` needs to know of the target besides, by name: read with the rest of its facts.

        ``draft.facts.method_parts`` has what was read, ``draft.needs`` tells of what could not be.
        """

    def plan_restore(self, draft: Draft, volumes: Sequence[VolumeToRestore]) -> list[PlannedVolume]:
        """Decide how the volumes whose payload is this method's are restored, noting in the draft what will be
        done, which quotas it takes and what is in the way.

        A volume that cannot be planned is left out; the draft then has a problem.  Raises ManifestError for a
        payload that cannot be read.
        """

    def restore_steps(self, volume: PlannedVolume, target: RestoreTarget) -> list[Step]:
        """The steps that restore one volume.  The one named ``volume.step`` gives ``{"id": volume id}`` and
        tells its progress in GiB; undone, they leave nothing of it at the target.
        """


def checked_options(
    methods: Mapping[str, ProtectionMethod], method: str, given: Mapping[str, Any]
) -> dict[str, Any]:
    """What an operator chose for a method, and the defaults of the rest: JSON, as a protection keeps it.

    Raises Invalid naming the field.
    """
    if method not in methods:
        raise Invalid(f"method: {method!r} is not known; there are: {', '.join(sorted(methods))}")
    kind = methods[method].options
    chosen = validated(kind, given, "options", f"option of {method}")
    complete: dict[str, Any] = adapter_of(kind).dump_python(chosen, mode="json")
    return complete


def fresh(ctx: StepContext) -> bool:
    """Nothing can carry the step's token yet: its beginning is made durable before its effect."""
    return ctx.attempt == 1 and not ctx.interrupted
