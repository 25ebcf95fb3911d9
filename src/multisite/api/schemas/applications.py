"""Applications (VNFs) and their servers."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from multisite.api.schemas.common import In, Name, Ref
from multisite.api.schemas.derived import group, shown
from multisite.domain.model import Application


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


ApplicationOut = shown(Application)
ApplicationsOut = group("ApplicationsOut", applications=list[Application])
