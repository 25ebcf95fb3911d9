"""Removing images, their snapshots and the volumes made of them: of this run, and what earlier ones left.

Never costs the restore point: what cannot be deleted is told, and tried again by the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from multisite.clouds import resources, restore, volumes
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import SiteError
from multisite.clouds.resources import Kind, tokens
from multisite.jobs.model import StepContext
from multisite.recovery.methods.base import ProtectDependencies, ProtectOrder
from multisite.recovery.methods.cinder_backups.removal import earlier_jobs, remove_stray_backups
from multisite.recovery.methods.cinder_backups.snapshots import each

SNAPSHOTS: tuple[Kind, ...] = ("snapshot",)
IMAGES: tuple[Kind, ...] = ("snapshot", "image")
FLEETING: tuple[Kind, ...] = ("volume", "snapshot", "image")
"""In this order: a back end may not let go of an image while a volume is a clone of it."""


@dataclass(frozen=True)
class Made:
    """Ids."""

    images: tuple[str, ...] = ()
    snapshots: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()

    def of(self, kind: Kind) -> tuple[str, ...]:
        return {"image": self.images, "snapshot": self.snapshots, "volume": self.volumes}.get(kind, ())


def clean_up(
    dependencies: ProtectDependencies,
    order: ProtectOrder,
    made: Callable[[StepContext], Made],
    ctx: StepContext,
) -> dict[str, list[str]]:
    """``made``: what this run has noted.  Returns ``{"left": [what is left, in words]}``."""
    site = dependencies.sites.open(order.application.site, for_project=ctx.project_id)
    ended, failed = earlier_jobs(dependencies, order, ctx.job_id)
    prefixes = tuple(tokens.job_prefix(job) for job in {*ended, ctx.job_id})
    left = sweep(site, lambda token: token.startswith(prefixes), FLEETING, made(ctx))
    left += remove_stray_backups(dependencies, site, failed)
    for line in left:
        ctx.event(f"{line}; the next run tries again")
    return {"left": left}


def sweep(
    site: CloudSite,
    ours: Callable[[str], bool],
    kinds: Collection[Kind],
    known: Made | None = None,
) -> list[str]:
    """Delete what of these kinds is called by one of ``ours`` tokens; returns what is left, in words.

    ``known``: some that are deleted too when a list, which may lose rows and not say so, lacks them.  A volume counts
    only while it is called by the token, as nothing of an application is.
    """
    known = known or Made()
    deletions: list[tuple[str, Callable[[], object]]] = []
    for kind in kinds:
        try:
            rows = resources.list_all(site, kind)
        except SiteError as error:
            return [f"{kind}s could not be looked for: {error}"]
        found = {str(row["id"]) for row in rows if any(map(ours, _tokens(kind, row)))}
        missing = set(known.of(kind)) - {str(row["id"]) for row in rows}
        for id in sorted(found):
            deletions.append((f"{kind} {id}", partial(_DELETE[kind], site, id)))
        for id in sorted(missing):
            deletions.append((f"{kind} {id}", partial(_delete_own, site, kind, id, ours)))
    return each(deletions)


def _delete_own(site: CloudSite, kind: Kind, id: str, ours: Callable[[str], bool]) -> None:
    """One that no list shows: if it is there, and called by one of ``ours`` tokens."""
    row = resources.read_or_none(site, kind, id)
    if row is not None and any(map(ours, _tokens(kind, row))):
        _DELETE[kind](site, id)


def _tokens(kind: Kind, row: dict[str, object]) -> list[str]:
    return tokens.read(kind, row if kind != "volume" else {"name": row.get("name")})


def _delete_image(site: CloudSite, image_id: str) -> None:
    resources.delete_one(site, "image", image_id)


_DELETE: dict[Kind, Callable[[CloudSite, str], None]] = {
    "volume": restore.remove_volume,
    "snapshot": volumes.delete_snapshot,
    "image": _delete_image,
}
