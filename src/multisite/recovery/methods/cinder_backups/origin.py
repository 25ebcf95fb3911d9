"""Whether the backups that a manifest names are there and of its volumes, asked of the site where they were made.

A signature says who wrote a manifest; whose the backups in it are only their site can say.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from multisite.clouds import resources, volumes
from multisite.clouds.connect import CloudSite
from multisite.clouds.volumes import Backup
from multisite.domain.findings import Finding, blocking, unknown
from multisite.domain.manifest import Manifest
from multisite.recovery.methods.base import DATA_GONE
from multisite.recovery.methods.cinder_backups.payload import chain_of

_GOING = ("deleting", "deleted")
_ANOTHER = "its Cinder knows neither the backups nor the volumes of the restore point: it may be a new one"
MOST = 5
"""Backups that are named in a message."""


@dataclass(frozen=True)
class Origin:
    """``foreign``: id of a backup -> why it is neither deleted nor used.  ``gone``: those that were deleted."""

    foreign: Mapping[str, str]
    gone: frozenset[str]


def ask_origin(site: CloudSite, named: Mapping[str, str | None]) -> Origin:
    """What their own site says of backups.

    ``named``: id of a backup -> the volume it is said to be of, None for what a job of an earlier release does not say.
    Raises what ``call`` raises: then it is unknown.
    """
    own = {backup.id: backup for backup in volumes.backups(site)}
    foreign, gone = {}, set()
    for id, volume_id in named.items():
        if id not in own and resources.read_or_none(site, "backup", id) is None:
            gone.add(id)
        elif why := _reason(own.get(id), volume_id):
            foreign[id] = why
        elif own[id].status in _GOING:
            gone.add(id)
    return Origin(foreign, frozenset(gone))


def not_ours(site: CloudSite, named: Mapping[str, str | None]) -> Mapping[str, str]:
    """Id -> why that backup is neither deleted nor used; those that are ours, or not there, are left out.

    As ``ask_origin``.
    """
    return ask_origin(site, named).foreign


def _reason(backup: Backup | None, volume_id: str | None) -> str | None:
    if backup is None:  # an administrator's token sees those of other projects by their ids
        return "it is not of the restore point's project"
    if volume_id not in (None, backup.volume_id):
        return f"it is a backup of volume {backup.volume_id}, not of {volume_id}"
    return None if backup.token else "Multisite did not make it"


def check(site: CloudSite, manifest: Manifest, stored: Collection[str]) -> tuple[Finding, ...]:
    """Why backups of a restore point must not be restored: foreign ones, and those that were deleted.

    ``stored``: ids of those whose data are in the backup store: what is there still can be restored.
    """
    chains = [(v.name or v.id, v.id, [b.id for b in chain_of(v)]) for v in manifest.volumes if v.payload]
    told = ask_origin(site, {id: volume for _, volume, chain in chains for id in chain})
    lost = told.gone - frozenset(stored)
    if lost and len(told.gone) == sum(len(chain) for *_, chain in chains) and not _knows_any(site, manifest):
        return (unknown(site.name, _ANOTHER, "whether the backups are still there is not known"),)
    others = "recover from another restore point, and find out who wrote this one"
    return (
        *(blocking(site.name, f"backup {id}", why, others) for id, why in told.foreign.items()),
        *(
            blocking(
                site.name,
                DATA_GONE,
                f"{shown(gone)} of volume {name} {'was' if len(gone) == 1 else 'were'} deleted: Cinder at {site.name} "
                "has no record, and deletes the data with it",
                "recover from another restore point; if Cinder there lost its database and not the data, mount the "
                "folder that cinder-backup writes to as the backup store: the data are looked for there",
            )
            for name, _, chain in chains
            if (gone := [id for id in chain if id in lost])
        ),
    )


def _knows_any(site: CloudSite, manifest: Manifest) -> bool:
    """Whether its Cinder is the one that had the volumes: a new one knows nothing, and nothing was deleted for that."""
    return any(resources.read_or_none(site, "volume", volume.id) for volume in manifest.volumes)


def shown(ids: Sequence[str]) -> str:
    """Backups for a message, the first ones by their ids."""
    more = f" and {len(ids) - MOST} more" if len(ids) > MOST else ""
    return f"{'backup' if len(ids) == 1 else 'backups'} {', '.join(ids[:MOST])}{more}"
