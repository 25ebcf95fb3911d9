"""Nova's createImage, and the images and snapshots it makes: found by the image's name, which is a token.

Of a server that boots from a volume Nova makes a snapshot of every attached volume, while it keeps the guest frozen,
and an empty image whose property ``block_device_mapping`` names them; the snapshots are called "snapshot for <image>",
so those of a request that died half-way are found, too (``nova/compute/api.py: snapshot_volume_backed``).  Of any other
server it uploads the root disk, after it has answered, and leaves volumes out (``API.snapshot``, the driver's
``snapshot``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from multisite.clouds import resources
from multisite.clouds.call import post
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, SiteError
from multisite.clouds.resources import tokens
from multisite.clouds.resources.kinds import KINDS
from multisite.clouds.waiting import wait_until

Row = dict[str, Any]

_GIB = 1 << 30
_TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})
"""oslo.utils ``bool_from_string``, by which Nova reads image properties."""
_EVERY = frozenset(
    {
        *(
            "id",
            "name",
            "status",
            "owner",
            "visibility",
            "protected",
            "tags",
            "self",
            "file",
            "schema",
            "size",
        ),
        *(
            "virtual_size",
            "min_disk",
            "min_ram",
            "disk_format",
            "container_format",
            "checksum",
            "os_hash_algo",
        ),
        *("os_hash_value", "os_hidden", "created_at", "updated_at", "direct_url", "locations", "stores"),
        # What Nova writes of how it made the image (``API.snapshot``, the driver's ``_create_snapshot_metadata``).
        *("block_device_mapping", "bdm_v2", "root_device_name", "base_image_ref", "instance_uuid", "user_id"),
        *("image_type", "image_location", "image_state", "owner_id", "owner_project_name", "owner_user_name"),
        *("boot_roles", "kernel_id", "ramdisk_id", "instance_owner"),
    }
)
"""Fields of an image that are no properties of whoever made it."""


@dataclass(frozen=True)
class Image:
    """``snapshots``: ids of those it names.  ``size_gib``: the least size of a volume that is made from it.

    ``properties``: those that are no part of every image, as texts.
    """

    id: str
    name: str
    status: str
    snapshots: tuple[str, ...] = ()
    size_gib: int = 0
    properties: Mapping[str, str] = field(default_factory=dict)


def create_image(site: CloudSite, token: str, server_id: str) -> str:
    """Ask Nova for an image of a server, named by the token; returns its id, once snapshots of volumes are asked for.

    It does not look for one first.  Raises what ``call`` raises: ConflictInSite where the guest has to be frozen and
    cannot, UnknownOutcome when it may have been made.
    """
    tokens.checked(token)
    made = post(
        site,
        f"make an image of server {server_id}",
        lambda: site.compute,
        f"/servers/{server_id}/action",
        {"createImage": {"name": token}},
        microversion=str(KINDS["server"].microversion),
    )
    return str(made["image_id"])


def of_token(site: CloudSite, token: str) -> list[Image]:
    """The images of this name in our project.

    What stands before a colon is an operator to Glance (Images API v2, filtering), and a token has colons.
    """
    return [as_image(row) for row in resources.rows(site, "image", token, {"name": f"eq:{token}"})]


def read_image(site: CloudSite, image_id: str) -> Image:
    """By id; NotFoundInSite when it is not there."""
    return as_image(resources.read(site, "image", image_id))


def wait_image(
    site: CloudSite,
    image_id: str,
    timeout: float,
    on_poll: Callable[[Image], object] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Image:
    """Wait until an image is whole.

    Raises Failed, NotFoundInSite (Nova removes one it could not make), TimedOut, Cancelled.
    """
    return wait_until(
        lambda: read_image(site, image_id),
        done=("active",),
        failed=("killed", "deleted", "pending_delete", "deactivated"),
        timeout=timeout,
        what=f"image {image_id}",
        poll=0.5,
        on_poll=on_poll,
        cancelled=cancelled,
        site=site.name,
    )


def remove_images(site: CloudSite, wanted: Collection[str], known: Collection[str] = ()) -> list[str]:
    """Delete the images that are called by these tokens, and ``known`` ones by id; returns what is left, in words.

    The snapshots that they name stay.
    """
    try:
        found = {row["id"] for row in resources.list_all(site, "image") if row.get("name") in wanted}
    except SiteError as error:
        return [f"images could not be looked for: {error}"]
    left = []
    for image_id in sorted(found | set(known)):
        try:
            resources.delete_one(site, "image", image_id)
        except SiteError as error:
            left.append(f"image {image_id} is left: {error}")
    return left


def snapshots_of(site: CloudSite, wanted: Collection[str]) -> list[Row]:
    """The snapshots that Nova made for images of these names, as Cinder lists them."""
    names = {f"{tokens.OF_NOVA}{token}" for token in wanted}
    return [row for row in resources.list_all(site, "snapshot") if row.get("name") in names]


def quiesced_by_nova(properties: Mapping[str, str]) -> tuple[bool, bool]:
    """Whether Nova tries to freeze a server for its image, and whether it makes none where it cannot.

    ``properties``: of the image it was made from, or the image metadata of the volume it boots from.
    """
    return tuple(  # type: ignore[return-value]  # two of them
        properties.get(name, "").strip().lower() in _TRUE
        for name in ("hw_qemu_guest_agent", "os_require_quiesce")
    )


def as_image(row: Mapping[str, Any]) -> Image:
    """As Glance shows it."""
    mapping = row.get("block_device_mapping") or "[]"
    mapped = json.loads(mapping) if isinstance(mapping, str) else mapping
    ids = tuple(str(one["snapshot_id"]) for one in mapped if one.get("snapshot_id"))
    size = int(row.get("virtual_size") or row.get("size") or 0)
    least = max(1, int(row.get("min_disk") or 0), -(-size // _GIB))
    return Image(row["id"], row["name"] or "", row["status"], ids, least, properties_of(row))


def properties_of(row: Mapping[str, Any]) -> dict[str, str]:
    """What an image says beyond what every image has."""
    return {key: str(value) for key, value in row.items() if key not in _EVERY and value is not None}


def read_properties(site: CloudSite, image_id: str) -> Mapping[str, str] | None:
    """The properties of an image; None when it is not there any more."""
    try:
        return read_image(site, image_id).properties
    except NotFoundInSite:
        return None
