"""``GET /``: which versions there are; answered without a token."""

from __future__ import annotations

from flask import request
from pydantic import BaseModel

from multisite.api.microversion import MAX_VERSION, MIN_VERSION
from multisite.api.policy import PUBLIC
from multisite.api.routing import Resource


class LinkOut(BaseModel):
    rel: str
    href: str


class VersionOut(BaseModel):
    id: str
    status: str
    min_version: str
    version: str
    links: list[LinkOut]


class VersionsOut(BaseModel):
    versions: list[VersionOut]


resource = Resource("versions", "", tag="Versions")


@resource.route("GET /", "", PUBLIC, out=VersionsOut)
def discover() -> object:
    """Versions of this API."""
    version = {
        "id": "v1.0",
        "status": "CURRENT",
        "min_version": MIN_VERSION,
        "version": MAX_VERSION,
        "links": [{"rel": "self", "href": f"{request.host_url}v1"}],
    }
    return {"versions": [version]}
