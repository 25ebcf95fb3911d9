"""What the steps of a move do.  Release, hear silence, raise the epoch, bind, hear an answer; undone in reverse.

| killed right after | what is true | who goes on |
|---|---|---|
| the release | nobody holds it | the job, with the next step |
| the epoch, before the bind | nobody holds it; the record says the target, and that it is in doubt | the job binds |
| the bind was sent, its answer lost | the target holds it, or will when the request arrives | the job looks |
| an undo's release was sent | nobody holds it; a late bind is refused, the revision is another one | the job's undo |
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from multisite.clouds import addresses as neutron
from multisite.clouds.errors import NotFoundInSite
from multisite.domain.errors import MultisiteError
from multisite.domain.fence import FencedThreads
from multisite.domain.moving_address import BindingState, MovingAddress
from multisite.jobs.model import Step, StepContext, StepFailed
from multisite.networks.addresses import plan as planning
from multisite.networks.addresses.binder import AddressBinder, AgentSilent
from multisite.networks.addresses.plan import MovePlan
from multisite.networks.addresses.reader import Listen
from multisite.store.addresses import AddressRepository

UNDONE = "undone"


@dataclass(frozen=True)
class Tools:
    """What every step needs."""

    rows: AddressRepository
    binder: AddressBinder
    listen: Listen
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def asks(self, ctx: StepContext, address_id: str) -> Callable[[], MovingAddress]:
        """The record, as long as the job has it."""
        return lambda: self.rows.get_owned(address_id, ctx.job_id)

    def still_answers(self, address: str, how: str) -> bool | None:
        """Listen until nobody answers any more (False), for so long; None: it is not known here."""
        patience = self.binder.patience
        end = time.monotonic() + patience.quiet
        while (still := self.listen(address, how)) and time.monotonic() < end:
            time.sleep(patience.poll)
        return still


@dataclass(frozen=True)
class Checked:
    """Before the move: whether it was heard (None: not known), the sites that can be asked, and those that hold it."""

    heard: bool | None
    known: tuple[str, ...]
    holders: tuple[str, ...]


@dataclass(frozen=True)
class Released:
    """``released`` None: not seen to have let go; ``begun``: when it was asked to."""

    released: bool | None
    asked: bool
    begun: datetime


@dataclass(frozen=True)
class MoveSteps:
    plan: MovePlan
    tools: Tools

    def steps(self) -> list[Step]:
        """The graph; releases of several sites go at the same time."""
        titles = {name: (title, site) for name, title, site in self.plan.titles()}
        releases = tuple(planning.release_step(site) for site in self.plan.others)

        def step(
            name: str,
            run: Callable[[StepContext], object],
            undo: Callable[[StepContext, object], None] | None,
            needs: tuple[str, ...],
        ) -> Step:
            title, site = titles[name]
            return Step(name, title, run, undo, needs=needs, site=site)

        def release(name: str, site: str) -> Step:
            run, undo = self.release(site), self.give_back(site)
            return Step(name, titles[name][0], run, undo, needs=(check,), site=site, result=Released)

        check = planning.CHECK
        return [
            step(check, self.check, None, ()),
            *(release(planning.release_step(site), site) for site in self.plan.others),
            step(planning.SILENCE, self.silence, None, releases),
            step(planning.EPOCH, self.epoch, None, (planning.SILENCE,)),
            step(planning.BIND, self.bind, self.unbind, (planning.EPOCH,)),
            step(planning.VERIFY, self.verify, None, (planning.BIND,)),
        ]

    def check(self, ctx: StepContext) -> Checked:
        """Nothing is changed yet.  Fails when a site in doubt cannot be asked, or a fenced address still answers."""
        plan, tools = self.plan, self.tools
        address = tools.rows.get_owned(plan.address_id, ctx.job_id)
        threads = FencedThreads(1, "address-listen")  # a site that is away costs its time limit, silence too
        listening = threads.submit(tools.listen, plan.address, plan.probe)
        try:
            seen = {s.site: s for s in tools.binder.reader.everywhere(address, hurry=plan.fenced)}
            heard = listening.result()
        finally:
            threads.shutdown(wait=False)
        if not seen[plan.target].known:
            raise StepFailed(f"site {plan.target} cannot be asked: {seen[plan.target].why}")
        for site in plan.others:
            planning.refuse_unknown(address, seen[site], plan.fenced)
        self._refuse_answering(seen, heard)
        self._refuse_lost_port(address)
        for site, state in seen.items():
            if not state.known:
                ctx.event(f"site {site} cannot be asked: {state.why}", site=site)
        known, holders = (s for s in seen.values() if s.known), (s for s in seen.values() if s.holds)
        return Checked(heard, tuple(s.site for s in known), tuple(s.site for s in holders))

    def _refuse_answering(self, seen: dict[str, BindingState], heard: bool | None) -> None:
        """A fence that lets answers through is none.  Nobody who can be asked holds it, so the fenced site answers."""
        away = [site for site in self.plan.fenced if not seen[site].known]
        if away and heard and not any(s.holds for s in seen.values()):
            raise StepFailed(
                f"{self.plan.address} still answers from outside, and no site that can be asked holds it: "
                f"{', '.join(away)} is not fenced: cut it off (power, uplink) before you say that it is"
            )

    def _refuse_lost_port(self, address: MovingAddress) -> None:
        member = address.member(self.plan.target)
        try:
            neutron.port(self.tools.binder.reader.open(address, member.site), member.port_id)
        except NotFoundInSite as error:
            raise StepFailed(
                f"site {member.site}: the member's port {member.port_id} is gone: the address has nowhere to go"
            ) from error

    def release(self, site: str) -> Callable[[StepContext], Released]:
        def run(ctx: StepContext) -> Released:
            tools, plan = self.tools, self.plan
            begun = self.tools.now()
            if (
                site not in _checked(ctx).known
            ):  # the check refuses that unless it is harmless, or declared fenced
                return Released(None, asked=False, begun=begun)
            try:
                witnessed = tools.binder.let_go(ctx, tools.asks(ctx, plan.address_id), site)
            except (AgentSilent, MultisiteError) as error:
                if site not in plan.fenced:
                    raise
                ctx.event(f"site {site}, declared fenced: not seen to have let go: {error}", site=site)
                return Released(None, asked=True, begun=begun)
            tools.rows.released(plan.address_id, ctx.job_id, site, witnessed)
            return Released(True, asked=True, begun=begun)

        return run

    def give_back(self, site: str) -> Callable[[StepContext, Released | None], None]:
        """Only the site that was active gets it back."""

        def undo(ctx: StepContext, result: Released | None) -> None:
            plan, tools = self.plan, self.tools
            if site != plan.origin:
                return
            address = tools.rows.get_owned(plan.address_id, ctx.job_id)
            if address.active_site == site and result is not None and not result.asked:
                return  # it could not be asked, and nothing was bound elsewhere
            self._refuse_other_holders(ctx, address, site)
            if address.active_site != site or not address.member(site).doubtful:
                why = f"{UNDONE}: {plan.why}" if plan.why else UNDONE
                tools.rows.raise_epoch(address.id, ctx.job_id, site, tools.now(), plan.by, why)
            tools.binder.bind(ctx, tools.asks(ctx, plan.address_id), site)

        return undo

    def silence(self, ctx: StepContext) -> dict[str, bool | None]:
        """Nobody answers any more.  Where nobody did before either, that proves nothing: the agents' word counts."""
        plan = self.plan
        checked = _checked(ctx)
        if plan.target in checked.holders:
            ctx.event(f"{plan.target} holds it already, bound outside Multisite: it goes on answering")
            return {"silent": None}
        released = [ctx.result_of(planning.release_step(site), Released).released for site in plan.others]
        if plan.probe == "none" or (checked.heard is False and not any(released)):
            return {"silent": None if plan.probe == "none" else True}
        still = self._still_answers()
        if still is None:
            ctx.event(
                "from here it cannot be heard whether the address is silent: the L3 agents' word is all there is"
            )
        elif not checked.heard:
            ctx.event("it did not answer before either: its silence proves nothing, the L3 agents' word does")
        return {"silent": None if still is None else True}

    def _still_answers(self) -> bool | None:
        """Listen until nobody answers (False), or it is not known here (None); StepFailed when it goes on."""
        still = self.tools.still_answers(self.plan.address, self.plan.probe)
        if still:
            raise StepFailed(
                f"{self.plan.address} still answers from outside although every site that was asked has let go of it: "
                "another host has the address, or an L3 agent's host keeps it; find its MAC address (`ip neigh`) first"
            )
        return still

    def epoch(self, ctx: StepContext) -> dict[str, int]:
        plan = self.plan
        address = self.tools.rows.raise_epoch(
            plan.address_id, ctx.job_id, plan.target, self.tools.now(), plan.by, plan.why or "move"
        )
        ctx.event(f"epoch {address.epoch}: {plan.target} is the holder, by {plan.by}", epoch=address.epoch)
        return {"epoch": address.epoch}

    def bind(self, ctx: StepContext) -> dict[str, datetime]:
        plan, tools = self.plan, self.tools
        self._refuse_other_holders(ctx, tools.rows.get_owned(plan.address_id, ctx.job_id), plan.target)
        tools.binder.bind(ctx, tools.asks(ctx, plan.address_id), plan.target)
        return {"bound": tools.now()}

    def unbind(self, ctx: StepContext, _result: object) -> None:
        """Let go at the target, but not before it is known that the origin can take it back."""
        plan, tools = self.plan, self.tools
        address = tools.rows.get_owned(plan.address_id, ctx.job_id)
        origin = tools.binder.reader.at(address, plan.origin)
        if not origin.known:
            raise StepFailed(
                f"site {plan.origin} cannot be asked ({origin.why}): {plan.address} stays as it is; undo again when "
                "the site is back, or move the address"
            )
        witnessed = tools.binder.let_go(ctx, tools.asks(ctx, plan.address_id), plan.target)
        if (
            plan.probe != "none" and not origin.holds
        ):  # one that came back with its old binding answers rightly
            self._still_answers()
        tools.rows.released(plan.address_id, ctx.job_id, plan.target, witnessed)

    def verify(self, ctx: StepContext) -> dict[str, bool | float | None]:
        """It has to answer when it did before; else the outcome is told, and nothing is concluded from it."""
        plan, tools = self.plan, self.tools
        must = _checked(ctx).heard is True
        limit = tools.binder.patience.answer if must else min(3.0, tools.binder.patience.answer)
        end = time.monotonic() + limit
        while not (heard := tools.listen(plan.address, plan.probe)) and time.monotonic() < end:
            if plan.probe == "none":
                break
            time.sleep(tools.binder.patience.poll)
        if must and heard is False:
            raise StepFailed(
                f"{plan.address} answered before the move and does not answer from {plan.target} within {limit:.0f} s: "
                "look at the member there, its security groups, and whether the upstream router heard the announcement"
            )
        if not heard:
            ctx.event(
                "it was not heard to answer after the move: "
                + ("not asked" if heard is None else "nor was it before")
            )
        return {"heard": heard, "outage_at_most": self._outage(ctx) if heard else None}

    def _outage(self, ctx: StepContext) -> float:
        """Seconds from the moment the first site was asked to let go."""
        steps = [planning.release_step(site) for site in self.plan.others]
        first = min(ctx.result_of(step, Released).begun for step in steps)
        return round((self.tools.now() - first).total_seconds(), 3)

    def _refuse_other_holders(self, ctx: StepContext, address: MovingAddress, site: str) -> None:
        """A last check: it may have been bound elsewhere since, outside Multisite.

        Not at sites the check could not ask, or the operator vouches for: waiting for them would be the outage.
        """
        known = set(_checked(ctx).known) - set(self.plan.fenced)
        for other in [m.site for m in address.members if m.site != site and m.site in known]:
            seen = self.tools.binder.reader.at(address, other)
            if seen.holds or not seen.known:
                what = (
                    f"cannot be asked any more ({seen.why})"
                    if not seen.known
                    else "holds it again, bound outside Multisite"
                )
                raise StepFailed(
                    f"site {other} {what}: {address.address} is bound nowhere now; resume, undo, or move it again"
                )


def _checked(ctx: StepContext) -> Checked:
    return ctx.result_of(planning.CHECK, Checked)
