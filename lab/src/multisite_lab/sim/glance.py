"""Glance: images to boot from (Image API reference v2)."""

from __future__ import annotations

import hashlib
from typing import Any

from multisite_lab.sim.model import Row, Sim, new_id
from multisite_lab.sim.wire import Answer, ApiError, Ask, Route, ok

PAGE = 25
"""Rows a list gives unless it is asked for more (``limit_param_default``)."""


def visible(ask: Ask, row: Row) -> bool:
    """Public ones, the project's own, and to administrators all."""
    open_to_all = row["visibility"] in ("public", "community")
    return bool(open_to_all or row["owner"] == ask.account.project_id or ask.account.is_admin)


def images(sim: Sim, ask: Ask) -> Answer:
    """By ``name``, ``owner``, ``visibility`` and ``os_hidden`` (no hidden ones unless asked for), page by page."""
    hidden = (ask.one("os_hidden") or "false").lower() == "true"
    asked_for_community = ask.one("visibility") == "community"
    rows = [
        row for row in sim.state.images.values()
        if visible(ask, row) and bool(row.get("os_hidden")) is hidden
        and (row["visibility"] != "community" or row["owner"] == ask.account.project_id or asked_for_community)
    ]  # fmt: skip
    if (name := ask.one("name")) is not None:
        rows = [row for row in rows if row["name"] == _operand(name)]
    for key in ("owner", "visibility"):
        if (wanted := ask.one(key)) is not None:
            rows = [row for row in rows if row[key] == wanted]
    if (marker := ask.one("marker")) is not None:
        ids = [row["id"] for row in rows]
        rows = rows[ids.index(marker) + 1 :] if marker in ids else []
    limit = min(int(ask.one("limit") or PAGE), 1000)
    body: Row = {"images": rows[:limit], "first": "/v2/images", "schema": "/v2/schemas/images"}
    if len(rows) > limit:
        query = {n: values[-1] for n, values in ask.query.items()} | {"marker": rows[limit - 1]["id"]}
        body["next"] = "/v2/images?" + "&".join(f"{n}={value}" for n, value in query.items())
    return ok(body)


def _operand(value: str) -> str:
    """Of the filter ``eq:value`` or ``value`` (glance/common/utils.py, ``split_filter_op``)."""
    operator, colon, operand = value.partition(":")
    if colon and operator != "eq":
        raise _error(400, "Bad Request", f"Unable to filter by unknown operator &#x27;{operator}&#x27;.")
    return operand if colon else value


def image(sim: Sim, ask: Ask) -> Answer:
    """Glance's errors are HTML (webob's), not JSON."""
    return ok(_find(sim, ask))


def delete(sim: Sim, ask: Ask) -> Answer:
    """204 at once, whatever is made of it."""
    row = _changed(sim, ask, "delete_image")
    if row.get("protected"):
        raise _error(403, "Forbidden", f"Image {row['id']} is protected and cannot be deleted.")
    del sim.state.images[row["id"]]
    sim.state.image_ids.add(row["id"])
    sim.state.image_data.pop(row["id"], None)
    sim.state.image_contents.pop(row["id"], None)
    return Answer(204)


def create(sim: Sim, ask: Ask) -> Answer:
    """201; without data it is ``queued``.  A project's own choice of an id is taken (glance/api/v2/images.py)."""
    wanted: Row = dict(ask.body)
    image_id = wanted.pop("id", None) or new_id()
    if image_id in sim.state.images or image_id in sim.state.image_ids:
        raise _error(409, "Conflict", f"Image ID {image_id} already exists!")
    _refuse_words(ask, wanted)
    row: Row = {
        "id": image_id, "name": None, "status": "queued", "visibility": "shared", "owner": ask.account.project_id,
        "disk_format": None, "container_format": None, "min_disk": 0, "min_ram": 0, "protected": False,
        "os_hidden": False, "tags": [], "size": None, "virtual_size": None, "checksum": None, "os_hash_algo": None,
        "os_hash_value": None, "schema": "/v2/schemas/image", "file": f"/v2/images/{image_id}/file",
        "self": f"/v2/images/{image_id}", **wanted,
    }  # fmt: skip
    row["tags"] = sorted(set(row["tags"]))
    sim.state.images[image_id] = row
    return ok(row, 201)


