"""The planes of an application: how they are described, and what is there of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from multisite.api.schemas.common import In, Name, Query
from multisite.api.schemas.derived import group, shown, started
from multisite.api.schemas.networks import Address
from multisite.domain.planes import MadeAt, PlaneRecord
from multisite.networks.planes.service import PlanePreview

_NAMES = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(,[A-Za-z0-9][A-Za-z0-9._-]{0,63})*$"


class PlaneIn(In):
    """``sites``: default those of the document; ``cidr``: needed when stretched, else a default pool gives it."""

    name: Name
    role: Literal["external", "inter-component", "backup", "management"]
    realized: Annotated[
        Literal["stretched", "l3", "local"] | None, Field(description="By default what its role needs")
    ] = None
    cidr: Annotated[
        Address | None, Field(description="Of a plane that is not stretched: the same in each site")
    ] = None
    sites: Annotated[list[Name] | None, Field(min_length=1, max_length=50)] = None


class PlanesIn(In):
    """All planes of the application; ``sites``: of those that name none, default the application's own."""

    planes: Annotated[list[PlaneIn], Field(max_length=32)]
    sites: Annotated[list[Name], Field(max_length=50)] = Field(default_factory=list)


class PlaneRemovalQuery(Query):
    without: Annotated[
        str | None,
        Field(
            pattern=_NAMES, max_length=2048, description="Lost sites, by commas: nothing is done there now"
        ),
    ] = None
    left: Annotated[
        Literal["true", "false"],
        Field(description="Only what was left in sites that the plane was removed without before"),
    ] = "false"

    def sites(self) -> tuple[str, ...]:
        return tuple(self.without.split(",")) if self.without else ()


class PlaneForgetIn(In):
    sites: Annotated[list[Name], Field(min_length=1, max_length=50)]


PlaneMadeOut = shown(
    MadeAt,
    "PlaneMadeOut",
    without=("mtu", "external_id", "project_id", "pool_id"),
    more={"site": str},
    doc="``router_id``: of planes realized as l3.",
)
PlaneOut = shown(
    PlaneRecord,
    "PlaneOut",
    without=("id", "application_id", "created_at"),
    more={"explained": str, "sentence": str, "made": list[MadeAt], "left": list[str]},
    doc="""``sentence`` says what the state means, ``explained`` how it is realized and why.

``left``: sites it was removed without, where something of it may still be.""",
)
PlanesOut = group("PlanesOut", planes=list[PlaneRecord])
PlanePreviewOut = shown(
    PlanePreview,
    doc="``actions``: what would be made; ``notes``: what follows from it; startable without blocking problems.",
)
PlaneStartedOut = started("PlaneStartedOut", plane=PlaneRecord)
