"""Glance: images to boot from (Image API reference v2)."""

from __future__ import annotations

from multisite_lab.sim.model import Row, Sim
from multisite_lab.sim.wire import Answer, ApiError, Ask, Route, ok

PAGE = 25
"""Rows a list gives unless it is asked for more (``limit_param_default``)."""


def visible(ask: Ask, row: Row) -> bool:
    """Public ones, the project's own, and to administrators all."""
    return bool(
        row["visibility"] == "public" or row["owner"] == ask.account.project_id or ask.account.is_admin
    )


def images(sim: Sim, ask: Ask) -> Answer:
    """By ``name``, ``owner`` and ``visibility``, page by page."""
    rows = [row for row in sim.state.images.values() if visible(ask, row)]
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
    row = _find(sim, ask)
    if row["owner"] != ask.account.project_id and not ask.account.is_admin:
        raise _error(403, "Forbidden", "You are not authorized to complete delete_image action.")
    del sim.state.images[row["id"]]
    sim.state.image_contents.pop(row["id"], None)
    return Answer(204)


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
    Route("GET", "/v2/images/{id}", image),
    Route("DELETE", "/v2/images/{id}", delete),
)
