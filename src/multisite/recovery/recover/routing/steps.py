"""The steps of routers and floating IPs: router, interfaces, routes, then what leads in; undone in reverse.

Interfaces come before DHCP is switched on in their networks, and with it before the servers: a guest finds its gateway
when it boots, and DHCP takes no address that is a router's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from multisite.clouds import floating_ips, routers
from multisite.jobs.model import Made, Step, StepContext
from multisite.recovery.methods.base import CALLS, fresh
from multisite.recovery.recover.model import RecoverPlan
from multisite.recovery.recover.routing.model import PlannedFloatingIp, PlannedInterface, PlannedRouter
from multisite.recovery.recover.steps import MadePort, Steps


@dataclass(frozen=True)
class Attached:
    """An interface.  ``port_id``: of one that is not at the subnet's gateway."""

    port_id: str | None = None


def router_steps(steps: Steps) -> list[Step]:
    """Of all routers of the plan."""
    return [step for router in steps.plan.routers for step in _of_router(steps, router)]


def interfaces_in(plan: RecoverPlan, network_id: str) -> tuple[str, ...]:
    """Names of the steps that attach subnets of a network (id of the source) to routers."""
    return tuple(i.step for r in plan.routers for i in r.interfaces if i.network_id == network_id)


def last_steps(plan: RecoverPlan) -> tuple[str, ...]:
    """Names of the steps no server waits for."""
    routes = (router.routes_step for router in plan.routers if router.routes)
    return (*routes, *(floating.step for floating in plan.floating_ips))


def floating_ip_steps(steps: Steps) -> list[Step]:
    """Of all floating IPs of the plan, each once its port and the routers of its network are there."""
    return [_floating_ip(steps, planned) for planned in steps.plan.floating_ips]


def _of_router(steps: Steps, router: PlannedRouter) -> Iterator[Step]:
    site = steps.plan.target_site
    if router.use is None:
        run = steps.ensure(routers.ensure, router.record, router.name, router.external_id, router.snat)
        title = f"Create router {router.name}"
        yield Step(router.step, title, run, steps.remove("router"), (), CALLS, site, result=Made)
    for interface in router.interfaces:
        yield _attach(steps, router, interface)
    if router.routes:
        yield _routes(steps, router)


def _of_one(router: PlannedRouter) -> tuple[str, ...]:
    return () if router.use is not None else (router.step,)


def _id(ctx: StepContext, router: PlannedRouter) -> str:
    return router.use if router.use is not None else ctx.result_of(router.step, Made).id


def _attach(steps: Steps, router: PlannedRouter, interface: PlannedInterface) -> Step:
    network, subnet = steps.networks[interface.network_id], steps.subnets[interface.subnet_id]

    def run(ctx: StepContext) -> Attached:
        site, subnet_id = steps.site(ctx), ctx.result_of(subnet.step, Made).id
        at = {"subnet_id": subnet_id, "ip_address": interface.address}
        if interface.at_gateway:
            routers.attach(site, _id(ctx, router), subnet_id)
            made = None
        else:
            network_id = ctx.result_of(network.step, Made).id
            made = routers.attach_at(site, ctx.token, _id(ctx, router), network_id, at, fresh=fresh(ctx))
        if interface.record and interface.record.is_described:
            routers.describe_interface(site, _id(ctx, router), subnet_id, interface.record)
        return Attached(made)

    def undo(ctx: StepContext, result: Attached | None) -> None:
        site, subnet_id, late = steps.site(ctx), ctx.result_of(subnet.step, Made).id, result is None
        if interface.at_gateway:
            routers.release(site, _id(ctx, router), subnet_id, late=late)
        else:
            known = result.port_id if result else None
            routers.release_port(site, ctx.token, _id(ctx, router), subnet_id, known, late=late)

    title = f"Give router {router.name} the address {interface.address} in network {network.name}"
    needs = (*_of_one(router), network.step, subnet.step)
    return Step(interface.step, title, run, undo, needs, CALLS, steps.plan.target_site, result=Attached)


def _routes(steps: Steps, router: PlannedRouter) -> Step:
    def run(ctx: StepContext) -> dict[str, int]:
        routers.add_routes(steps.site(ctx), _id(ctx, router), router.routes)
        return {"routes": len(router.routes)}

    def undo(ctx: StepContext, result: object) -> None:
        routers.remove_routes(steps.site(ctx), _id(ctx, router), router.routes, late=result is None)

    needs = (*_of_one(router), *(interface.step for interface in router.interfaces))
    title = f"Add the routes of router {router.name}"
    return Step(router.routes_step, title, run, undo, needs, CALLS, steps.plan.target_site)


def _floating_ip(steps: Steps, planned: PlannedFloatingIp) -> Step:
    port, record = steps.ports[planned.record.port_id], planned.record

    def run(ctx: StepContext) -> Made:
        site, port_id = steps.site(ctx), ctx.result_of(port.step, MadePort).id
        if planned.use is not None:
            floating_ips.lend(site, planned.use, port_id, planned.fixed_address)
            return Made(planned.use)
        more = {"address": planned.address, "fixed_address": planned.fixed_address}
        made = floating_ips.ensure(
            site, ctx.token, record, planned.network_id, port_id, **more, fresh=fresh(ctx)
        )
        return Made(made)

    def undo(ctx: StepContext, result: Made | None) -> None:
        if planned.use is None:
            steps.remove("floating_ip")(ctx, result)
            return
        port_id = ctx.result_of(port.step, MadePort).id
        floating_ips.give_back(steps.site(ctx), planned.use, port_id, late=result is None)

    needs = (port.step, *interfaces_in(steps.plan, port.record.network_id))
    title = f"Let a floating IP lead to port {port.record.name or port.record.mac_address}"
    return Step(planned.step, title, run, undo, needs, CALLS, steps.plan.target_site, result=Made)
