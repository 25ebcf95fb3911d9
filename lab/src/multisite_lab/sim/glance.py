"""Glance: images to boot from (Image API reference v2)."""

from __future__ import annotations

from multisite_lab.sim.model import Sim
from multisite_lab.sim.wire import Answer, ApiError, Ask, Route, ok


def images(sim: Sim, ask: Ask) -> Answer:
    name = ask.one("name")
    rows = [row for row in sim.state.images.values() if name in (None, row["name"])]
    return ok({"images": rows, "first": "/v2/images", "schema": "/v2/schemas/images"})


def image(sim: Sim, ask: Ask) -> Answer:
    """Glance's errors are HTML (webob's), not JSON."""
    row = sim.state.images.get(ask.ids["id"])
    if row is None:
        text = f"No image found with ID {ask.ids['id']}"
        said = f"<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1>{text}<br /></body></html>"
        raise ApiError(404, said)
    return ok(row)


ROUTES = (Route("GET", "/v2/images", images), Route("GET", "/v2/images/{id}", image))
