"""Hooks of kind openstack: one action of a fixed list, of the members that are ready then.

Each is carried out in the application's project, by the service's account as a member of it.  An undo of the recovery
removes the servers, and so what was ordered of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from multisite.clouds import build, orders
from multisite.clouds.connect import CloudSite
from multisite.domain.recovery_plan import Hook
from multisite.jobs.model import StepContext
from multisite.recovery.methods.base import fresh
from multisite.recovery.recover.steps import Ready

Order = Callable[[CloudSite, StepContext, Hook, str], object]


def _start(site: CloudSite, _ctx: StepContext, hook: Hook, server_id: str) -> None:
    build.start_server(site, server_id, timeout=hook.timeout)


def _stop(site: CloudSite, ctx: StepContext, hook: Hook, server_id: str) -> None:
    build.stop_server(site, server_id, timeout=hook.timeout, on_poll=lambda _: None, cancelled=ctx.cancelled)


def _reboot(site: CloudSite, ctx: StepContext, hook: Hook, server_id: str) -> None:
    hard, again = hook.action == "server-hard-reboot", not fresh(ctx)
    orders.reboot(site, server_id, hard=hard, timeout=hook.timeout, fresh=not again, cancelled=ctx.cancelled)


def _metadata(site: CloudSite, _ctx: StepContext, hook: Hook, server_id: str) -> None:
    orders.set_metadata(site, server_id, hook.metadata)


def _tags(site: CloudSite, _ctx: StepContext, hook: Hook, server_id: str) -> None:
    orders.add_tags(site, server_id, hook.tags)


ORDERS: Mapping[str, Order] = {
    "server-start": _start,
    "server-stop": _stop,
    "server-reboot": _reboot,
    "server-hard-reboot": _reboot,
    "server-metadata": _metadata,
    "server-tags": _tags,
}
"""By the name that a plan has for it: nothing else can be ordered."""


def carry_out(
    site: CloudSite, ctx: StepContext, hook: Hook, ready: Sequence[Ready], go_on: Callable[[], None]
) -> str:
    """One member after the other, in their order; what was done, for the journal.  ``go_on`` may raise."""
    chosen = [one for one in ready if hook.members is None or {one.name, one.source_id} & set(hook.members)]
    for number, server in enumerate(chosen):
        go_on()
        ctx.progress(number, len(chosen), "members", server.name)
        ORDERS[str(hook.action)](site, ctx, hook, server.id)
    return f"{hook.action}: {', '.join(server.name for server in chosen) or 'no member'}"
