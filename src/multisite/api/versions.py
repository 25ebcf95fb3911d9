"""``GET /``: which versions there are; answered without a token."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import request

from multisite.api.microversion import MAX_VERSION, MIN_VERSION
from multisite.api.schemas.versions import VersionsOut

bp = APIBlueprint("versions", __name__, tag="Versions")


@bp.get("/")
@bp.output(VersionsOut)
def discover() -> Any:
    """Versions of this API."""
    version = {
        "id": "v1.0",
        "status": "CURRENT",
        "min_version": MIN_VERSION,
        "version": MAX_VERSION,
        "links": [{"rel": "self", "href": f"{request.host_url}v1"}],
    }
    return {"versions": [version]}
