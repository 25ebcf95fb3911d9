"""Applications (VNFs) and their servers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, model_validator

from multisite.api.schemas.common import In, Name, Out, Ref


class ServerIn(In):
    id: Ref
    quiesce: Annotated[bool, Field(description="False for an active member that must not be frozen")] = True


class ApplicationIn(In):
    """Either ``servers`` in boot order, or the metadata (``key=value``) they share."""

    name: Name
    site: Name
    servers: Annotated[list[ServerIn], Field(min_length=1, max_length=100)] | None = None
    metadata_tag: Annotated[str, Field(pattern=r"^[^=\x00-\x1f]{1,255}=[^\x00-\x1f]{1,255}$")] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> ApplicationIn:
        if (self.servers is None) == (self.metadata_tag is None):
            raise ValueError("servers, metadata_tag: give exactly one of the two")
        if self.servers and len({server.id for server in self.servers}) != len(self.servers):
            raise ValueError("servers: a server is named twice")
        return self


class MemberOut(Out):
    server_id: str
    server_name: str
    order: int
    quiesce: bool


class ApplicationOut(Out):
    id: str
    name: str
    project_id: str
    site: str
    members: list[MemberOut]
    metadata_tag: str | None
    created_at: datetime | None


class ApplicationsOut(Out):
    applications: list[ApplicationOut]