def update(sim: Sim, ask: Ask) -> Answer:
    """A list of operations of JSON patch, all or none."""
    row = dict(_changed(sim, ask, "modify_image"))
    for one in ask.body:
        name = str(one["path"]).removeprefix("/").replace("~1", "/").replace("~0", "~")
        if name in _READ_ONLY:
            raise _error(403, "Forbidden", f"Attribute &#x27;{name}&#x27; is read-only.")
        if one["op"] == "remove":
            if name not in row:
                raise _error(409, "Conflict", f"Property {name} does not exist.")
            del row[name]
        else:
            _refuse_words(ask, {name: one["value"]})
            row[name] = sorted(set(one["value"])) if name == "tags" else one["value"]
    sim.state.images[row["id"]] = row
    return ok(row)


def upload(sim: Sim, ask: Ask) -> Answer:
    """204; it is ``active`` then, with its digests."""
    row = _changed(sim, ask, "upload_image")
    if not isinstance(ask.body, bytes):
        raise _error(415, "Unsupported Media Type", "Content-Type must be application/octet-stream.")
    if row["status"] != "queued":
        raise _error(
            409, "Conflict", f"Image status transition from {row['status']} to saving is not allowed"
        )
    data = ask.body
    row |= {
        "status": "active", "size": len(data), "os_hash_algo": "sha512",
        "os_hash_value": hashlib.sha512(data).hexdigest(),
        "checksum": hashlib.md5(data, usedforsecurity=False).hexdigest(),
    }  # fmt: skip
    sim.state.image_data[row["id"]] = data
    return Answer(204)


def download(sim: Sim, ask: Ask) -> Answer:
    """204 of one without data."""
    row = _find(sim, ask)
    if row["status"] != "active":
        raise _error(403, "Forbidden", f"Image {row['id']} is not active.")
    data = sim.state.image_data.get(row["id"])
    return Answer(200, data) if data else Answer(204)


def member(sim: Sim, ask: Ask) -> Answer:
    """Whether an image is shared with a project."""
    found = sim.state.image_members.get((ask.ids["id"], ask.ids["member"]))
    if found is None:
        raise _error(404, "Not Found", f"{ask.ids['member']} not found in the member list of the image.")
    return ok(found)


_READ_ONLY = frozenset({
    "id", "status", "size", "checksum", "os_hash_algo", "os_hash_value", "created_at", "updated_at", "file",
    "schema", "self", "virtual_size",
})  # fmt: skip


def _refuse_words(ask: Ask, wanted: Row) -> None:
    """What only administrators may say, and values that are no texts (glance/schema.py, the default policies)."""
    if wanted.get("visibility") == "public" and not ask.account.is_admin:
        raise _error(403, "Forbidden", "You are not authorized to complete publicize_image action.")
    if "owner" in wanted and wanted["owner"] != ask.account.project_id and not ask.account.is_admin:
        raise _error(403, "Forbidden", "You are not authorized to own this image.")
    for name, value in wanted.items():
        if name.startswith("os_glance"):
            raise _error(403, "Forbidden", f"Attribute &#x27;{name}&#x27; is reserved.")
        if name not in _NOT_TEXT and not isinstance(value, str | None):
            raise _error(
                400, "Bad Request", f"Provided object does not match schema: {name} is not of type string"
            )


_NOT_TEXT: dict[str, Any] = dict.fromkeys(("min_disk", "min_ram", "protected", "os_hidden", "tags"))


def _changed(sim: Sim, ask: Ask, action: str) -> Row:
    row = _find(sim, ask)
    if row["owner"] != ask.account.project_id and not ask.account.is_admin:
        raise _error(403, "Forbidden", f"You are not authorized to complete {action} action.")
    return row


def _find(sim: Sim, ask: Ask) -> Row:
    row = sim.state.images.get(ask.ids["id"])
    if row is None or not visible(ask, row):
        raise _error(404, "Not Found", f"No image found with ID {ask.ids['id']}")
    return row


def _error(status: int, title: str, text: str) -> ApiError:
    head = f"{status} {title}"
    said = f"<html><head><title>{head}</title></head><body><h1>{head}</h1>{text}<br /></body></html>"
    return ApiError(status, said)


ROUTES = (
    Route("GET", "/v2/images", images),
    Route("POST", "/v2/images", create),
    Route("PATCH", "/v2/images/{id}", update),
    Route("PUT", "/v2/images/{id}/file", upload),
    Route("GET", "/v2/images/{id}/file", download),
    Route("GET", "/v2/images/{id}/members/{member}", member),
    Route("GET", "/v2/images/{id}", image),
    Route("DELETE", "/v2/images/{id}", delete),
)
