"""Gates of a recovery plan's groups, as steps: each waits, with a limit, until something is so at a server."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from multisite.clouds import quiesce, resources
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import Cancelled, SiteError, Unsupported
from multisite.domain.errors import MultisiteError
from multisite.jobs.model import Made, Step, StepContext, StepFailed
from multisite.recovery.plans.outside import GATE_NETWORKS
from multisite.recovery.recover.model import BootGroup, PlannedGate, Readiness
from multisite.recovery.recover.readiness import wait_ready
from multisite.recovery.recover.steps import MadePort, Steps

POLL_SECONDS = 1.0
CONNECT_SECONDS = 5.0
FREEZE_SECONDS = 10
"""Time limit of the freeze that shows that an agent answers: nova-api thaws then, whatever becomes of us."""


@dataclass(frozen=True)
class GroupUp:
    """Every member is ready and every gate passed, or passed over, at this moment."""

    at: datetime


@dataclass(frozen=True)
class Passed:
    """``passed`` False: it failed and the plan lets the recovery go on; ``detail``: what was seen."""

    passed: bool
    detail: str


def group_steps(steps: Steps) -> list[Step]:
    """The gates of all groups, and for each group a step that ends when it is up."""
    servers = {server.record.id: server for server in steps.plan.servers}
    site, made = steps.plan.target_site, []
    for group in steps.plan.boot_groups:
        for gate in group.gates:
            needs = (servers[gate.server_id].gate, *_needs_of(steps, gate))
            name = servers[gate.server_id].record.name
            title = f"Gate of group {group.name}: server {name}: {gate.gate}"
            run = _passing(steps, gate, name, servers[gate.server_id].step)
            made.append(Step(gate.step, title, run, needs=needs, site=site))
        needs = (*(servers[id].gate for id in group.servers), *(gate.step for gate in group.gates))
        made.append(Step(group.step, f"Group {group.name} is up", _is_up(steps, group), needs=needs))
    return made


def _needs_of(steps: Steps, gate: PlannedGate) -> tuple[str, ...]:
    if not gate.gate.floating:
        return ()
    return tuple(f.step for f in steps.plan.floating_ips if f.record.port_id == gate.port_id)


def _is_up(steps: Steps, group: BootGroup) -> Callable[[StepContext], GroupUp]:
    def run(ctx: StepContext) -> GroupUp:
        ctx.progress(len(group.servers), len(group.servers), "servers")
        return GroupUp(steps.now())

    return run


def _passing(
    steps: Steps, planned: PlannedGate, name: str, server_step: str
) -> Callable[[StepContext], Passed]:
    ways = {"port": _pass_port, "console": _pass_console, "agent": _pass_agent}

    def run(ctx: StepContext) -> Passed:
        server_id = ctx.result_of(server_step, Made).id
        try:
            detail = ways[planned.gate.kind](steps, ctx, planned, name, server_id)
        except Cancelled:
            raise
        except (StepFailed, MultisiteError) as error:
            if planned.gate.on_failure == "pause":
                raise
            ctx.event(f"gate of server {name} was not passed; the plan goes on: {error}")
            return Passed(False, str(error))
        ctx.progress(1, 1, "gates", detail)
        return Passed(True, detail)

    return run


def _pass_console(steps: Steps, ctx: StepContext, planned: PlannedGate, name: str, server_id: str) -> str:
    rule = Readiness(console=planned.gate.match, timeout=planned.gate.timeout)
    seen = wait_ready(
        steps.site(ctx),
        name,
        server_id,
        rule,
        on_poll=lambda missing: ctx.progress(0, 1, "gates", missing),
        cancelled=ctx.cancelled,
    )
    return seen.line or ""


def _pass_agent(steps: Steps, ctx: StepContext, planned: PlannedGate, name: str, server_id: str) -> str:
    site = steps.site(ctx)
    what = f"guest agent of server {name} at {site.name}"
    wait_until(lambda: agent_missing(site, server_id), what, planned.gate.timeout, ctx)
    return "the guest agent froze and thawed the file systems"


def _pass_port(steps: Steps, ctx: StepContext, planned: PlannedGate, name: str, _server_id: str) -> str:
    address = _address(steps, ctx, planned)
    if not steps.outside.may_connect(address):
        raise StepFailed(
            f"server {name}: Multisite may not connect to {address}: let an administrator add its network to "
            f"{GATE_NETWORKS} of multisite.conf, then resume"
        )
    port = int(planned.gate.port or 0)
    where = f"{address} port {port}"
    wait_until(lambda: port_missing(address, port), f"server {name}: {where}", planned.gate.timeout, ctx)
    return f"{where} accepts connections"


def _address(steps: Steps, ctx: StepContext, planned: PlannedGate) -> str:
    if planned.gate.floating:
        (floating,) = (f for f in steps.plan.floating_ips if f.record.port_id == planned.port_id)
        made = ctx.result_of(floating.step, Made).id
        return str(resources.read(steps.site(ctx), "floating_ip", made)["floating_ip_address"])
    port = ctx.result_of(steps.ports[planned.port_id].step, MadePort)
    if not port.addresses:
        raise StepFailed(
            f"port {port.id}: it has no address to connect to: correct the gate in the recovery plan"
        )
    return port.addresses[0]


def port_missing(address: str, port: int, within: float = CONNECT_SECONDS) -> str:
    """What is not so yet, from where Multisite runs; "" when a TCP connection was accepted.  Nothing is sent."""
    try:
        with socket.create_connection((address, port), timeout=within):
            return ""
    except ConnectionRefusedError:
        return "refused: nothing listens there yet"
    except TimeoutError:
        return "no answer: not up yet, filtered, or not routed from where Multisite runs"
    except OSError as error:
        return f"unreachable from where Multisite runs: {error.strerror or error}"


def agent_missing(site: CloudSite, server_id: str) -> str:
    """What is not so yet; "" when the agent froze and thawed the guest's file systems.

    Nova has no other question for an agent.  Raises StepFailed where the site has no multisite-nova.
    """
    try:
        quiesce.freeze(site, server_id, FREEZE_SECONDS)
        return (
            "" if quiesce.thaw(site, server_id).done else "frozen, and the guest did not confirm the thaw yet"
        )
    except Unsupported as error:
        raise StepFailed(f"gate of kind agent: {error}; or take the gate out of the plan") from error
    except SiteError as error:
        with suppress(SiteError):  # after any error it may be frozen; nova-api thaws it besides
            quiesce.thaw(site, server_id)
        return error.message


def wait_until(
    missing: Callable[[], str],
    what: str,
    timeout: float,
    ctx: StepContext,
    *,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Until ``missing`` says nothing; it is asked at least once.  Raises StepFailed with its last word, Cancelled."""
    begun = clock()
    while said := missing():
        ctx.progress(0, 1, "gates", said)
        if ctx.cancelled():
            raise Cancelled("", what, "stopped waiting, on request")
        if (waited := clock() - begun) >= timeout:
            raise StepFailed(f"{what}: not so after {waited:.0f} s: {said}: resume when it is, or undo")
        pause(min(POLL_SECONDS, max(0.05, timeout - waited)))
