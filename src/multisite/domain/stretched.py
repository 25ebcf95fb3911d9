"""Stretched networks as plain values: one layer-2 network made of one Neutron network per site.

Words: a *real port* is a port Neutron itself bound to a host of its site; a *remote port* is a row in another site's
Neutron that stands for it (attribute ``tunneling_ip``, API extension ``remote-port``).  A *member* is one site's part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

REMOTE_OWNER = "multisite:remote_port"
"""``device_owner`` of remote ports."""
REMOTE_AGENT = "Remote VTEP"
"""``agent_type`` of the shadow agents Neutron keeps for remote tunnel endpoints: they say nothing about its health."""


class StretchKind(StrEnum):
    """How frames get from site to site."""

    VXLAN = "vxlan"  # by remote ports: each site tunnels to the other sites' hosts
    VLAN = "vlan"  # the sites' physical networks carry the same VLAN: nothing to keep in step
    FLAT = "flat"  # as VLAN, untagged


class StretchState(StrEnum):
    """``SENTENCES`` has what an operator can rely on."""

    CREATING = "creating"
    ACTIVE = "active"
    FAILED = "failed"
    REMOVING = "removing"


SENTENCES: Mapping[StretchState, str] = {
    StretchState.CREATING: "its job makes the sites' networks",
    StretchState.ACTIVE: "every site has its part; the reconciler keeps the remote ports in step",
    StretchState.FAILED: "its job failed and was undone: the error says whether something is left",
    StretchState.REMOVING: "being taken apart: the reconciler leaves it alone",
}
TRANSITIONS: tuple[tuple[StretchState, StretchState, str], ...] = (
    (StretchState.CREATING, StretchState.ACTIVE, "made in all sites"),
    (StretchState.CREATING, StretchState.FAILED, "failed, undone"),
    (StretchState.ACTIVE, StretchState.REMOVING, "unstretch"),
    (StretchState.REMOVING, StretchState.ACTIVE, "given up"),
)
"""From, to, and why; shown in docs/networks.md.  One that is unstretched is no more."""


class Gateway(StrEnum):
    """Where guests leave the network.  The same address at several routers is not offered: ARP would leak."""

    NONE = "none"  # nowhere
    SITE = "site"  # at one site's router; the others reach it by a remote port
    EACH = "each"  # at their own site's router, an address of its own in each site


class RemoteGroups(StrEnum):
    """Security groups of remote ports.  They filter nothing there, but membership is what rules refer to."""

    SAME_NAMES = (
        "same-names"  # the groups of the network's project here that are called as the real port's are
    )
    NONE = "none"  # none: rules have to let the other sites in by address


class PortState(StrEnum):
    """A remote port against the real port it stands for."""

    IN_SYNC = "in-sync"
    MISSING = "missing"  # the real port has none here yet
    STALE = "stale"  # it is there, with another address, endpoint or group
    EXTRA = "extra"  # the real port is not seen any more: removed after one more read
    CONFLICT = "conflict"  # this site refuses it; the detail says why
    UNKNOWN = "unknown"  # one of the two sites does not tell: kept as it is


@dataclass(frozen=True)
class Member:
    """One site's part.  ``pool``: first and last address this site gives out; "" ids: not made yet.

    ``adopted``: the network was there before and stays when it is unstretched.  ``tags``: whether this Neutron takes
    tags in a create request.
    """

    site: str
    network_id: str = ""
    subnet_id: str = ""
    project_id: str = ""
    adopted: bool = False
    pool: tuple[str, str] | None = None
    gateway: str | None = None
    dhcp: bool = False
    physical_network: str | None = None
    tags: bool = False


@dataclass(frozen=True)
class StretchedNetwork:
    """``segmentation_id`` is the VNI or VLAN, None for flat; ``mtu`` None until the sites have told theirs.

    ``gateway_site`` with ``Gateway.SITE``; ``dhcp``: "everywhere", "none" or a site's name.
    """

    id: str
    name: str
    project_id: str
    kind: StretchKind
    state: StretchState
    cidr: str
    members: tuple[Member, ...]
    segmentation_id: int | None = None
    mtu: int | None = None
    gateway: Gateway = Gateway.NONE
    gateway_site: str | None = None
    dhcp: str = "everywhere"
    remote_groups: RemoteGroups = RemoteGroups.SAME_NAMES
    port_security: bool = True
    job_id: str | None = None
    requested_by: str = ""
    error: str | None = None
    created_at: datetime | None = None

    def member(self, site: str) -> Member:
        """The part of a site; KeyError when it has none."""
        return next(m for m in self.members if m.site == site)

    @property
    def sites(self) -> tuple[str, ...]:
        return tuple(m.site for m in self.members)


@dataclass(frozen=True)
class PortFact:
    """A port of a member's network, as far as it matters.

    ``addresses``: sorted; ``groups``: names of its security groups, sorted; ``pairs``: allowed address pairs as
    (address, MAC), sorted; ``endpoint``: its host's tunnel endpoint, None while unbound.  For a remote port
    ``stands_for`` is the real port's id and ``of_site`` that port's site, from our token.
    """

    id: str
    mac: str
    addresses: tuple[str, ...]
    owner: str
    endpoint: str | None
    host: str = ""
    name: str = ""
    groups: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    secured: bool = True
    stands_for: str = ""
    of_site: str = ""
    ours: bool = False

    @property
    def is_remote(self) -> bool:
        return self.owner == REMOTE_OWNER


@dataclass(frozen=True)
class SitePorts:
    """One site's part as it was seen at a moment; ``group_names``: security groups of the project here, name -> id.

    Only made from complete answers; a site that did not give them is *unknown*: there is no such object of it.
    """

    site: str
    seen_at: datetime
    ports: tuple[PortFact, ...]
    group_names: Mapping[str, str] = field(default_factory=dict)
    subnets: Mapping[str, str] = field(default_factory=dict)
    """CIDR -> subnet id."""

    @property
    def real(self) -> dict[str, PortFact]:
        return {p.id: p for p in self.ports if not p.is_remote}

    @property
    def remote(self) -> tuple[PortFact, ...]:
        return tuple(p for p in self.ports if p.is_remote)


@dataclass(frozen=True)
class DriftRow:
    """One line of ``network show``: a remote port at ``site`` for port ``real_id`` of ``of_site``.

    ``age``: seconds since the older of the two sites was seen; None when one never was.
    """

    site: str
    of_site: str
    real_id: str
    remote_id: str | None
    mac: str
    addresses: tuple[str, ...]
    endpoint: str | None
    state: PortState
    age: float | None
    detail: str = ""


@dataclass(frozen=True)
class SiteView:
    """How fresh the picture of one site is.  ``error``: why the last try gave none."""

    site: str
    seen_at: datetime | None
    tried_at: datetime | None
    error: str | None
    real_ports: int
    remote_ports: int


@dataclass(frozen=True)
class Drift:
    """The remote ports of a network against its real ports, with what was done about it last."""

    network: StretchedNetwork
    sites: tuple[SiteView, ...]
    ports: tuple[DriftRow, ...]
    counts: Mapping[str, int]
    changes: tuple[str, ...] = ()
