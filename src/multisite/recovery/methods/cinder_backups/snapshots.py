"""Removing the snapshots that backups were made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial

from multisite.clouds import volumes
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import SiteError


def remove_snapshots(site: CloudSite, tokens: set[str], known: Collection[str] = ()) -> list[str]:
    """Delete the snapshots that carry these tokens; returns what is left, in words.

    ``known``: ids of some that are deleted too when the list, which may lose rows and not say so, lacks them.
    """
    listed: set[str] = set()
    deletions: list[tuple[str, Callable[[], object]]] = []
    try:
        for group in volumes.group_snapshots_by_token(site, tokens):
            deletions.append(
                (f"group snapshot {group.id}", partial(volumes.delete_group_snapshot, site, group.id))
            )
        for found in volumes.snapshots_by_token(site, tokens):  # those of a group are gone with it by then
            listed.add(found.id)
            what = f"snapshot {found.id} of volume {found.volume_id}"
            deletions.append((what, partial(volumes.delete_snapshot, site, found.id)))
    except SiteError as error:
        return [f"snapshots could not be looked for: {error}"]
    for snapshot in sorted(set(known) - listed):
        deletions.append((f"snapshot {snapshot}", partial(volumes.delete_snapshot, site, snapshot)))
    return each(deletions)


def each(deletions: Iterable[tuple[str, Callable[[], object]]]) -> list[str]:
    """Do every deletion (what it is of, and how); returns what is left, in words."""
    left = []
    for what, delete in deletions:
        try:
            delete()
        except SiteError as error:
            left.append(f"{what} is left: {error}")
    return left
