"""Setting an address up, letting go of it for good, and making a site let go that came back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from multisite.clouds import addresses as neutron
from multisite.clouds import resources
from multisite.clouds.addresses import Changed
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite
from multisite.domain.moving_address import Mark, judge
from multisite.jobs.model import Made, Step, StepContext, StepFailed
from multisite.networks.addresses.steps import Tools


@dataclass(frozen=True)
class Held:
    """Whether the active site has it already."""

    held: bool


@dataclass(frozen=True)
class Reserved(Made):
    """``adopted``: it was there before."""

    adopted: bool


@dataclass(frozen=True)
class LetGoParams:
    """Of the jobs that make sites let go, in this order: to delete the address, or to guard it."""

    address_id: str
    address: str
    sites: tuple[str, ...]


@dataclass(frozen=True)
class CreateParams(LetGoParams):
    active: str
    by: str


@dataclass(frozen=True)
class CreateSteps(CreateParams):
    """Reserve the floating IP in every site, bind it in the active one."""

    tools: Tools

    def steps(self) -> list[Step]:
        reserves = tuple(f"reserve-{site}" for site in self.sites)
        return [
            Step("check", f"Look that nobody else has {self.address}", self.check),
            *(
                Step(
                    f"reserve-{s}", f"Reserve {self.address} in {s}", self.reserve(s), self.give_up(s), ("check",),
                    site=s, result=Reserved,
                )
                for s in self.sites
            ),
            Step("epoch", f"Epoch 1: {self.active} is the holder", self.epoch, needs=reserves),
            Step("bind", f"Bind it in {self.active}", self.bind, self.unbind, ("epoch",), None, self.active),
            Step("verify", "Listen whether it answers from outside", self.verify, needs=("bind",)),
        ]  # fmt: skip

    def check(self, ctx: StepContext) -> Held:
        """Every site answers, has what moving needs and the member's port; nobody else has the address."""
        address = self.tools.rows.get_owned(self.address_id, ctx.job_id)
        reader = self.tools.binder.reader
        held = False
        for member in address.members:
            site = reader.open(address, member.site)
            neutron.requires(site)
            neutron.port(site, member.port_id)
            found = reader.floating_ip(address, member)
            if found is None or found.port_id is None:
                continue
            held = True
            if found.port_id != member.port_id or member.site != self.active:
                raise StepFailed(
                    f"site {member.site}: {self.address} is in use there already, at port {found.port_id}: make "
                    "that the active member, or release it first"
                )
        return Held(held)

    def reserve(self, site: str) -> Callable[[StepContext], Reserved]:
        def run(ctx: StepContext) -> Reserved:
            tools = self.tools
            address = tools.rows.get_owned(self.address_id, ctx.job_id)
            member = address.member(site)
            cloud = tools.binder.reader.open(address, site)
            ours = neutron.of_token(cloud, ctx.token)
            found = None if ours else neutron.find(cloud, member.network_id, self.address)
            adopted = found is not None
            if found is None:
                mark = str(Mark(self.address_id, 0, bound=False))
                found = neutron.reserve(
                    cloud, ctx.token, member.network_id, self.address, mark, fresh=ours is None
                )
            kept = replace(member, floating_ip_id=found.id, adopted=adopted)
            tools.rows.change_owned(self.address_id, ctx.job_id, lambda known: known.with_member(kept))
            return Reserved(found.id, adopted)

        return run

    def give_up(self, site: str) -> Callable[[StepContext, Reserved | None], None]:
        def undo(ctx: StepContext, result: Reserved | None) -> None:
            cloud = self.tools.binder.reader.opens.open(site, for_project=ctx.project_id)
            if result is not None and result.adopted:
                _unmark(cloud, result.id)
                return
            known = result.id if result else None
            resources.remove(cloud, "floating_ip", ctx.token, known, late=result is None)

        return undo

    def epoch(self, ctx: StepContext) -> dict[str, int]:
        """Not while it answers from outside.  Listened for only now: the sites have said who may have the address."""
        address = self.tools.rows.get_owned(self.address_id, ctx.job_id)
        # One that was deleted just now is at its L3 agent for a moment more.
        if not ctx.result_of("check", Held).held and self.tools.still_answers(self.address, address.probe):
            raise StepFailed(
                f"{self.address} answers from outside and none of the sites holds it: another host has it; find its "
                "MAC address (`ip neigh`), or choose another address"
            )
        found = self.tools.rows.raise_epoch(
            self.address_id, ctx.job_id, self.active, self.tools.now(), self.by, "create"
        )
        return {"epoch": found.epoch}

    def bind(self, ctx: StepContext) -> dict[str, datetime]:
        self.tools.binder.bind(ctx, self.tools.asks(ctx, self.address_id), self.active)
        return {"bound": self.tools.now()}

    def unbind(self, ctx: StepContext, _result: object) -> None:
        """One that was adopted while in use stays in use; one that binding had to make anew goes."""
        address = self.tools.rows.get_owned(self.address_id, ctx.job_id)
        if address.member(self.active).adopted and ctx.result_of("check", Held).held:
            return
        self.tools.binder.let_go(ctx, self.tools.asks(ctx, self.address_id), self.active)
        resources.remove(self.tools.binder.reader.open(address, self.active), "floating_ip", ctx.token)

    def verify(self, ctx: StepContext) -> dict[str, bool | None]:
        """Told, not judged: the member may not be up yet."""
        address = self.tools.rows.get_owned(self.address_id, ctx.job_id)
        heard = self.tools.listen(address.address, address.probe)
        if heard is False:
            ctx.event(
                "it does not answer from outside yet: is the member up, and do its security groups let the probe in?"
            )
        return {"heard": heard}


