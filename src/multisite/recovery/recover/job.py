"""The job "recover": the graph of its steps, and what becomes of the recovery when it comes to rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from multisite.clouds import build, flavors, networks
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.resources import Found, Kind
from multisite.clouds.resources.left import left_by_job
from multisite.clouds.resources.tokens import job_prefix
from multisite.domain.epoch import Epoch
from multisite.domain.model import Recovery, RecoveryState
from multisite.jobs.model import Ended, JobKind, JobState, Json, Made, Step, StepContext
from multisite.jobs.outcome import Outcome
from multisite.jobs.values import plain_object
from multisite.recovery.epochs import EpochStore
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.methods.base import CALLS, IMPORTS, RESTORES, ProtectionMethod
from multisite.recovery.methods.table import METHODS
from multisite.recovery.plans.outside import NOTHING, Outside
from multisite.recovery.recover.dns.steps import RECORDS, RECORDS_AT_ONCE, record_steps
from multisite.recovery.recover.flavor_steps import describe, leave, make_or_hold
from multisite.recovery.recover.gates import GroupUp, group_steps
from multisite.recovery.recover.hooks.steps import HOOKS, HOOKS_AT_ONCE, with_hooks
from multisite.recovery.recover.model import (
    PlannedFlavor,
    PlannedServer,
    PlannedTrunk,
    RecoverPlan,
    flavor_key,
)
from multisite.recovery.recover.routing.steps import (
    floating_ip_steps,
    interfaces_in,
    last_steps,
    router_steps,
)
from multisite.recovery.recover.steps import MadeKeypair, Ready, Run, Steps, Undo
from multisite.store.recoveries import RecoveryRepository

KIND = "recover"
SUMMARY = "summary"
RULES = "group-rules"

RECOVERY_STATES = {
    JobState.QUEUED: RecoveryState.RUNNING,
    JobState.RUNNING: RecoveryState.RUNNING,
    JobState.PAUSED: RecoveryState.PAUSED,
    JobState.DONE: RecoveryState.DONE,
    JobState.UNDOING: RecoveryState.UNDOING,
    JobState.UNDONE: RecoveryState.UNDONE,
    JobState.UNDO_FAILED: RecoveryState.UNDO_FAILED,
}


MADE: tuple[Kind, ...] = (
    "server", "volume", "network", "subnet", "port", "trunk", "security_group", "router", "floating_ip", "flavor",
    "server_group",
)  # fmt: skip
"""What a recovery makes with its token; a key pair has the source's name."""


def recover_kind(
    sites: Sites,
    manifests: ManifestStore,
    recoveries: RecoveryRepository,
    epochs: EpochStore,
    *,
    restores_per_site: int,
    calls_per_site: int,
    methods: Mapping[str, ProtectionMethod] = METHODS,
    outside: Outside = NOTHING,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    before_undo: Callable[[str], None] | None = None,
) -> JobKind:
    """The kind to register.  Limits: how many at the same time.

    Parameters of a job: ``{"recovery_id": ..., "plan": RecoverPlan.to_json()}``.
    """

    def build(params: Mapping[str, Json]) -> list[Step]:
        plan = RecoverPlan.from_json(params["plan"])
        chosen = plan.target_project or None
        steps = Steps(
            plan,
            site=lambda ctx: sites.open(plan.target_site, for_project=ctx.project_id, project=chosen),
            manifest=lambda: manifests.read(plan.restore_point_id),
            now=now,
            methods=methods,
            outside=outside,
        )
        recovery_id = str(params["recovery_id"])

        def summary(ctx: StepContext) -> object:
            if plan.epoch:  # in the store first, then here: see ``epochs``
                servers = tuple(ctx.result_of(server.gate, Ready).id for server in plan.servers)
                epoch = Epoch(plan.epoch, plan.target_site, recovery_id, servers, now())
                epochs.begin(plan.application_id, epoch)
            return summarize(ctx, plan, recoveries, recovery_id)

        def withdraw(_ctx: StepContext, _result: object) -> None:
            if plan.epoch:
                epochs.withdraw(plan.application_id, recovery_id)

        return with_hooks(steps, recover_steps(steps, summary, withdraw), SUMMARY, recoveries, recovery_id)

    def amend(_known: Recovery, wanted: Recovery, job: Ended) -> Recovery:
        ended_at = None if job.state is JobState.PAUSED else now()
        servers = () if job.state is JobState.UNDONE else wanted.servers
        return replace(wanted, ended_at=ended_at, servers=servers)

    fine = (JobState.DONE, JobState.UNDONE)
    outcome = Outcome(recoveries, "recovery_id", RECOVERY_STATES, amend, without_error=fine)
    limits = {RESTORES: restores_per_site, IMPORTS: restores_per_site}
    limits |= {CALLS: calls_per_site, HOOKS: HOOKS_AT_ONCE, RECORDS: RECORDS_AT_ONCE}
    left = left_by_job(sites, MADE, stays=flavor_in_use, project_of=recoveries.project_of_job)
    return JobKind(
        KIND, build, on_failure="pause", limits=limits, outcome=outcome, left=left, rule="recovery:start",
        uses_store=True, before_undo=before_undo,
    )  # fmt: skip


