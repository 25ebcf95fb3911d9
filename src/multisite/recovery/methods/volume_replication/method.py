"""Option 3 of the Multisite documents: the storage replicates; promote and manage when the site is lost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from multisite.clouds import resources, volumes
from multisite.clouds.connect import CloudSite
from multisite.clouds.mirror.backend import MirrorMode
from multisite.clouds.resources import tokens
from multisite.domain.errors import Conflict
from multisite.domain.findings import Finding, blocking, describe
from multisite.domain.manifest import Manifest
from multisite.domain.model import Capability, Protection
from multisite.jobs.model import Step, StepContext
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.methods.base import (
    DeleteOrder,
    PlannedRun,
    ProtectDependencies,
    ProtectOrder,
    RestoreTarget,
    RunRequest,
    StoreAnswer,
    VolumeToRestore,
)
from multisite.recovery.methods.cinder_backups.state import read_state
from multisite.recovery.methods.needs import SNAPSHOTS, freezing, lacking, looked_at
from multisite.recovery.methods.offers import Candidate, Offer
from multisite.recovery.methods.volume_replication import restore
from multisite.recovery.methods.volume_replication.offer import NO_TARGET, offer, refuse_several
from multisite.recovery.methods.volume_replication.options import ReplicationOptions, options_of
from multisite.recovery.methods.volume_replication.payload import NAME, copies_of
from multisite.recovery.methods.volume_replication.plan import plan_run
from multisite.recovery.methods.volume_replication.run import Run
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.model import PlannedVolume

DELETE_SECONDS = 1800.0


class VolumeReplication:
    """See ``base.ProtectionMethod``."""

    name = NAME
    options = ReplicationOptions

    def requirements(self, capabilities: Sequence[Capability], protection: Protection) -> tuple[Finding, ...]:
        """What the application's site lacks, and a target: storage copies to one that is named."""
        needs = freezing(SNAPSHOTS, quiesce=options_of(protection.options).quiesce)
        lacks = lacking(capabilities, needs, protection.site)
        lacks = (*lacks, *refuse_several(protection.target_sites))
        return lacks if protection.target_site else (*lacks, NO_TARGET)

    def offer(self, candidate: Candidate) -> Offer:
        """See ``offer.offer``."""
        return offer(candidate)

    def plan(self, site: CloudSite, request: RunRequest) -> PlannedRun:
        """Decide on who is frozen, and whether the storages can do it."""
        application, options = request.application, options_of(request.protection.options)
        state = looked_at(application, lambda: read_state(site, application, ask_quiesce=options.quiesce))
        plan, problems = plan_run(site, request, state)
        if problems:
            raise Conflict(describe(problems))
        count, size = len(plan.capture.volumes), plan.capture.size_gib
        summary = f"{count} volumes replicated to {plan.target}, {size} GiB, mode {options.mirror_mode}"
        return PlannedRun(summary, plan.to_json(), False, None, plan.capture.quiesced, size)

    def steps(self, order: ProtectOrder, dependencies: ProtectDependencies) -> list[Step]:
        """Check, mirror, take the point, send it, wait for it, write the manifest."""
        return Run(order, dependencies).steps()

    def delete(self, manifest: Manifest) -> Mapping[str, JsonValue]:
        """Its snapshots; the mirroring goes on."""
        return {
            "snapshots": [
                {"id": copy.snapshot_id, "volume_id": volume.id, "image": copy.image, "mode": str(copy.mode)}
                for volume, copy in copies_of(manifest)
            ]
        }

    def delete_steps(self, order: DeleteOrder, dependencies: ProtectDependencies) -> list[Step]:
        """One step for all snapshots; the storage takes the copies' away with what it sends next."""
        snapshots: Any = order.data["snapshots"]

        def run(ctx: StepContext) -> dict[str, list[str]]:
            site, left = dependencies.sites.open(order.site, for_project=ctx.project_id), []
            for done, snapshot in enumerate(snapshots):
                ctx.progress(done, len(snapshots), "snapshots")
                if why := _delete(site, snapshot):
                    ctx.event(f"snapshot {snapshot['id']} is left alone: {why}")
                    left.append(str(snapshot["id"]))
            ctx.progress(len(snapshots), len(snapshots), "snapshots")
            return {"left": left}

        title = f"Delete {len(snapshots)} snapshots"
        return [Step("snapshots", title, run, limit=f"delete:{order.site}", site=order.site)]

    def check_store(self, _store: ManifestStore, manifest: Manifest) -> StoreAnswer:
        """The backup store has none of its data: the target's storage has, and is asked there."""
        copies_of(manifest)  # which say that they can be read
        return StoreAnswer()

    def check_source(
        self,
        site: CloudSite,
        manifest: Manifest,
        stored: Collection[str] = (),  # noqa: ARG002  # nothing is in the backup store
    ) -> tuple[Finding, ...]:
        """Whether each image is the one whose copy is promoted, says the storage that had it, if Multisite knows it."""
        mirror = site.mirrors.get(site.name)
        if mirror is None:
            return ()
        found = []
        for volume, copy in copies_of(manifest):
            image = mirror.image(copy.image)
            if image is not None and image.global_id not in ("", copy.global_id):
                what = f"volume {volume.name or volume.id}"
                said = "its copy is one of another image: it was mirrored anew since"
                found.append(blocking(site.name, what, said, "recover from a newer restore point"))
        return tuple(found)

    def target_parts(self, site: CloudSite, manifest: Manifest) -> Mapping[str, Callable[[], object]]:
        """What the storage there has of the restore point."""
        return restore.target_parts(site, manifest)

    def plan_restore(self, draft: Draft, volumes: Sequence[VolumeToRestore]) -> list[PlannedVolume]:
        """Each from its copy there."""
        return restore.plan_restore(draft, volumes)

    def restore_steps(self, volume: PlannedVolume, target: RestoreTarget) -> list[Step]:
        """Promote, then manage."""
        return restore.restore_steps(volume, target)


def _delete(site: CloudSite, snapshot: Mapping[str, str]) -> str:
    """Why a snapshot is none of ours, "" once it is gone, at the storage too."""
    row = resources.read_or_none(site, "snapshot", snapshot["id"])
    if row is not None:
        if row.get("volume_id") != snapshot["volume_id"]:
            return "it is one of another volume"
        if group := row.get("group_snapshot_id"):
            volumes.delete_group_snapshot(site, str(group), DELETE_SECONDS)
        elif not any(tokens.is_token(token) for token in tokens.read("snapshot", row)):
            return "Multisite did not make it"
        else:
            volumes.delete_snapshot(site, snapshot["id"], DELETE_SECONDS)
    mirror = site.mirrors.get(site.name)
    if mirror is not None and snapshot["mode"] == MirrorMode.SNAPSHOT:
        image = mirror.image(snapshot["image"])
        if image is not None and image.primary:
            mirror.send(snapshot["image"])
    return ""
