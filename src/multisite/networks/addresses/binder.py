"""Letting go of an address in one site, and binding it in one: the two changes everything else is made of.

Both read, decide and write if nothing changed in between, until it is as wanted; both end only when the L3 agent has
confirmed, by its own word or by a witness.  Run again after a crash they find their own work done.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from multisite.clouds import addresses as neutron
from multisite.clouds import witness
from multisite.clouds.addresses import FloatingIp
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, SiteError
from multisite.clouds.waiting import wait_until
from multisite.domain.moving_address import AddressMember, Mark, MovingAddress, read_mark
from multisite.jobs.model import StepContext, StepFailed
from multisite.networks.addresses.reader import AddressReader, has_gone
from multisite.networks.concurrent import until_written


class AgentSilent(StepFailed):
    """The API has done it, the L3 agent has not confirmed it in time."""


@dataclass(frozen=True)
class Patience:
    """Seconds: for an L3 agent to carry out a change, and for the address to fall silent or to answer.

    ``word``: of those of ``agent``, for its own word that the address has gone, before a witness is called.
    """

    agent: float = 20.0
    word: float = 6.0
    quiet: float = 6.0
    answer: float = 15.0
    poll: float = 0.2


@dataclass(frozen=True)
class AddressBinder:
    """``ask`` is called before each read: it raises when the job has lost the address."""

    reader: AddressReader
    patience: Patience

    def let_go(self, ctx: StepContext, ask: Callable[[], MovingAddress], site: str) -> int | None:
        """Disassociate in ``site`` and wait for its agent.  Returns the revision that a witness has shown to be gone.

        Something is written in any case: a request that is still on its way must find another revision.
        Raises AgentSilent, SiteError, StepFailed.
        """
        if ctx.attempt > 1 or ctx.interrupted:
            self.tidy(ask(), site)

        def release() -> tuple[AddressMember, FloatingIp, FloatingIp] | None:
            address = ask()
            member = address.member(site)
            seen = self.reader.floating_ip(address, member)
            if seen is None:
                return None
            mark = Mark(address.id, address.epoch, bound=False)
            if seen.port_id is None and _told_already(ctx, seen, mark):
                return member, seen, seen
            left = neutron.disassociate(self.reader.open(address, site), seen, str(mark))
            ctx.event(f"{site}: let go of {address.address} ({mark})", site=site, epoch=address.epoch)
            return member, seen, left

        done = until_written(_named(ask(), site), release)
        if done is None:
            return None  # deleted by hand: the agent is told by that, and nothing can be late on what is gone
        member, seen, left = done
        if has_gone(member, seen):
            return left.revision
        return left.revision if self._wait_agent(ctx, ask(), site, "DOWN") else None

    def bind(self, ctx: StepContext, ask: Callable[[], MovingAddress], site: str) -> None:
        """Associate with the member's port at the present epoch and wait for the agent, which announces it.

        Raises AgentSilent, SiteError, StepFailed.
        """
        if ctx.attempt > 1 or ctx.interrupted:
            self.tidy(ask(), site)

        def associate() -> None:
            address = ask()
            if address.active_site != site:
                raise StepFailed(f"address {address.name}: the record says {address.active_site}, not {site}")
            member = address.member(site)
            mark = Mark(address.id, address.epoch, bound=True)
            cloud = self.reader.open(address, site)
            seen = self.reader.floating_ip(address, member)
            if seen is None:
                seen = neutron.reserve(cloud, ctx.token, member.network_id, address.address, str(mark))
            if seen.port_id == member.port_id and read_mark(seen.description) == mark:
                return
            if seen.port_id not in (None, member.port_id):
                ctx.event(f"{site}: {address.address} was at port {seen.port_id}: changed outside Multisite")
            try:
                neutron.associate(cloud, seen, member.port_id, str(mark))
            except NotFoundInSite as error:
                raise StepFailed(
                    f"site {site}: port {member.port_id} cannot get {address.address}: {error.message}: is the member "
                    "there, behind a router with its gateway in the external network?"
                ) from error
            ctx.event(f"{site}: bound {address.address} to port {member.port_id} ({mark})", site=site)

        until_written(_named(ask(), site), associate)
        self._wait_agent(ctx, ask(), site, "ACTIVE")

    def _wait_agent(self, ctx: StepContext, address: MovingAddress, site: str, wanted: str) -> bool:
        """Whether it took a witness; AgentSilent."""
        begun = time.monotonic()
        end = begun + self.patience.agent
        status = self._status(address, site, wanted, begun + self.patience.word if wanted == "DOWN" else end)
        if status == wanted:
            return False
        if wanted == "DOWN" and self._witnessed(ctx, address, site, end):
            return True
        done = "taken it away" if wanted == "DOWN" else "taken it up"
        raise AgentSilent(
            f"site {site}: Neutron's L3 agent has not {done} within {time.monotonic() - begun:.0f} s (floating IP "
            f"{address.address} is {status}): look at `openstack network agent list` there; an agent that is dead "
            "goes on answering for what it had"
        )

    def _status(self, address: MovingAddress, site: str, wanted: str, end: float) -> str:
        """Its status when it is as wanted, or at ``end``.  ERROR is what an agent says that could not configure it."""
        member = address.member(site)

        def read() -> FloatingIp | None:
            return self.reader.floating_ip(address, member)

        def there(seen: FloatingIp | None) -> bool:
            late = time.monotonic() >= end - self.patience.poll
            return (
                seen is None
                or seen.status == wanted
                or late
                or (wanted == "ACTIVE" and seen.status == "ERROR")
            )

        seen = wait_until(
            read, done=there, failed=(), timeout=self.patience.agent + 10, what=f"L3 agent of {site}",
            poll=self.patience.poll, site=site,
        )  # fmt: skip
        return "DOWN" if seen is None else seen.status

    def _witnessed(self, ctx: StepContext, address: MovingAddress, site: str, end: float) -> bool:
        """Whether a witness shows that the agent has carried out the router without the address."""
        member, token, cloud = address.member(site), _witness_of(address), self.reader.open(address, site)
        said = f"{site}: the L3 agent does not say that {address.address} has gone"
        ctx.event(f"{said}: another floating IP behind the same router is to show it", site=site)
        try:
            called = witness.create(cloud, token, member.network_id, member.port_id)
            return self._up(cloud, called, end)
        except SiteError as error:
            ctx.event(f"{site}: it cannot be shown: {error}", site=site)
            return False
        finally:
            witness.remove(cloud, token)

    def _up(self, cloud: CloudSite, called: FloatingIp, end: float) -> bool:
        seen = wait_until(
            lambda: neutron.read(cloud, called.id),
            done=lambda seen: seen.status == "ACTIVE" or time.monotonic() >= end - self.patience.poll,
            failed=(), timeout=self.patience.agent + 10, what=f"L3 agent of {cloud.name}",
            poll=self.patience.poll, site=cloud.name,
        )  # fmt: skip
        return seen.status == "ACTIVE"

    def tidy(self, address: MovingAddress, site: str) -> None:
        """A run that died may have left its witness."""
        witness.remove(self.reader.open(address, site), _witness_of(address))


def _witness_of(address: MovingAddress) -> str:
    """The same for every job: what one left the next one finds."""
    return f"multisite:{address.id}:witness"


def _named(address: MovingAddress, site: str) -> str:
    return f"site {site}: floating IP of {address.address}"


def _told_already(ctx: StepContext, seen: FloatingIp, mark: Mark) -> bool:
    """Whether *this* run's release was carried out already.  A first run always writes (see the module)."""
    return (ctx.attempt > 1 or ctx.interrupted) and read_mark(seen.description) == mark
