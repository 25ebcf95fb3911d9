"""Images by what a replication needs of Glance: read as the project sees it, made under a given id, filled, shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Protocol

from multisite.clouds.call import call, post, read_all, read_one
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite
from multisite.domain.image_copy import Row

UPLOAD_SECONDS = (30.0, 600.0)
"""For a connection, and a blocked send; for the answer, once all was sent."""
_PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


class Body(Protocol):
    """What is uploaded: its length is known, it is iterated once."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[bytes]: ...


def read(site: CloudSite, image_id: str) -> dict[str, Any]:
    """By id, whoever owns it; NotFoundInSite."""
    found: dict[str, Any] = read_one(
        site, f"read image {image_id}", lambda: site.image, f"/images/{image_id}"
    )
    return found


def read_or_none(site: CloudSite, image_id: str) -> dict[str, Any] | None:
    """None when it is not there; what else goes wrong is raised."""
    with suppress(NotFoundInSite):
        return read(site, image_id)
    return None


def read_visible(site: CloudSite, image_id: str) -> dict[str, Any]:
    """By id, if the project itself could see it: our account may see more.  NotFoundInSite otherwise."""
    row = read(site, image_id)
    if not _visible(site, row):
        what = f"read image {image_id}"
        raise NotFoundInSite(site.name, what, f"No image found with ID {image_id}", site_status=404)
    return row


def of_name(site: CloudSite, name: str) -> list[dict[str, Any]]:
    """The images of a name that the project sees in lists."""
    found = read_all(
        site, f"look for image {name}", lambda: site.image, "/images", "images", name=f"eq:{name}", limit=500
    )
    return [row for row in found if row.get("name") == name and _visible(site, row)]


def of_project(site: CloudSite) -> list[dict[str, Any]]:
    """The images of the project that are shown in lists."""
    found = read_all(
        site, "list images", lambda: site.image, "/images", "images", owner=site.project_id, limit=500
    )
    return [row for row in found if row.get("owner") == site.project_id]


def create(site: CloudSite, image_id: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without data; ConflictInSite when there is, or ever was, one of this id."""
    what = f"create image {image_id}"
    return post(site, what, lambda: site.image, "/images", {"id": image_id, **fields})


def upload(site: CloudSite, image_id: str, body: Body) -> None:
    """Fill an image; what ``body`` raises is raised, and the image has no data then."""
    call(
        site,
        f"upload image {image_id}",
        lambda: site.image.put(
            f"/images/{image_id}/file",
            data=body,
            headers={"Content-Type": "application/octet-stream"},
            timeout=UPLOAD_SECONDS,
        ),
    )


def download(site: CloudSite, image_id: str) -> Any:
    """The open answer (``requests.Response``) with an image's data: to be read in chunks, and closed."""
    path = f"/images/{image_id}/file"
    return call(site, f"read the data of image {image_id}", lambda: site.image.get(path, stream=True))


def change(
    site: CloudSite, image_id: str, wanted: Mapping[str, Any], row: Row, without: Iterable[str] = ()
) -> None:
    """Give an image, shown as ``row``, these fields, and take the properties ``without`` off it, all at once."""
    operations: list[dict[str, Any]] = [
        {"op": "replace" if name in row else "add", "path": f"/{_escaped(name)}", "value": value}
        for name, value in wanted.items()
    ]
    operations += [{"op": "remove", "path": f"/{_escaped(name)}"} for name in without if name in row]
    path = f"/images/{image_id}"
    call(
        site,
        f"change image {image_id}",
        lambda: site.image.patch(path, json=operations, headers=_PATCH),
        idempotent=True,
    )


def remove(site: CloudSite, image_id: str) -> bool:
    """Delete an image, a protected one too; False when it was not there."""
    row = read_or_none(site, image_id)
    if row is None:
        return False
    if row.get("protected"):
        change(site, image_id, {"protected": False}, row)
    with suppress(NotFoundInSite):
        call(
            site,
            f"delete image {image_id}",
            lambda: site.image.delete(f"/images/{image_id}"),
            idempotent=True,
        )
    return True


def _visible(site: CloudSite, row: Row) -> bool:
    if row.get("owner") == site.project_id or row.get("visibility") in ("public", "community"):
        return True
    if row.get("visibility") != "shared":
        return False
    path = f"/images/{row['id']}/members/{site.project_id}"
    with suppress(NotFoundInSite):
        member = read_one(site, f"ask who sees image {row['id']}", lambda: site.image, path)
        return bool(member.get("status") == "accepted")
    return False


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
