"""Sites and what they can do."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from multisite.api.schemas.common import In, Name, Text
from multisite.api.schemas.derived import group, shown
from multisite.domain.model import Site, SiteCheck


class SiteIn(In):
    name: Name
    cloud: Annotated[Name, Field(description="An entry of the service's clouds.yaml")]
    description: Text = ""


SiteOut = shown(Site)
SitesOut = group("SitesOut", sites=list[Site])
SiteCheckOut = shown(SiteCheck, doc="``unknown`` is not ``no``: it could not be asked.")
