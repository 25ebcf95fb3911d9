"""What it takes to make a plane of networks of its own (local, l3) in each site, and what is in the way; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from multisite.clouds.planes import PlaneFacts
from multisite.domain.findings import Finding, blockers, blocking
from multisite.domain.planes import Plane, Realized
from multisite.networks.planes.orders import made_name


@dataclass(frozen=True)
class Part:
    """What is to be made in one site, in project ``project_id`` there.

    ``cidr`` None: addresses from the subnet pool ``pool_id``.  ``gateway``: whether its subnet names one.
    ``external_id``: the network its router leaves by, None without router.
    """

    site: str
    project_id: str
    cidr: str | None
    pool_id: str | None
    gateway: bool
    external_id: str | None


@dataclass(frozen=True)
class PlanePlan:
    """``name``: of everything made.  ``actions`` and ``notes`` in words.  A plan with blocking problems is for reading
    only; ``addressless``: sites where no address is known for it, which the description can add."""

    name: str
    parts: tuple[Part, ...]
    actions: tuple[str, ...]
    notes: tuple[str, ...]
    problems: tuple[Finding, ...]
    addressless: tuple[str, ...] = ()

    @property
    def startable(self) -> bool:
        return not blockers(self.problems)


def make_plan(
    application: str, plane: Plane, facts: Mapping[str, PlaneFacts], silent: Mapping[str, str]
) -> PlanePlan:
    """``silent``: sites that did not tell, and why: nothing is known to be possible there."""
    name = made_name(application, plane.name)
    asked = [facts[site] for site in plane.sites if site in facts]
    problems = [*_silence(silent)]
    for site in asked:
        problems += _of_site(plane, site)
    return PlanePlan(
        name,
        tuple(_part(plane, site) for site in asked),
        tuple(action for site in asked for action in _actions(name, plane, site)),
        tuple(_notes(plane)),
        tuple(problems),
        tuple(site.site for site in asked if _addressless(plane, site)),
    )


def no_address(plane: Plane, sites: tuple[str, ...]) -> str:
    """What to give when no address is known."""
    listed = ", ".join(sites)
    return (
        f"cidr: plane {plane.name} has none, and {listed} has no default subnet pool: give the plane a cidr "
        "(application plane set), or have a default pool there (openstack subnet pool set --default <pool>)"
    )


def _addressless(plane: Plane, site: PlaneFacts) -> bool:
    return plane.cidr is None and site.pool is None


def _silence(silent: Mapping[str, str]) -> Iterator[Finding]:
    for site, why in silent.items():
        what = f"it does not tell what it has, so nothing is known to be possible there: {why}"
        yield blocking(site, "unknown", what, "make it reachable, or describe the plane for the other sites")


def _of_site(plane: Plane, site: PlaneFacts) -> Iterator[Finding]:
    if _addressless(plane, site):
        what = "it has no default subnet pool, and the plane no cidr"
        yield blocking(site.site, "cidr", what, "give the plane a cidr")
    if plane.realized is Realized.L3 and site.external_id is None:
        remedy = (
            "an l3 plane needs one external network there: make it, or mark one as the default one "
            "(openstack network set --default)"
        )
        yield blocking(
            site.site, "external network", site.external_trouble or "it has no external network", remedy
        )
    # DHCP takes a port, a router one in the network.
    ports = 2 if plane.realized is Realized.L3 else 1
    wanted = {"network": 1, "subnet": 1, "port": ports, "router": int(plane.realized is Realized.L3)}
    for resource, count in wanted.items():
        room = site.room.get(resource)
        if room is not None and room < count:
            what = f"the project may have {room} more {resource}s, {count} are needed"
            yield blocking(
                site.site, "quota", what, f"openstack quota set --{resource}s ... {site.project_id}"
            )


def _part(plane: Plane, site: PlaneFacts) -> Part:
    pool = site.pool[0] if plane.cidr is None and site.pool is not None else None
    external = site.external_id if plane.realized is Realized.L3 else None
    return Part(site.site, site.project_id, plane.cidr, pool, plane.has_gateway, external)


def _actions(name: str, plane: Plane, site: PlaneFacts) -> Iterator[str]:
    where = plane.cidr
    if where is None:
        where = f"addresses from subnet pool {site.pool[1]}" if site.pool else "addresses from nowhere"
    yield f"create network {name} at {site.site}: {where}"
    if plane.realized is Realized.L3:
        yield f"create router {name} at {site.site}, its gateway in external network {site.external_id or 'unknown'}"


def _notes(plane: Plane) -> Iterator[str]:
    if plane.realized is Realized.L3:
        yield "members get floating IPs, and rules that let only the peer in, by `openstack multisite path create`"
    elif plane.has_gateway:
        yield "the subnets name a gateway; nobody answers there until a router of yours is attached"
    else:
        yield "the subnets name no gateway: guests leave this plane nowhere, and get no default route from it"
