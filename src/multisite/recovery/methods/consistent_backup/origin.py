"""Whether the backups that a manifest names are of its volumes, asked of the site where they were made.

A signature says who wrote a manifest; whose the backups in it are only their site can say.
"""

from __future__ import annotations

from collections.abc import Mapping

from multisite.clouds import resources, volumes
from multisite.clouds.connect import CloudSite
from multisite.clouds.volumes import Backup


def not_ours(site: CloudSite, named: Mapping[str, str | None]) -> dict[str, str]:
    """Id -> why that backup is neither deleted nor used; those that are ours, or not there, are left out.

    ``named``: id of a backup -> the volume it is said to be of, None for what a job of an earlier release does not say.
    Raises what ``call`` raises: then it is unknown.
    """
    own = {backup.id: backup for backup in volumes.backups(site)}
    reasons = {id: _reason(site, id, own.get(id), volume_id) for id, volume_id in named.items()}
    return {id: why for id, why in reasons.items() if why}


def _reason(site: CloudSite, id: str, backup: Backup | None, volume_id: str | None) -> str | None:
    if backup is None:  # an administrator's token sees those of other projects by their ids
        there = resources.read_or_none(site, "backup", id) is not None
        return "it is not of the restore point's project" if there else None
    if volume_id not in (None, backup.volume_id):
        return f"it is a backup of volume {backup.volume_id}, not of {volume_id}"
    return None if backup.token else "Multisite did not make it"
