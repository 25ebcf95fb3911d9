"""Volumes made of images that the storage has already: Cinder's *manage*, and *unmanage*, which leaves the image.

What the code below rests on, read in Cinder (``api/contrib/volume_manage.py``, ``volume/api.py``, ``volume/flows``,
``volume/drivers/rbd.py``):

* The volume is made in the project of the token, by an administrator; it is "managing", then "available".
* RBD renames the image to ``volume-<id of the volume>``; where it is mirrored the other site's copy is renamed too.
* A volume that could not be managed is "error_managing".  Deleting it could delete the image: it is unmanaged.
* Unmanaging is refused (400) while the volume is attached or has snapshots of Cinder's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from multisite.clouds import resources
from multisite.clouds.administrator import MANAGE, administrator
from multisite.clouds.call import call, post
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, Refused
from multisite.clouds.resources import tokens
from multisite.clouds.resources.kinds import CINDER_VERSION
from multisite.clouds.waiting import volume_messages, wait_gone, wait_until

Row = dict[str, Any]
_FAILED = "error_managing"
_DETACH_SECONDS = 60.0


@dataclass(frozen=True)
class WantedManaged:
    """A volume of the image called ``image`` at ``host``, Cinder's name of the storage (``site@backend#pool``).

    ``volume_type`` and ``availability_zone`` None are the site's defaults.
    """

    image: Callable[[], str]
    host: str
    name: str
    volume_type: str | None = None
    availability_zone: str | None = None
    bootable: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    image_metadata: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    read_only: bool = False


def image_name(volume_id: str) -> str:
    """What Cinder calls a volume's image (``volume_name_template``, by default)."""
    return f"volume-{volume_id}"


def snapshot_name(snapshot_id: str) -> str:
    """What Cinder calls a snapshot of an image (``snapshot_name_template``, by default)."""
    return f"snapshot-{snapshot_id}"


def ensure_managed(
    site: CloudSite, token: str, wanted: WantedManaged, *, timeout: float, fresh: bool = False,
    cancelled: Callable[[], bool] | None = None,
) -> str:  # fmt: skip
    """Find or make the volume of this token; returns its id.

    One that could not be managed before is unmanaged and made anew.  Raises Failed with Cinder's reason, TimedOut,
    Cancelled, and what ``call`` raises.
    """
    rows = [] if fresh else resources.rows(site, "volume", token)
    for row in rows:
        if row["status"] == _FAILED:
            unmanage(site, str(row["id"]), timeout)
    good = [row for row in rows if row["status"] != _FAILED]
    row = good[0] if good else _made(site, token, wanted)
    volume_id = str(row["id"])
    if row["status"] == "in-use":
        return volume_id  # a later step has attached it: the database is from before that
    row = wait_until(
        lambda: resources.read(site, "volume", volume_id),
        done=("available",),
        failed=("error", _FAILED, "unmanaging", "deleting", "error_deleting"),
        timeout=timeout,
        what=f"volume {wanted.name}, managed",
        cancelled=cancelled,
        site=site.name,
        explain=lambda _: (
            volume_messages(site, volume_id) or f"see the log of cinder-volume at {wanted.host}"
        ),
    )
    _apply_attributes(site, row, wanted)
    return volume_id


def _made(site: CloudSite, token: str, wanted: WantedManaged) -> Row:
    """Asked for where the project's token then sees it."""

    def make() -> Row:
        admin = administrator(site, MANAGE)
        body = {"volume": tokens.mark("volume", token, _fields(wanted))}
        what = f"manage volume {wanted.name}"
        answer = post(
            admin, what, lambda: admin.volume, "/os-volume-manage", body, microversion=CINDER_VERSION
        )
        return resources.read(site, "volume", str(answer["volume"]["id"]))

    return resources.look_again(make, lambda: next(iter(resources.rows(site, "volume", token)), None))


def _fields(wanted: WantedManaged) -> Row:
    fields: Row = {
        "host": wanted.host,
        "ref": {"source-name": wanted.image()},
        "name": wanted.name,
        "description": wanted.description,
        "bootable": wanted.bootable,
        "metadata": dict(wanted.metadata),
    }
    if wanted.volume_type is not None:
        fields["volume_type"] = wanted.volume_type
    if wanted.availability_zone is not None:
        fields["availability_zone"] = wanted.availability_zone
    return fields


def _apply_attributes(site: CloudSite, row: Row, wanted: WantedManaged) -> None:
    """What the request does not take."""
    what, there = f"describe volume {wanted.name}", row.get("volume_image_metadata") or {}
    missing = {key: value for key, value in wanted.image_metadata.items() if there.get(key) != value}
    if missing:
        _act(site, str(row["id"]), what, {"os-set_image_metadata": {"metadata": missing}})
    if wanted.read_only:
        _act(site, str(row["id"]), what, {"os-update_readonly_flag": {"readonly": True}})


def unmanage(site: CloudSite, volume_id: str, timeout: float = 600) -> None:
    """Let Cinder forget a volume once nothing is attached, and wait until it has; harmless when it has.

    Its image stays.  Raises Failed, TimedOut, and what ``call`` raises.
    """
    what, begun = f"unmanage volume {volume_id}", time.monotonic()

    def look_and_ask() -> Row:
        row = resources.read(site, "volume", volume_id)
        if row["status"] in ("available", "error", _FAILED):
            admin = administrator(site, MANAGE)
            try:
                _act(admin, volume_id, what, {"os-unmanage": None})
            except NotFoundInSite:
                pass
            except Refused:
                if time.monotonic() > begun + _DETACH_SECONDS:
                    raise  # it has snapshots, say; it is not only that Nova detaches it still
        return row

    def failed(row: Row | None) -> bool:
        stays = row is not None and row["status"] == "in-use"
        return stays and time.monotonic() > begun + _DETACH_SECONDS

    wait_gone(look_and_ask, timeout=timeout, what=what, failed=failed, site=site.name)


def unmanage_by_token(site: CloudSite, token: str, known: str | None = None, timeout: float = 600) -> None:
    """As ``resources.remove``, by ``unmanage``.  ``known`` None: a request without answer may still be at work."""
    resources.remove(
        site, "volume", token, known, late=known is None, delete=lambda one: unmanage(site, one, timeout)
    )


def _act(site: CloudSite, volume_id: str, what: str, body: Row) -> None:
    path = f"/volumes/{volume_id}/action"
    call(site, what, lambda: site.volume.post(path, json=body, microversion=CINDER_VERSION), idempotent=True)
