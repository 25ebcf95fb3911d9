"""Volumes kept restored from Cinder backups: what they have to be, and the step by which a recovery takes one over."""

from __future__ import annotations

from dataclasses import replace

from multisite.clouds.standby import KeptVolume, take_over
from multisite.domain.standby import StandbyVolume
from multisite.jobs.model import Made, Step, StepContext
from multisite.recovery.methods.base import RestoreTarget, fresh
from multisite.recovery.methods.cinder_backups.payload import chain_of
from multisite.recovery.methods.cinder_backups.restore import restore_steps, wanted_volume
from multisite.recovery.recover.model import PlannedVolume


def kept(
    volume: PlannedVolume, known: StandbyVolume, digest: str, default_type: str | None
) -> KeptVolume | None:
    """What Cinder has to show of it to be this volume of the restore point; None: it has no data to keep."""
    chain = chain_of(volume.record)
    if volume.details.get("empty") or not chain:
        return None
    return KeptVolume(
        known.id, known.token, digest, volume.record.size_gib, chain[-1].id, known.updated_at,
        volume.volume_type or default_type, volume.availability_zone,
    )  # fmt: skip


def promote_steps(volume: PlannedVolume, target: RestoreTarget) -> list[Step]:
    """One step: it takes the volume over, or else does what ``restore_steps`` would, and says why.

    Undone it deletes the volume, as a restored one: guests may have written to it.  Its result and name are those of
    the step that restores.
    """
    kept, name = volume.standby, volume.record.name or volume.record.id
    assert kept is not None
    *imports, restoring = restore_steps(replace(volume, standby=None), target)
    wanted = wanted_volume(volume, chain_of(volume.record)[-1], target)

    def run(ctx: StepContext) -> object:
        ctx.progress(0, 1, "volumes")
        why = take_over(target.open(ctx), ctx.token, kept, wanted, fresh=fresh(ctx))
        if why is None:
            ctx.progress(1, 1, "volumes", "taken over")
            return Made(kept.id)
        ctx.event(f"standby volume {kept.id} of {name} {why}: {name} is restored from its backups instead")
        for step in imports:
            step.run(ctx)
        return restoring.run(ctx)

    title = f"Take over standby volume {name} ({volume.record.size_gib} GiB)"
    return [replace(restoring, title=title, run=run, needs=())]