def flavor_in_use(site: CloudSite, job_id: str, found: Found) -> bool:
    """A flavor stays while others use it: other recoveries of the project may."""
    return found.kind == "flavor" and bool(flavors.flavor_users(site, found.id, besides=job_prefix(job_id)))


def summarize(
    ctx: StepContext,
    plan: RecoverPlan,
    recoveries: RecoveryRepository,
    recovery_id: str,
    begun: datetime | None = None,
    rpo: float | None = None,
) -> object:
    """Write down what runs where now.  RTO: from the operator's word to the last gate; RPO: age of the data then.

    ``begun``: instead of the operator's word; ``rpo``: where it is known, and does not follow from these.
    """
    servers = [ctx.result_of(server.gate, Ready) for server in plan.servers]
    recovery = recoveries.get(recovery_id)
    groups = [ctx.result_of(group.step, GroupUp).at for group in plan.boot_groups]
    last = max([*(server.ready_at for server in servers), *groups])
    rto = (last - (begun or recovery.created_at)).total_seconds()
    if rpo is None:
        rpo = (recovery.created_at - plan.consistent_at).total_seconds()
    kept = tuple(plain_object(server, server.name) for server in servers)
    recoveries.update(replace(recovery, servers=kept, rto_seconds=rto, rpo_seconds=rpo))
    return {"rto_seconds": rto, "rpo_seconds": rpo, "servers": servers}


def recover_steps(
    steps: Steps,
    summary: Callable[[StepContext], object],
    withdraw: Callable[[StepContext, object], None] | None = None,
) -> list[Step]:
    """The graph: records, volumes, networks and the rest at the same time; each server when its own things
    are there and the servers before it are ready.
    """
    plan = steps.plan
    return [
        *(step for volume in plan.volumes for step in steps.restore(volume)),
        *_group_steps(steps),
        *_network_steps(steps),
        *_port_steps(steps),
        *_trunk_steps(steps),
        *router_steps(steps),
        *floating_ip_steps(steps),
        *_compute_steps(steps),
        *(step for server in plan.servers for step in _server_steps(steps, server)),
        *group_steps(steps),
        *_description_steps(steps),
        Step(SUMMARY, "Write down what was recovered", summary, withdraw, _needs_of_summary(plan)),
        *record_steps(steps, SUMMARY),
    ]


def _needs_of_summary(plan: RecoverPlan) -> tuple[str, ...]:
    """Every server, and what no server waits for."""
    of_servers = {port for server in plan.servers for port in server.record.port_ids}
    beside = (p.step for p in plan.ports if p.record.id not in of_servers)
    return (
        *(server.gate for server in plan.servers),
        *(group.step for group in plan.boot_groups),
        *beside,
        *last_steps(plan),
        *map(_describing, _described(plan)),
    )


def _described(plan: RecoverPlan) -> list[PlannedFlavor]:
    return [flavor for flavor in plan.flavors if flavor.use is None and flavor.record.description]


def _describing(flavor: PlannedFlavor) -> str:
    return f"{flavor.step}-description"


def _description_steps(steps: Steps) -> list[Step]:
    """Once its servers are ready, which take a flavor's extra specs with them as they are when they boot."""
    made = []
    for flavor in _described(steps.plan):
        users = [s for s in steps.plan.servers if flavor_key(s.record.flavor) == flavor_key(flavor.record)]
        needs = (flavor.step, *(server.gate for server in users))
        title = f"Give flavor {flavor.name} its description"
        made.append(_change(steps, _describing(flavor), title, describe(steps, flavor), needs))
    return made


def _group_steps(steps: Steps) -> list[Step]:
    new = [g for g in steps.plan.security_groups if g.use is None]
    made = [
        _call(
            steps, g.step, f"create security group {g.name}",
            steps.ensure(networks.ensure_security_group, g.record, g.name), steps.remove("security_group"),
        )
        for g in new
    ]  # fmt: skip
    if new:
        needs = tuple(g.step for g in new)
        made.append(_change(steps, RULES, "Set the rules of the security groups", steps.set_rules, needs))
    return made


def _network_steps(steps: Steps) -> list[Step]:
    made = []
    for network in (n for n in steps.plan.networks if n.use is None):
        policy = steps.plan.qos_policies.get(network.record.qos_policy_id or "")
        run = steps.ensure(networks.ensure_network, network.record, network.name, policy)
        title = f"Create network {network.name}"
        made.append(_call(steps, network.step, title, run, steps.remove("network")))
        for subnet in network.subnets:
            title = f"Create subnet {subnet.record.name or subnet.record.cidr} in network {network.name}"
            run, undo = steps.make_subnet(network, subnet), steps.remove("subnet")
            made.append(_call(steps, subnet.step, title, run, undo, (network.step,)))
        ports = tuple(p.step for p in steps.plan.ports if p.record.network_id == network.record.id)
        needs = (*(s.step for s in network.subnets), *ports, *interfaces_in(steps.plan, network.record.id))
        title = f"Switch DHCP on in network {network.name}"
        made.append(_change(steps, network.dhcp_step, title, steps.switch_dhcp_on(network), needs))
    return made