@dataclass(frozen=True)
class DeleteSteps(LetGoParams):
    """Let go everywhere, the active site last, and delete what was made."""

    tools: Tools

    def steps(self) -> list[Step]:
        steps: list[Step] = []
        for site in self.sites:
            needs, title = (steps[-1].name,) if steps else (), f"Let go of {self.address} in {site}"
            steps.append(Step(f"remove-{site}", title, self.remove(site), needs=needs, site=site))
        return steps

    def remove(self, site: str) -> Callable[[StepContext], object]:
        def run(ctx: StepContext) -> object:
            tools = self.tools
            address = tools.rows.get_owned(self.address_id, ctx.job_id)
            member = address.member(site)
            cloud = tools.binder.reader.open(address, site)
            tools.binder.tidy(address, site)
            if member.adopted and site == address.active_site:
                _unmark(cloud, member.floating_ip_id)  # it was there, and in use, before us
                return {"kept": True}
            witnessed = tools.binder.let_go(ctx, tools.asks(ctx, self.address_id), site)
            tools.rows.released(self.address_id, ctx.job_id, site, witnessed)
            if member.adopted:
                _unmark(cloud, member.floating_ip_id)
            elif (found := tools.binder.reader.floating_ip(address, member)) is not None:
                resources.delete_one(cloud, "floating_ip", found.id)
            return {"kept": member.adopted}

        return run


@dataclass(frozen=True)
class GuardSteps(LetGoParams):
    """Make sites let go that hold the address, or may, and are not its holder: by epoch, under the address's lease."""

    tools: Tools

    def steps(self) -> list[Step]:
        return [
            Step(f"let-go-{site}", f"Make {site} let go of {self.address}", self.let_go(site), site=site)
            for site in self.sites
        ]

    def let_go(self, site: str) -> Callable[[StepContext], object]:
        def run(ctx: StepContext) -> object:
            tools = self.tools
            address = tools.rows.get_owned(self.address_id, ctx.job_id)
            states = tools.binder.reader.everywhere(address)
            found = judge(address, states)
            seen = next(s for s in states if s.site == site)
            if site == address.active_site or not seen.known:
                return {"released": False, "why": seen.why or "it is the holder"}
            if seen.holds and site not in found.stale:
                said = "it may be the only holder: move the address to say where it belongs"
                ctx.event(f"{site} is left alone: {said}", site=site)
                return {"released": False, "why": said}
            if seen.holds:
                ctx.event(f"{site} holds {address.address} with {seen.mark or 'no mark of ours'}, the record is epoch "
                          f"{address.epoch} in {address.active_site}: it lets go", site=site)  # fmt: skip
            tools.binder.tidy(address, site)
            witnessed = tools.binder.let_go(ctx, tools.asks(ctx, self.address_id), site)
            tools.rows.released(self.address_id, ctx.job_id, site, witnessed)
            return {"released": True, "why": ""}

        return run


def _unmark(cloud: CloudSite, floating_ip_id: str | None) -> None:
    """Take our mark from a floating IP that stays; somebody's own words are left alone."""

    def attempt(id: str) -> None:
        seen = neutron.read(cloud, id)
        if seen.description.startswith("multisite address "):
            neutron.describe(cloud, seen, "")

    if floating_ip_id is not None:
        with suppress(NotFoundInSite, Changed):
            neutron.until_unchanged(partial(attempt, floating_ip_id))
