"""The versions document."""

from __future__ import annotations

from pydantic import BaseModel


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
