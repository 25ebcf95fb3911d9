"""The steps of the jobs "stretch" and "unstretch": each finds what it made before by its token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from multisite.clouds import remote_ports, resources, stretched
from multisite.clouds.administrator import STRETCH_NETWORKS, administrator
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.errors import Refused
from multisite.clouds.resources import Kind
from multisite.domain.stretched import Member, StretchedNetwork, StretchKind
from multisite.jobs.model import Made, StepContext, StepFailed
from multisite.periodic.lease import held
from multisite.store.database import Database

LEASE_PATIENCE = 90.0
"""Seconds a job waits for the reconciler to let go of its network; a dead one's lease is over before."""
CLEAR_ROUNDS = 3
"""Lists until there is nothing left: one is enough unless a request of before was late."""


@dataclass(frozen=True)
class Around:
    """What the steps work with."""

    database: Database
    clouds: Sites

    def open(self, site: str, ctx: StepContext) -> CloudSite:
        """As an administrator, for the project of the job: what is made is said to be that project's."""
        return administrator(self.clouds.open(site, for_project=ctx.project_id), STRETCH_NETWORKS)


@dataclass(frozen=True)
class MadeNetwork(Made):
    mtu: int


@dataclass(frozen=True)
class Level:
    """The MTU all networks have."""

    mtu: int


def network_step(site: str) -> str:
    return f"network:{site}"


def subnet_step(site: str) -> str:
    return f"subnet:{site}"


def make_network(around: Around, network: StretchedNetwork, member: Member, ctx: StepContext) -> MadeNetwork:
    """Create it, or read the one to adopt again."""
    site = around.open(member.site, ctx)
    if member.adopted:
        found = stretched.read_network(site, member.network_id)
        if found.kind != network.kind or found.segment != network.segmentation_id:
            raise StepFailed(
                f"network {found.name} of site {member.site} has changed: it is {found.kind} {found.segment} now"
            )
        return MadeNetwork(found.id, found.mtu)
    fields: dict[str, Any] = {
        "name": network.name,
        **_owner(member),
        "provider:network_type": str(network.kind),
        "port_security_enabled": network.port_security,
    }
    if network.segmentation_id is not None:
        fields["provider:segmentation_id"] = network.segmentation_id
    if member.physical_network is not None:
        fields["provider:physical_network"] = member.physical_network
    if network.mtu is not None:
        fields["mtu"] = network.mtu
    row = resources.ensure(site, "network", ctx.token, fields)
    return MadeNetwork(row["id"], row["mtu"])


def _owner(member: Member) -> dict[str, str]:
    return {"project_id": member.project_id} if member.project_id else {}


def unmake(around: Around, member: Member, kind: Kind, ctx: StepContext, result: Made | None) -> None:
    """Remove what the step made."""
    known = result.id if result else None
    stretched.remove(around.open(member.site, ctx), kind, ctx.token, known, late=result is None)


def level_mtu(around: Around, network: StretchedNetwork, ctx: StepContext) -> Level:
    """Give all networks the least MTU of the sites; frames that fit in one must fit in all."""
    made = {m.site: ctx.result_of(network_step(m.site), MadeNetwork) for m in network.members}
    least = min(one.mtu for one in made.values())
    for m in network.members:
        if made[m.site].mtu == least:
            continue
        if m.adopted:
            raise StepFailed(
                f"mtu: the adopted network of site {m.site} has {made[m.site].mtu}, and {least} is the most another "
                f"site carries: openstack network set --mtu {least} {m.network_id}, and tell its guests"
            )
        stretched.set_mtu(around.open(m.site, ctx), made[m.site].id, least)
        ctx.event(f"MTU of the network at {m.site} set to {least}")
    return Level(least)


def make_subnet(around: Around, network: StretchedNetwork, member: Member, ctx: StepContext) -> Made:
    if member.adopted:
        return Made(member.subnet_id)
    fields: dict[str, Any] = {
        "name": network.name,
        **_owner(member),
        "network_id": ctx.result_of(network_step(member.site), Made).id,
        "cidr": network.cidr,
        "ip_version": 4,
        "gateway_ip": member.gateway,
        "enable_dhcp": member.dhcp,
    }
    if member.pool is not None:
        fields["allocation_pools"] = [{"start": member.pool[0], "end": member.pool[1]}]
    return Made(resources.ensure(around.open(member.site, ctx), "subnet", ctx.token, fields)["id"])


def set_pools(around: Around, member: Member, pools: tuple[tuple[str, str], ...], ctx: StepContext) -> None:
    stretched.set_pools(around.open(member.site, ctx), member.subnet_id, pools)


def clear(around: Around, network: StretchedNetwork, member: Member, ctx: StepContext) -> dict[str, int]:
    """Remove our remote ports from a site's network, with nobody making new ones meanwhile."""
    if network.kind is not StretchKind.VXLAN or not member.network_id:
        return {"removed": 0}
    site = around.open(member.site, ctx)
    removed = 0
    with held(around.database, f"network {network.id}", LEASE_PATIENCE):
        for _ in range(CLEAR_ROUNDS):
            found = remote_ports.of_network(site, member.network_id, network.id)
            for number, port_id in enumerate(found):
                remote_ports.delete(site, port_id)
                ctx.progress(number + 1, len(found), "remote ports")
            removed += len(found)
            if not found:
                break
        else:
            said = f"remote ports of network {network.name} come back: is there another manager?"
            raise StepFailed(f"site {member.site}: {said}")
    return {"removed": removed}


def remove_network(around: Around, job_id: str, member: Member, ctx: StepContext) -> None:
    """Remove the network the stretch job made; refused while guests are in it."""
    site = around.open(member.site, ctx)
    token = f"multisite:{job_id}:{network_step(member.site)}"
    if guests := stretched.guests(site, member.network_id):
        raise StepFailed(
            f"network {member.network_id} of site {member.site} is in use: {', '.join(guests[:10])}"
        )
    try:
        stretched.remove(site, "network", token, member.network_id, late=ctx.interrupted)
    except Refused as error:
        raise StepFailed(str(error)) from error
