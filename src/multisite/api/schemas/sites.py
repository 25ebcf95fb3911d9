"""Sites and what they can do."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from multisite.api.schemas.common import In, Name, Out, Text
from multisite.domain.model import Known


class SiteIn(In):
    name: Name
    cloud: Annotated[Name, Field(description="An entry of the service's clouds.yaml")]
    description: Text = ""


class SiteOut(Out):
    id: str
    name: str
    cloud: str
    region: str
    auth_url: str
    description: str
    created_at: datetime | None


class SitesOut(Out):
    sites: list[SiteOut]


class CapabilityOut(Out):
    name: str
    present: Known
    detail: str
    version: str | None


class SiteCheckOut(Out):
    """``unknown`` is not ``no``: it could not be asked."""

    site: str
    checked_at: datetime
    reachable: bool
    seconds: float
    capabilities: list[CapabilityOut]
    error: str | None
