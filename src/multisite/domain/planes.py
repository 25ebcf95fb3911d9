"""The planes of an application: described once, each realized in its own way over the sites.

The four of OPNFV multisite's VNF high availability: *external* (customers), *inter-component* (the application among
itself: heartbeat, state), *backup* (bulk copies) and *management*.  A plane is realized as

| as | means | needs |
|---|---|---|
| stretched | one layer-2 network over the sites | ``network stretch`` |
| l3 | a network in each site, reached by floating IPs or routes | rules that let only the peers in |
| local | a network in each site of its own; nothing between them | nothing |
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network, ip_network
from itertools import combinations
from typing import Any, TypeVar

from multisite.domain.errors import Invalid

T = TypeVar("T", bound=StrEnum)
SMALLEST = 29
"""Prefix length of the smallest network with room for a gateway, DHCP and guests."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Role(StrEnum):
    EXTERNAL = "external"
    INTER_COMPONENT = "inter-component"
    BACKUP = "backup"
    MANAGEMENT = "management"


class Realized(StrEnum):
    STRETCHED = "stretched"
    L3 = "l3"
    LOCAL = "local"


DEFAULTS: Mapping[Role, tuple[Realized, str]] = {
    Role.EXTERNAL: (
        Realized.LOCAL,
        "each site has its own way out; an address that has to survive a site is a moving address",
    ),
    Role.INTER_COMPONENT: (
        Realized.STRETCHED,
        "heartbeat and state use multicast, VRRP or one subnet, which only layer 2 carries",
    ),
    Role.BACKUP: (
        Realized.L3,
        "bulk copies need a route and rules, not a common broadcast domain that a storm crosses",
    ),
    Role.MANAGEMENT: (Realized.LOCAL, "a site must stay manageable when every other one is gone"),
}
"""How a role is realized unless the operator says otherwise, and why."""


@dataclass(frozen=True)
class Plane:
    """``cidr``: of a stretched plane, the same in all sites; None for others whose sites choose."""

    name: str
    role: Role
    realized: Realized
    sites: tuple[str, ...]
    cidr: str | None
    why: str

    @property
    def has_gateway(self) -> bool:
        """A default route leads somewhere only where there is, or will be, a router; else guests get none."""
        return self.realized is Realized.L3 or self.role is Role.EXTERNAL

    def explained(self, application: str) -> str:
        """How it is realized, and why."""
        sites = ", ".join(self.sites)
        what = {
            Realized.STRETCHED: f"stretched network {application}-{self.name} ({self.cidr}) over {sites}",
            Realized.L3: f"a network in each of {sites}, reached by floating IPs from the peers only",
            Realized.LOCAL: f"a network of its own in each of {sites}",
        }[self.realized]
        return f"{self.name} ({self.role}): {what}: {self.why}"


class PlaneState(StrEnum):
    """``SENTENCES`` has what an operator can rely on."""

    DESCRIBED = "described"
    REALIZING = "realizing"
    ACTIVE = "active"
    FAILED = "failed"
    REMOVING = "removing"


SENTENCES: Mapping[PlaneState, str] = {
    PlaneState.DESCRIBED: "only written down; nothing of it is in any site",
    PlaneState.REALIZING: "being made in all its sites; what is made is removed when one of them fails",
    PlaneState.ACTIVE: "was made in all its sites; check tells whether it is still so",
    PlaneState.FAILED: "could not be made; nothing of it is left in any site",
    PlaneState.REMOVING: "being removed; if its job has ended, something is left: the error says what, remove it again",
}
TRANSITIONS: tuple[tuple[PlaneState, PlaneState, str], ...] = (
    (PlaneState.DESCRIBED, PlaneState.REALIZING, "realize"),
    (PlaneState.FAILED, PlaneState.REALIZING, "realize"),
    (PlaneState.REALIZING, PlaneState.ACTIVE, "made in all sites"),
    (PlaneState.REALIZING, PlaneState.FAILED, "failed, undone"),
    (PlaneState.REALIZING, PlaneState.REMOVING, "failed, not undone"),
    (PlaneState.ACTIVE, PlaneState.REMOVING, "remove"),
    (PlaneState.REMOVING, PlaneState.DESCRIBED, "removed"),
    (PlaneState.FAILED, PlaneState.DESCRIBED, "remove"),
)
"""From, to, and why; shown in docs/planes.md."""
AT_REST = frozenset({PlaneState.DESCRIBED, PlaneState.FAILED})
"""Nothing of it is in any site: it may be described anew, or realized."""


@dataclass(frozen=True)
class MadeAt:
    """What a plane has in one site, and what it was made with.

    ``router_id``, ``external_id``: of planes realized as l3.  ``mtu`` None: not noted, so not compared.
    ``pool_id``: the subnet pool its addresses are of, if they are.
    """

    network_id: str
    subnet_id: str
    cidr: str
    router_id: str | None = None
    mtu: int | None = None
    external_id: str | None = None
    project_id: str | None = None
    pool_id: str | None = None


