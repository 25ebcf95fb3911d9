"""``/v1/stretched-networks``: one layer-2 network over several sites."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from multisite.api.policy import ADMIN, MEMBER, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.common import In, MaybeJobOut, Name, PageQuery, Ref
from multisite.api.schemas.derived import page_of, shown, started
from multisite.api.schemas.findings import CheckOut
from multisite.api.state import Service
from multisite.domain.caller import Caller
from multisite.domain.stretched import (
    Drift,
    Gateway,
    Member,
    RemoteGroups,
    StretchedNetwork,
    StretchKind,
)
from multisite.networks.stretch.order import StretchOrder
from multisite.networks.stretch.plan import StretchPlan
from multisite.networks.stretch.service import NetworkService

Address = Annotated[str, Field(min_length=7, max_length=43, pattern=r"^[0-9./]+$", description="IPv4")]


class PoolIn(In):
    first: Address
    last: Address


class StretchIn(In):
    name: Name
    sites: Annotated[list[Name], Field(min_length=2, max_length=50)]
    kind: Literal["vxlan", "vlan", "flat"] = "vxlan"
    cidr: Annotated[Address | None, Field(description="Needed unless a network is adopted")] = None
    segment: Annotated[int | None, Field(ge=1, le=16777215, description="VNI or VLAN; chosen by default")] = (
        None
    )
    mtu: Annotated[int | None, Field(ge=576, le=65535, description="Default: the least of the sites")] = None
    adopt: Annotated[
        dict[Name, Ref], Field(max_length=50, description="Site -> network it has already (name or id)")
    ] = Field(default_factory=dict)
    pools: Annotated[
        dict[Name, PoolIn],
        Field(max_length=50, description="Site -> addresses it gives out; computed by default"),
    ] = Field(default_factory=dict)
    gateway: Annotated[
        Literal["none", "site", "each"],
        Field(description="Nowhere, at one site's router, or at each site's own under an address of its own"),
    ] = "none"
    gateway_site: Name | None = None
    dhcp: Annotated[Name, Field(description="everywhere, none, or the one site that serves all")] = (
        "everywhere"
    )
    remote_groups: Annotated[
        Literal["same-names", "none"], Field(description="Security groups of remote ports")
    ] = "same-names"
    port_security: bool = True
    physical_networks: Annotated[
        dict[Name, Ref], Field(max_length=50, description="Site -> physical network (kinds vlan and flat)")
    ] = Field(default_factory=dict)

    def order(self) -> StretchOrder:
        """As the service takes it."""
        values = self.model_dump(exclude={"kind", "gateway", "remote_groups", "pools", "sites"})
        return StretchOrder(
            **values,
            sites=tuple(self.sites),
            kind=StretchKind(self.kind),
            gateway=Gateway(self.gateway),
            remote_groups=RemoteGroups(self.remote_groups),
            pools={site: (pool.first, pool.last) for site, pool in self.pools.items()},
        )


class UnstretchIn(In):
    keep_networks: Annotated[bool, Field(description="Leave the sites' networks there")] = False
    without: Annotated[list[Name], Field(max_length=50, description="Lost sites: nothing is done there")] = (
        Field(default_factory=list)
    )


StretchMemberOut = shown(Member, "StretchMemberOut", without=("tags",))
NetworkOut = shown(StretchedNetwork, "NetworkOut")
NetworksOut = page_of("NetworksOut", stretched_networks=list[StretchedNetwork])
NetworkStartedOut = started("NetworkStartedOut", network=StretchedNetwork)
StretchPlanOut = shown(
    StretchPlan,
    without=("order", "set_pools"),
    more={"startable": bool},
    doc="``actions``: what would be done; ``notes``: what follows from it; startable without blocking problems.",
)
DriftOut = shown(Drift)


networks = Service("networks", NetworkService)
OWNED = Owned("network", lambda caller, id: networks().get(caller, id), "stretched network")
resource = Resource("networks", "/v1/stretched-networks", tag="Stretched networks", owned=OWNED)


@resource.route("GET", "network:list", READER, query=PageQuery, out=NetworksOut)
def list_networks(caller: Caller, query: PageQuery) -> object:
    """List the stretched networks of the project."""
    return {"stretched_networks": networks().list(caller, page=query.page())}


@resource.route("POST /preview", "network:preview", ADMIN, body=StretchIn, out=StretchPlanOut, recorded=False)
def preview_network(caller: Caller, body: StretchIn) -> object:
    """What stretching a network would do and what stands in its way; changes nothing."""
    return networks().preview(caller, body.order())


@resource.route("POST", "network:stretch", ADMIN, body=StretchIn, out=NetworkStartedOut, status=202)
def stretch_network(caller: Caller, body: StretchIn) -> object:
    """Stretch a network over sites; what fails in one site is undone in all."""
    found = networks().stretch(caller, body.order())
    return {"job_id": found.job_id, "network": found}


@resource.route("GET /<id>", "network:show", READER, out=DriftOut)
def show_network(caller: Caller, found: StretchedNetwork) -> object:
    """Show a network, its sites looked at now: which remote ports are in step, and since when it is not known."""
    return networks().show(caller, found.id)


@resource.route("POST /<id>/check", "network:check", MEMBER, out=CheckOut, recorded=False)
def check_network(caller: Caller, found: StretchedNetwork) -> object:
    """Compare the sites' parts with what they have to be."""
    return networks().check(caller, found.id)


@resource.route("POST /<id>/reconcile", "network:reconcile", ADMIN, out=DriftOut)
def reconcile_network(caller: Caller, found: StretchedNetwork) -> object:
    """Compare and repair now, instead of at the next pass."""
    return networks().reconcile(caller, found.id)


@resource.route(
    "POST /<id>/unstretch", "network:unstretch", ADMIN, body=UnstretchIn, out=MaybeJobOut, status=202
)
def unstretch_network(caller: Caller, found: StretchedNetwork, body: UnstretchIn) -> object:
    """Take it apart: remote ports first, then the networks that were made for it."""
    job_id = networks().unstretch(
        caller, found.id, keep_networks=body.keep_networks, without=tuple(body.without)
    )
    return {"job_id": job_id}
