"""Stretched networks: what is asked for, what it takes, what is in step and what is not."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from multisite.api.schemas.common import FindingOut, In, Name, Out, Ref
from multisite.domain.stretched import Gateway, PortState, RemoteGroups, StretchKind, StretchState
from multisite.networks.stretch.order import StretchOrder

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


class StretchMemberOut(Out):
    site: str
    network_id: str
    subnet_id: str
    project_id: str
    adopted: bool
    pool: tuple[str, str] | None
    gateway: str | None
    dhcp: bool
    physical_network: str | None


class NetworkOut(Out):
    id: str
    name: str
    project_id: str
    kind: StretchKind
    state: StretchState
    cidr: str
    segmentation_id: int | None
    mtu: int | None
    gateway: Gateway
    gateway_site: str | None
    dhcp: str
    remote_groups: RemoteGroups
    port_security: bool
    members: list[StretchMemberOut]
    job_id: str | None
    requested_by: str
    error: str | None
    created_at: datetime | None


class NetworksOut(Out):
    stretched_networks: list[NetworkOut]


class NetworkStartedOut(Out):
    """Watch the job."""

    job_id: str
    network: NetworkOut


class StretchPlanOut(Out):
    """``actions``: what would be done; ``notes``: what follows from it; startable without blocking problems."""

    startable: bool
    segment: int | None
    cidr: str
    mtu: int | None
    members: list[StretchMemberOut]
    actions: list[str]
    notes: list[str]
    problems: list[FindingOut]


class SiteViewOut(Out):
    site: str
    seen_at: datetime | None
    tried_at: datetime | None
    error: str | None
    real_ports: int
    remote_ports: int


class DriftRowOut(Out):
    """A remote port at ``site`` for port ``real_id`` of ``of_site``; ``age``: seconds since both were seen."""

    site: str
    of_site: str
    real_id: str
    remote_id: str | None
    mac: str
    addresses: list[str]
    endpoint: str | None
    state: PortState
    age: float | None
    detail: str


class DriftOut(Out):
    network: NetworkOut
    sites: list[SiteViewOut]
    ports: list[DriftRowOut]
    counts: dict[str, int]
    changes: list[str]
