"""Planning a move: pure.  From the record and what the sites say to the steps, or to the reasons against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multisite.domain.errors import Conflict, Invalid
from multisite.domain.moving_address import BindingState, MovingAddress

CHECK, SILENCE, EPOCH, BIND, VERIFY = "check", "silence", "epoch", "bind", "verify"


def release_step(site: str) -> str:
    """Name of the step that lets go in a site."""
    return f"release-{site}"


@dataclass(frozen=True)
class MovePlan:
    """``others``: every site but the target, the active one first.  ``fenced``: those the operator vouches for."""

    address_id: str
    address: str
    origin: str
    target: str
    others: tuple[str, ...]
    fenced: tuple[str, ...]
    by: str
    why: str
    probe: str

    def titles(self) -> list[tuple[str, str, str | None]]:
        """Steps in their order: name, why in words, site."""
        lines: list[tuple[str, str, str | None]] = [
            (CHECK, f"Look who holds {self.address}, and listen to it from outside", None)
        ]
        for site in self.others:
            fenced = (
                " (declared fenced: left to the guard while it cannot be asked)"
                if site in self.fenced
                else ""
            )
            lines.append(
                (release_step(site), f"Let go of it in {site}, and see that its L3 agent has{fenced}", site)
            )
        return [
            *lines,
            (SILENCE, "Hear that nobody answers for it any more", None),
            (EPOCH, f"Raise the epoch: {self.target} is the holder from now on", None),
            (BIND, f"Bind it in {self.target}; its L3 agent announces it (gratuitous ARP)", self.target),
            (VERIFY, "Hear that it answers from outside", None),
        ]


def plan_move(
    address: MovingAddress,
    states: Sequence[BindingState],
    target: str,
    fenced: Sequence[str],
    by: str,
    why: str,
) -> MovePlan:
    """Decide whether the address can move to ``target`` now.  Invalid naming the field, Conflict with the reason."""
    sites = [member.site for member in address.members]
    for field, site in (("to", target), *(("fenced", site) for site in fenced)):
        if site not in sites:
            raise Invalid(f"{field}: {site!r} is none of the sites of {address.name}: {', '.join(sites)}")
    if target in fenced:
        raise Invalid(f"fenced: {target!r} is where the address is to go: it cannot be fenced")
    seen = {state.site: state for state in states}
    if not seen[target].known:
        raise Conflict(f"to: site {target} cannot be asked: {seen[target].why}")
    others = sorted((site for site in sites if site != target), key=lambda site: site != address.active_site)
    for site in others:
        refuse_unknown(address, seen[site], fenced)
    if _is_there(address, states, target):
        raise Conflict(f"address {address.name}: {target} holds it already, and no other site does")
    return MovePlan(
        address.id,
        address.address,
        address.active_site,
        target,
        tuple(others),
        tuple(fenced),
        by,
        why,
        address.probe,
    )


def refuse_unknown(address: MovingAddress, seen: BindingState, fenced: Sequence[str]) -> None:
    """Conflict when the site may hold the address, cannot be asked, and nobody vouches for it.

    A site that let go of it when it last held it does not stand in the way by being away.
    """
    if seen.known or seen.site in fenced:
        return
    if seen.site == address.active_site or address.member(seen.site).doubtful:
        raise Conflict(
            f"address {address.name}: site {seen.site} may still answer for it and cannot be asked ({seen.why}): "
            f"wait for it, or, when you know that it is dead or cut off, say so: --fenced {seen.site}"
        )


def _is_there(address: MovingAddress, states: Sequence[BindingState], target: str) -> bool:
    here = next(s for s in states if s.site == target)
    mark = here.mark
    settled = (
        target == address.active_site
        and here.port_id == address.member(target).port_id
        and mark is not None
        and (mark.bound, mark.epoch) == (True, address.epoch)
    )
    return settled and not any(s.holds for s in states if s.site != target) and not address.in_doubt