def _port_steps(steps: Steps) -> list[Step]:
    """Ports wait for all subnets of their network, and for the rules of the groups they are in."""
    made = []
    rules = (RULES,) if any(g.use is None for g in steps.plan.security_groups) else ()
    for port in steps.plan.ports:
        network = steps.networks[port.record.network_id]
        needs: tuple[str, ...] = ()
        if network.use is None:
            needs = (network.step, *(s.step for s in network.subnets))
        needs += rules if port.record.security_group_ids else ()
        title = f"Create port {port.record.name or port.record.mac_address} in network {network.name}"
        made.append(_call(steps, port.step, title, steps.make_port(port), steps.remove("port"), needs))
    return made


def _trunk_steps(steps: Steps) -> list[Step]:
    """A trunk waits for its ports, and its server for it: agents wire a trunk when its parent port is plugged."""
    made = []
    for trunk in steps.plan.trunks:
        needs = tuple(steps.ports[p].step for p in _ports_of_trunk(trunk))
        title = f"Create trunk {trunk.name or trunk.record.id}"
        made.append(_call(steps, trunk.step, title, steps.make_trunk(trunk), steps.remove_trunk, needs))
    return made


def _ports_of_trunk(trunk: PlannedTrunk) -> list[str]:
    return [trunk.record.port_id, *(one.port_id for one in trunk.record.subports)]


def _compute_steps(steps: Steps) -> list[Step]:
    made = []
    for flavor in (f for f in steps.plan.flavors if f.step in steps.plan.flavor_steps):
        title, run = make_or_hold(steps, flavor)
        made.append(_call(steps, flavor.step, title, run, leave(steps, flavor)))
    for keypair in (k for k in steps.plan.keypairs if k.use is None):
        run, undo = steps.make_keypair(keypair), steps.remove_keypair(keypair)
        step = _call(steps, keypair.step, f"Create key pair {keypair.name}", run, undo)
        made.append(replace(step, result=MadeKeypair))
    for group in (g for g in steps.plan.server_groups if g.use is None):
        run, undo = steps.ensure(build.ensure_server_group, group.record), steps.remove("server_group")
        made.append(_call(steps, group.step, f"Create server group {group.record.name}", run, undo))
    return made


def _call(
    steps: Steps, name: str, title: str, run: Run, undo: Undo, needs: tuple[str, ...] = (), limit: str | None = CALLS
) -> Step:  # fmt: skip
    """One of the steps that make something, of which a site takes ``CALLS`` at a time."""
    return Step(name, title, run, undo, needs, limit, steps.plan.target_site, result=Made)


def _change(
    steps: Steps, name: str, title: str, run: Callable[[StepContext], object], needs: tuple[str, ...],
    limit: str | None = CALLS,
) -> Step:  # fmt: skip
    """One that goes with what others made."""
    return Step(name, title, run, needs=needs, limit=limit, site=steps.plan.target_site)


def _server_steps(steps: Steps, server: PlannedServer) -> list[Step]:
    name, needs = server.record.name, _needs_of_server(steps, server)
    boot = _call(
        steps,
        server.step,
        f"Boot server {name}",
        steps.boot(server),
        steps.remove_server(server),
        needs,
        limit=None,
    )
    needs = (server.step, *(steps.ports[p].step for p in server.record.port_ids))
    title = f"Wait until server {name} is ready"
    return [boot, _change(steps, server.gate, title, steps.pass_gate(server), needs, limit=None)]


def _needs_of_server(steps: Steps, server: PlannedServer) -> tuple[str, ...]:
    record = server.record
    trunks = [steps.trunks[p] for p in record.port_ids if p in steps.trunks]
    inside = [p for trunk in trunks for p in _ports_of_trunk(trunk)]
    ports = [steps.ports[p] for p in dict.fromkeys([*record.port_ids, *inside])]
    used = [steps.networks[p.record.network_id] for p in ports]
    flavor = steps.flavors[flavor_key(record.flavor)]
    group = steps.server_groups.get(record.server_group_id or "")
    keypairs = [k.step for k in steps.plan.keypairs if k.use is None and k.name == server.key_name]
    return tuple(
        dict.fromkeys(
            [
                *(p.step for p in ports),
                *(t.step for t in trunks),
                *(n.dhcp_step for n in used if n.use is None),
                *(steps.volumes[v].step for v in record.volume_ids),
                *([flavor.step] if flavor.step in steps.plan.flavor_steps else []),
                *keypairs,
                *([group.step] if group and group.use is None else []),
                *server.after,
            ]
        )
    )
