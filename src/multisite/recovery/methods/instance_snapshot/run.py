"""The steps of one run.

Their names (``image:<server>:server``, ``copy:<server>:<device>``, ``root:...``, ``backup:...``) and results are kept
in databases.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from multisite.clouds.connect import CloudSite
from multisite.domain.manifest import Manifest, ServerRecord, VolumeRecord
from multisite.jobs.model import Step, StepContext, StepFailed
from multisite.recovery.methods.base import ProtectDependencies, ProtectOrder
from multisite.recovery.methods.cinder_backups.chain import PlannedVolume
from multisite.recovery.methods.cinder_backups.making import back_up, chains_of, undo_backup
from multisite.recovery.methods.cinder_backups.payload import (
    INSTANCE_SNAPSHOT,
    BackupChain,
    BackupRecord,
    payload_of,
)
from multisite.recovery.methods.instance_snapshot.clean import Made, clean_up
from multisite.recovery.methods.instance_snapshot.images import (
    Copied,
    Imaged,
    copy_root,
    make_image,
    undo_copy,
    undo_image,
)
from multisite.recovery.methods.instance_snapshot.look import look
from multisite.recovery.methods.instance_snapshot.plan import (
    PlannedImage,
    RootDisk,
    SnapshotPlan,
    differences,
)
from multisite.recovery.protect.steps import Checked, check_step, manifest_step

_OF_ITS_IMAGE = "image it boots from"
"""In the words of the ledger: what is told of a server whose root disk is not backed up."""


class Run:
    """One run: its order, the plan in it, and what its steps do in the application's site."""

    def __init__(self, order: ProtectOrder, dependencies: ProtectDependencies) -> None:
        self._order = order
        self._plan = SnapshotPlan.from_json(order.plan)
        self._dependencies = dependencies
        self._image_of = {volume: image.step for image in self._plan.images for volume in image.volumes}

    def steps(self) -> list[Step]:
        """Check, an image of each server, copies of root disks, backups, the manifest, clean up."""
        plan, site = self._plan, self._order.application.site
        roots = [(image, image.root) for image in plan.images if image.root is not None]
        cleaning = partial(clean_up, self._dependencies, self._order, self._made)
        needs = (*(i.step for i in plan.images), *(v.step for v in plan.volumes), *(r.step for _, r in roots))
        copies = tuple(root.copy_step for _, root in roots)
        return [
            check_step(self._order, self._dependencies, self._check),
            *self._image_steps(),
            *(self._copy_step(image, root) for image, root in roots),
            *(self._backup_step(number, volume) for number, volume in enumerate(plan.volumes)),
            *(
                self._root_step(n, image, root)
                for n, (image, root) in enumerate(roots, start=len(plan.volumes))
            ),
            manifest_step(self._order, self._dependencies, self._complete, (*needs, *copies)),
            Step("cleanup", "Delete images and snapshots", cleaning, needs=("manifest",), site=site),
        ]

    def _image_steps(self) -> list[Step]:
        """One after the other: at most one server stands still at a time."""
        before, site, made = "check", self._order.application.site, []
        for image in self._plan.images:
            made.append(
                Step(
                    image.step,
                    f"Have Nova make an image of {image.server}",
                    partial(self._image, image),
                    self._undo_image,
                    needs=(before,),
                    site=site,
                    result=Imaged,
                )
            )
            before = image.step
        return made

    def _copy_step(self, image: PlannedImage, root: RootDisk) -> Step:
        return Step(
            root.copy_step,
            f"Make a volume of the root disk of {image.server} ({root.size_gib} GiB)",
            partial(self._copy, image, root),
            lambda ctx, result: undo_copy(self._site(ctx), ctx, result),
            needs=(image.step,),
            site=self._order.application.site,
            result=Copied,
        )

    def _backup_step(self, number: int, volume: PlannedVolume) -> Step:
        return Step(
            volume.step,
            f"Back up {volume.server} {volume.device} ({volume.size_gib} GiB, {volume.reason})",
            partial(self._backup, volume),
            partial(undo_backup, self._site, volume),
            needs=(self._image_of[volume.id],),
            limit=self._limit(number),
            site=self._order.application.site,
        )

    def _root_step(self, number: int, image: PlannedImage, root: RootDisk) -> Step:
        return Step(
            root.step,
            f"Back up {image.server} {root.device} ({root.size_gib} GiB, full: each copy is a volume of its own)",
            partial(self._backup_root, image, root),
            partial(self._undo_root, image, root),
            needs=(root.copy_step,),
            limit=self._limit(number),
            site=self._order.application.site,
        )

    def _limit(self, number: int) -> str:
        """As consistent-backup's: of its own for each of the backups a site may make at a time."""
        return f"backup:{self._order.application.site}:{number % self._dependencies.backups_per_site}"

    def _site(self, ctx: StepContext) -> CloudSite:
        return self._dependencies.sites.open(self._order.application.site, for_project=ctx.project_id)

    def _check(self, site: CloudSite) -> Checked:
        """Look again and refuse what has changed."""
        facts, seen = look(site, self._order.application)
        if changed := differences(self._plan, seen):
            raise StepFailed("; ".join(changed))
        notes = tuple(note for note in facts.notes if _OF_ITS_IMAGE not in note)
        return Checked(replace(facts, notes=notes), self._plan.quiesced, self._plan.notes)

    def _image(self, image: PlannedImage, ctx: StepContext) -> Imaged:
        return make_image(self._site(ctx), image, self._plan.options.console_mark, ctx)

    def _undo_image(self, ctx: StepContext, result: Imaged | None) -> None:
        undo_image(self._site(ctx), ctx, result)

    def _copy(self, image: PlannedImage, root: RootDisk, ctx: StepContext) -> Copied:
        return copy_root(self._site(ctx), root, ctx.result_of(image.step, Imaged), ctx)

    def _backup(self, volume: PlannedVolume, ctx: StepContext) -> BackupRecord:
        snapshot = ctx.result_of(self._image_of[volume.id], Imaged).snapshots[volume.id]
        return back_up(self._site(ctx), volume, snapshot, self._order.label, ctx)

    def _backup_root(self, image: PlannedImage, root: RootDisk, ctx: StepContext) -> BackupRecord:
        return back_up(self._site(ctx), _copied(image, root, ctx), None, self._order.label, ctx)

    def _undo_root(self, image: PlannedImage, root: RootDisk, ctx: StepContext, result: object) -> None:
        undo_backup(self._site, _copied(image, root, ctx), ctx, result)

    def _made(self, ctx: StepContext) -> Made:
        """What goes at the end of the run."""
        imaged = [ctx.result_of(image.step, Imaged) for image in self._plan.images]
        roots = [image.root for image in self._plan.images if image.root is not None]
        return Made(
            tuple(one.image_id for one in imaged),
            tuple(snapshot for one in imaged for snapshot in one.snapshots.values()),
            tuple(ctx.result_of(root.copy_step, Copied).id for root in roots),
        )

    def _complete(self, draft: Manifest, ctx: StepContext) -> Manifest:
        """The draft with the moments, root disks as volumes, and in each volume the chain its new backup makes."""
        imaged = {i.server_id: ctx.result_of(i.step, Imaged) for i in self._plan.images}
        roots = {
            i.server_id: _root_record(_server(draft, i.server_id), i.root, ctx)
            for i in self._plan.images
            if i.root is not None
        }
        made = {v.id: ctx.result_of(v.step, BackupRecord) for v in self._plan.volumes}
        for image in self._plan.images:
            if image.root is not None:
                made[roots[image.server_id].id] = ctx.result_of(image.root.step, BackupRecord)
        chains, parent_id = chains_of(self._dependencies.manifests, self._plan.parent_id, made)
        snapshots = {v: s for one in imaged.values() for v, s in one.snapshots.items()}
        return replace(
            draft,
            servers=tuple(
                replace(s, volume_ids=(roots[s.id].id, *s.volume_ids)) if s.id in roots else s
                for s in draft.servers
            ),
            volumes=tuple(
                replace(
                    v, payload=payload_of(BackupChain(chains[v.id], snapshots.get(v.id)), INSTANCE_SNAPSHOT)
                )
                for v in (*roots.values(), *draft.volumes)
            ),
            consistent_at=min(one.captured_at for one in imaged.values()),
            frozen_seconds=None,  # Nova does not tell
            marks=tuple(one.mark for one in imaged.values() if one.mark),
            incremental=parent_id is not None,
            parent_id=parent_id,
        )


def _server(manifest: Manifest, server_id: str) -> ServerRecord:
    return next(server for server in manifest.servers if server.id == server_id)


def _copied(image: PlannedImage, root: RootDisk, ctx: StepContext) -> PlannedVolume:
    made = ctx.result_of(root.copy_step, Copied)
    return PlannedVolume(
        made.id, "", image.server, root.device, made.size_gib, root.step, False, None, "full: it is a copy"
    )


def _root_record(server: ServerRecord, root: RootDisk, ctx: StepContext) -> VolumeRecord:
    """The root disk as a volume that a server boots from, and that goes with it, as the disk did."""
    made = ctx.result_of(root.copy_step, Copied)
    return VolumeRecord(
        id=made.id,
        name=f"{server.name}-root",
        size_gib=made.size_gib,
        volume_type=made.volume_type,
        bootable=True,
        device=root.device,
        image_metadata=made.image_metadata,
        delete_on_termination=True,
        availability_zone=made.availability_zone,
    )
