"""The jobs "stretch" (a failure undoes what was made in every site) and "unstretch" (a failure pauses it)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from multisite.clouds.resources.left import left_by_job
from multisite.domain.errors import NotFound
from multisite.domain.stretched import Member, StretchedNetwork, StretchState
from multisite.jobs.model import Ended, JobKind, JobState, Json, Made, Step, StepContext
from multisite.jobs.outcome import Outcome, Row, failure
from multisite.jobs.values import decode
from multisite.networks.stretch import steps
from multisite.networks.stretch.steps import Around, Level, MadeNetwork, network_step, subnet_step
from multisite.store.stretched import StretchedRepository

STRETCH, UNSTRETCH = "stretch", "unstretch"
STRETCHED: Mapping[JobState, StretchState | Row] = {
    JobState.DONE: Row.UNCHANGED,  # its last step made it active
    JobState.UNDONE: StretchState.FAILED,
    JobState.PAUSED: StretchState.FAILED,
    JobState.UNDO_FAILED: StretchState.FAILED,
}
UNSTRETCHED: Mapping[JobState, StretchState | Row] = {
    JobState.DONE: Row.UNCHANGED,  # its last step deleted it
    JobState.UNDONE: StretchState.ACTIVE,  # given up: the reconciler makes again what is missing
    JobState.PAUSED: StretchState.REMOVING,
    JobState.UNDO_FAILED: StretchState.REMOVING,
}


@dataclass(frozen=True)
class StretchParams:
    """The network as planned (members without ids), and the pools of adopted subnets that are narrowed."""

    network: StretchedNetwork
    old_pools: Mapping[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class UnstretchParams:
    """``keep``: the sites' networks stay; ``without``: lost sites, where nothing is done."""

    network: StretchedNetwork
    keep: bool
    without: tuple[str, ...]


def kinds(around: Around, networks: StretchedRepository) -> tuple[JobKind, JobKind]:
    """The two kinds to register."""
    told = (JobState.DONE, JobState.UNDONE)
    return (
        JobKind(
            STRETCH,
            lambda params: _stretch(around, networks, decode(params, StretchParams, STRETCH)),
            on_failure="undo",
            outcome=Outcome(networks, "network.id", STRETCHED, _failed),
            left=left_by_job(around.clouds, ("network", "subnet")),
            rule="network:stretch",
        ),
        JobKind(
            UNSTRETCH,
            lambda params: _unstretch(around, networks, decode(params, UnstretchParams, UNSTRETCH)),
            on_failure="pause",
            outcome=Outcome(networks, "network.id", UNSTRETCHED, any_job=True, without_error=told),
            rule="network:unstretch",
        ),
    )


def _stretch(around: Around, networks: StretchedRepository, params: StretchParams) -> list[Step]:
    network = params.network
    made: list[Step] = []
    for m in network.members:
        verb = "Adopt" if m.adopted else "Create"
        made.append(
            Step(
                network_step(m.site),
                f"{verb} the network at {m.site}",
                partial(steps.make_network, around, network, m),
                None if m.adopted else partial(steps.unmake, around, m, "network"),
                site=m.site,
                result=MadeNetwork,
            )
        )
    level = Step("mtu", "Give all networks the least MTU", partial(steps.level_mtu, around, network),
                 needs=tuple(step.name for step in made))  # fmt: skip
    subnets = [
        Step(
            subnet_step(m.site),
            f"{'Adopt' if m.adopted else 'Create'} the subnet at {m.site}",
            partial(steps.make_subnet, around, network, m),
            None if m.adopted else partial(steps.unmake, around, m, "subnet"),
            needs=("mtu", network_step(m.site)),
            site=m.site,
            result=Made,
        )
        for m in network.members
    ]
    pools = [_pool_step(around, network.member(site), old) for site, old in params.old_pools.items()]
    needs = ("mtu", *(s.name for s in (*made, *subnets, *pools)))
    begin = Step("activate", "Hand it to the reconciler", partial(_activate, networks, network),
                 partial(_deactivate, around, networks, network), needs=needs)  # fmt: skip
    return [*made, level, *subnets, *pools, begin]


def _pool_step(around: Around, member: Member, old: tuple[tuple[str, str], ...]) -> Step:
    assert member.pool is not None
    back = partial(steps.set_pools, around, member, old)
    return Step(
        f"pools:{member.site}",
        f"Narrow the allocation pools at {member.site}",
        partial(steps.set_pools, around, member, (member.pool,)),
        lambda ctx, _result: back(ctx),
        needs=(subnet_step(member.site),),
        site=member.site,
    )


def _activate(networks: StretchedRepository, network: StretchedNetwork, ctx: StepContext) -> Json:
    def member(m: Member) -> Member:
        made, subnet = ctx.result_of(network_step(m.site), Made), ctx.result_of(subnet_step(m.site), Made)
        return replace(m, network_id=made.id, subnet_id=subnet.id)

    members, mtu = tuple(member(m) for m in network.members), ctx.result_of("mtu", Level).mtu
    known = networks.get(network.id)
    networks.update(replace(known, members=members, mtu=mtu, state=StretchState.ACTIVE))
    return {"members": {m.site: m.network_id for m in members}}


def _deactivate(
    around: Around, networks: StretchedRepository, network: StretchedNetwork, ctx: StepContext, result: object  # noqa: ARG001
) -> None:  # fmt: skip
    """The reconciler lets go, and what it made goes."""
    try:
        known = networks.get(network.id)
    except NotFound:
        return  # unstretched meanwhile
    networks.update(replace(known, state=StretchState.REMOVING))
    for m in known.members:
        steps.clear(around, known, m, ctx)


def _failed(_known: StretchedNetwork, wanted: StretchedNetwork, job: Ended) -> StretchedNetwork:
    return replace(wanted, error=failure(job))


def _unstretch(around: Around, networks: StretchedRepository, params: UnstretchParams) -> list[Step]:
    network = params.network
    here = [m for m in network.members if m.site not in params.without]
    cleared = [
        Step(
            f"ports:{m.site}", f"Remove the remote ports at {m.site}", partial(steps.clear, around, network, m),
            site=m.site,
        )
        for m in here
    ]  # fmt: skip
    needs = tuple(step.name for step in cleared)
    removed = [
        Step(
            network_step(m.site), f"Remove the network at {m.site}",
            partial(steps.remove_network, around, network.job_id or "", m), needs=needs, site=m.site,
        )
        for m in here
        if not (m.adopted or params.keep)
    ]  # fmt: skip
    needs = (*needs, *(step.name for step in removed))
    return [*cleared, *removed, Step("forget", "Forget it", partial(_forget, networks, network), needs=needs)]


def _forget(networks: StretchedRepository, network: StretchedNetwork, ctx: StepContext) -> None:  # noqa: ARG001
    with suppress(NotFound):
        networks.delete(network.id)
