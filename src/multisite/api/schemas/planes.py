"""The planes of an application: how they are described, and what is there of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from multisite.api.schemas.common import In, Name, Out, Query
from multisite.api.schemas.derived import group, shown, started
from multisite.api.schemas.networks import Address
from multisite.domain.planes import PlaneState, Realized, Role
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


class PlaneMadeOut(Out):
    """``router_id``: of planes realized as l3."""

    site: str
    network_id: str
    subnet_id: str
    cidr: str
    router_id: str | None


class PlaneOut(Out):
    """``sentence`` says what the state means, ``explained`` how it is realized and why.

    ``left``: sites it was removed without, where something of it may still be.
    """

    name: str
    role: Role
    realized: Realized
    sites: list[str]
    cidr: str | None
    why: str
    explained: str
    state: PlaneState
    sentence: str
    made: list[PlaneMadeOut]
    left: list[str]
    stretched_network_id: str | None
    job_id: str | None
    error: str | None


PlanesOut = group("PlanesOut", planes=list[PlaneOut])
PlanePreviewOut = shown(
    PlanePreview,
    doc="``actions``: what would be made; ``notes``: what follows from it; startable without blocking problems.",
)
PlaneStartedOut = started("PlaneStartedOut", plane=PlaneOut)