@dataclass(frozen=True)
class OrphanedResources:
    """What a plane was removed without: in that site everything may still be there that carries the job's tokens.

    ``made``: as far as it is known; ``router``: whether it was realized as l3.
    """

    site: str
    job_id: str
    router: bool
    made: MadeAt | None = None


@dataclass(frozen=True)
class PlaneRecord:
    """A plane of an application as it is stored: how it is described, and what was made of it.

    ``made``: by site.  ``left``: in sites it was removed without.  ``stretched_network_id``: whose state is the
    plane's; what is stored of a stretched plane's own state says nothing.
    """

    id: str
    application_id: str
    name: str
    role: Role
    realized: Realized
    sites: tuple[str, ...]
    cidr: str | None
    why: str
    state: PlaneState = PlaneState.DESCRIBED
    stretched_network_id: str | None = None
    made: Mapping[str, MadeAt] = field(default_factory=dict)
    job_id: str | None = None
    error: str | None = None
    created_at: datetime | None = None
    left: tuple[OrphanedResources, ...] = ()

    @property
    def plane(self) -> Plane:
        return Plane(self.name, self.role, self.realized, self.sites, self.cidr, self.why)

    @property
    def sentence(self) -> str:
        """What its state means."""
        return SENTENCES[self.state]


def parse(
    document: Sequence[Mapping[str, Any]], sites: Sequence[str], known: Sequence[str] | None = None
) -> tuple[Plane, ...]:
    """``[{"name", "role", "realized"?, "cidr"?, "sites"?}]``; ``sites``: those of a plane that names none.

    ``known``: those a plane may name, by default the same.  Raises Invalid naming plane and field: also for planes
    whose addresses overlap in a site, because a guest with both could reach one of them only.
    """
    may = tuple(sites) if known is None else tuple(known)
    planes = tuple(_plane(number, entry, tuple(sites), may) for number, entry in enumerate(document))
    names = [plane.name for plane in planes]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Invalid(f"planes: {', '.join(twice)}: each needs a name of its own")
    for one, other in combinations([p for p in planes if p.cidr], 2):
        if set(one.sites) & set(other.sites) and _block(one).overlaps(_block(other)):
            raise Invalid(f"planes: cidr: {one.name} ({one.cidr}) and {other.name} ({other.cidr}) overlap")
    return planes


def _plane(number: int, entry: Mapping[str, Any], sites: tuple[str, ...], known: tuple[str, ...]) -> Plane:
    name = str(entry.get("name") or "")
    where = f"planes[{number}]{f' ({name})' if name else ''}"
    if unknown := sorted(set(entry) - {"name", "role", "realized", "cidr", "sites"}):
        raise Invalid(f"{where}: {', '.join(unknown)}: not a field of a plane")
    if not name:
        raise Invalid(f"{where}: name: it needs one")
    if not _NAME.fullmatch(name):
        raise Invalid(f"{where}: name: 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit")
    role = _choice(where, "role", entry.get("role"), Role)
    usual, why = DEFAULTS[role]
    said = entry.get("realized")
    realized = usual if said is None else _choice(where, "realized", said, Realized)
    mine = tuple(entry.get("sites") or sites)
    if unknown := sorted(set(mine) - set(known)):
        listed = ", ".join(known)
        raise Invalid(
            f"{where}: sites: {', '.join(unknown)} is not a site of the application; it may be: {listed}"
        )
    if len(set(mine)) < len(mine):
        raise Invalid(f"{where}: sites: each of them once: {', '.join(mine)}")
    if realized is not Realized.LOCAL and len(set(mine)) < 2:
        raise Invalid(f"{where}: sites: a plane realized as {realized} connects two sites or more")
    cidr = entry.get("cidr")
    if realized is Realized.STRETCHED and cidr is None:
        raise Invalid(f"{where}: cidr: a stretched plane has the same addresses in all sites: say which")
    plane = Plane(name, role, realized, mine, cidr, why if said is None else "as the operator said")
    if cidr is not None:
        try:
            _block(plane)
        except ValueError as error:
            raise Invalid(f"{where}: cidr: {cidr!r} is not an IPv4 network: {error}") from error
    return plane


def _block(plane: Plane) -> IPv4Network:
    found = ip_network(str(plane.cidr))
    if not isinstance(found, IPv4Network):
        raise ValueError("it is IPv6")  # noqa: TRY004 - what is wrong is the value
    if found.prefixlen > SMALLEST:
        raise ValueError(f"it has no room for guests, /{SMALLEST} is the smallest")
    return found


def _choice(where: str, field: str, value: object, kind: type[T]) -> T:
    try:
        return kind(str(value))
    except ValueError as error:
        listed = ", ".join(one.value for one in kind)
        raise Invalid(f"{where}: {field}: {value!r} is not one of {listed}") from error
