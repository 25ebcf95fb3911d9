"""A moving address as data: who holds it by the record, who holds it by what the sites say, and what follows.

Pure: nothing here asks anybody.  The rule it all serves: never two holders while the sites can be asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from multisite.domain.findings import Finding, Severity, unknown


class AddressState(StrEnum):
    """What the record says; ``SENTENCES`` has what an operator can rely on."""

    CREATING = "creating"
    HELD = "held"
    MAYBE_TWICE = "may be active twice"
    MOVING = "moving"
    STOPPED = "stopped"
    DELETING = "deleting"
    FAILED = "failed"


SENTENCES: Mapping[AddressState, str] = {
    AddressState.CREATING: "being set up: at most the active site holds it",
    AddressState.HELD: "the active site holds it; every other site was seen to have let go since it last held it",
    AddressState.MAYBE_TWICE: "the active site holds it, and a site that was declared fenced, or stopped answering, "
    "has not been seen to have let go: it may still answer there",
    AddressState.MOVING: "a move is under way: at most one site that can be asked holds it",
    AddressState.STOPPED: "a job about it stopped half-way: at most one site that can be asked holds it, maybe none; "
    "resume or undo the job, or move the address again",
    AddressState.DELETING: "being let go of everywhere; resume the job when a site was away",
    AddressState.FAILED: "could not be set up; nothing the job made is left: delete it",
}

TRANSITIONS: tuple[tuple[AddressState, AddressState, str], ...] = (
    (AddressState.CREATING, AddressState.HELD, "bound"),
    (AddressState.CREATING, AddressState.FAILED, "failed, undone"),
    (AddressState.CREATING, AddressState.STOPPED, "failed, not undone"),
    (AddressState.HELD, AddressState.MOVING, "move, undo"),
    (AddressState.STOPPED, AddressState.MOVING, "move"),
    (AddressState.MOVING, AddressState.HELD, "moved, or back again"),
    (AddressState.MOVING, AddressState.STOPPED, "failed"),
    (AddressState.HELD, AddressState.MAYBE_TWICE, "a site in doubt"),
    (AddressState.MAYBE_TWICE, AddressState.HELD, "released there"),
    (AddressState.HELD, AddressState.DELETING, "delete"),
    (AddressState.STOPPED, AddressState.DELETING, "delete"),
    (AddressState.DELETING, AddressState.STOPPED, "failed"),
)
"""From, to, and why; shown in docs/addresses.md.  One that is deleted, or forgotten after it failed, is no more."""


class Verdict(StrEnum):
    """What a check of all sites found; each sentence is completed by ``judge``."""

    ONE = "one holder"
    NOBODY = "nobody"
    TWICE = "two holders"
    ELSEWHERE = "held elsewhere"
    DRIFT = "drift"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class AddressMember:
    """A site the address can be in: the port that gets it there, and the floating IP that carries it.

    ``bound_epoch``: the newest epoch at which binding it here was *begun* (written down before the request);
    ``released_epoch``: the newest at which the site was seen to have let go; 0: never.
    ``adopted``: the floating IP was there before us, and stays when the address is deleted.
    ``witnessed``: the floating IP's revision at which a witness showed that it has gone here (clouds.witness); until it
    is another one, Neutron's word that it is ACTIVE means nothing.
    """

    site: str
    port_id: str
    network_id: str
    floating_ip_id: str | None = None
    adopted: bool = False
    bound_epoch: int = 0
    released_epoch: int = 0
    witnessed: int | None = None

    @property
    def doubtful(self) -> bool:
        """It was bound here, and nobody has seen since that it is not any more."""
        return self.bound_epoch > self.released_epoch


@dataclass(frozen=True)
class MovingAddress:
    """The record.  ``job_id`` is the job that has it now, or had it last; ``move_job_id`` the last move, for undo.

    ``probe``: how it is listened to from outside: ``icmp``, ``tcp:<port>`` or ``none``.
    """

    id: str
    name: str
    address: str
    project_id: str
    members: tuple[AddressMember, ...]
    active_site: str
    epoch: int
    state: AddressState
    probe: str
    job_id: str
    move_job_id: str | None
    requested_by: str
    created_at: datetime
    error: str | None = None

    def member(self, site: str) -> AddressMember:
        """KeyError for a site it has no member in."""
        return {m.site: m for m in self.members}[site]

    def with_member(self, member: AddressMember) -> MovingAddress:
        """This record with the member of that site replaced."""
        return replace(self, members=tuple(member if m.site == member.site else m for m in self.members))

    @property
    def in_doubt(self) -> tuple[str, ...]:
        """Sites other than the active one that may still hold it."""
        return tuple(m.site for m in self.members if m.doubtful and m.site != self.active_site)

    @property
    def shown_state(self) -> AddressState:
        """As operators see it: a held address with a site in doubt may be active twice."""
        doubtful = self.state in (AddressState.HELD, AddressState.STOPPED) and self.in_doubt
        return AddressState.MAYBE_TWICE if doubtful else self.state

    @property
    def sentence(self) -> str:
        """What the state means, with the sites it is about."""
        said = SENTENCES[self.shown_state]
        return f"{said} (in doubt: {', '.join(self.in_doubt)})" if self.in_doubt else said


@dataclass(frozen=True)
class EpochRecord:
    """One line of an address's history: never changed, never deleted while the address is there."""

    address_id: str
    epoch: int
    site: str
    at: datetime
    by: str
    why: str
    job_id: str


@dataclass(frozen=True)
class Mark:
    """What we write into the description of the floating IP, in one request with the change it tells of."""

    address_id: str
    epoch: int
    bound: bool

    def __str__(self) -> str:
        return (
            f"multisite address {self.address_id} epoch {self.epoch} {'bound' if self.bound else 'released'}"
        )


_MARK = re.compile(r"multisite address (\S+) epoch (\d+) (bound|released)")


def read_mark(description: str) -> Mark | None:
    """The mark in a description; None when there is none of ours."""
    found = _MARK.fullmatch(description.strip())
    return Mark(found[1], int(found[2]), found[3] == "bound") if found else None


@dataclass(frozen=True)
class BindingState:
    """What one site says.  ``known`` False: it did not answer (``why``); nothing else counts then.

    ``status`` is Neutron's: ACTIVE while the L3 agent answers for the address, DOWN once it has stopped.
    """

    site: str
    known: bool
    present: bool = False
    port_id: str | None = None
    status: str = ""
    mark: Mark | None = None
    why: str = ""

    @property
    def holds(self) -> bool:
        """Associated, or disassociated and not yet taken away by the agent."""
        return self.known and self.present and (self.port_id is not None or self.status == "ACTIVE")


@dataclass(frozen=True)
class Judgment:
    """``stale``: sites that hold it and must let go; ``released``: those seen not to hold it.

    ``findings``: one per site, a note where it is as recorded.
    """

    verdict: Verdict
    sentence: str
    findings: tuple[Finding, ...]
    stale: tuple[str, ...]
    answers: bool | None = None
    released: tuple[str, ...] = ()


def judge(address: MovingAddress, states: Sequence[BindingState], answers: bool | None = None) -> Judgment:
    """Compare the record with what the sites say (and whether the address answers from outside, None: unknown)."""
    findings = tuple(_finding(address, seen) for seen in states)
    holders = [s.site for s in states if s.holds]
    silent = [s.site for s in states if not s.known]
    verdict, sentence = _verdict(address, states, holders, silent)
    stale = stale_sites(address, states)
    if verdict is Verdict.ONE and answers is False:
        verdict, sentence = Verdict.DRIFT, f"{sentence}, but it does not answer from outside"
    released = tuple(s.site for s in states if s.known and not s.holds)
    return Judgment(verdict, sentence, findings, stale, answers, released)


def stale_sites(address: MovingAddress, states: Sequence[BindingState]) -> tuple[str, ...]:
    """Who holds it and has to let go.

    Older by its mark than the record: always, whoever else can be asked.  Held with a mark that is not older, or
    with none (somebody's hand): only when the active site is seen to hold it too, else it would be taken from its
    only holder.
    """
    active = next((s for s in states if s.site == address.active_site), None)
    active_holds = active is not None and active.holds
    found = []
    for seen in states:
        if not seen.holds or seen.site == address.active_site:
            continue
        older = seen.mark is not None and seen.mark.bound and seen.mark.epoch < address.epoch
        if older or active_holds:
            found.append(seen.site)
    return tuple(found)


def _verdict(
    address: MovingAddress, states: Sequence[BindingState], holders: Sequence[str], silent: Sequence[str]
) -> tuple[Verdict, str]:
    active = address.active_site
    if len(holders) > 1:
        return Verdict.TWICE, f"{' and '.join(holders)} hold it at the same time; the record says {active}"
    if holders and holders[0] != active:
        also = f"; {', '.join(silent)} cannot be asked" if silent else ""
        return Verdict.ELSEWHERE, f"{holders[0]} holds it, the record says {active}{also}"
    if silent:
        held = f"{active} holds it, " if holders else ""
        risk = [s for s in silent if s in address.in_doubt]
        doubt = f": it may be active twice ({', '.join(risk)})" if risk else ""
        return Verdict.UNKNOWN, f"{held}{', '.join(silent)} cannot be asked{doubt}"
    if not holders:
        return Verdict.NOBODY, f"nobody holds it; the record says {active}: move it there or elsewhere"
    (seen,) = [s for s in states if s.site == active]
    if seen.port_id != address.member(active).port_id:
        return Verdict.DRIFT, f"{active} holds it at port {seen.port_id}, not at its member's"
    return Verdict.ONE, f"{active} holds it, and no other site does"


def _finding(address: MovingAddress, seen: BindingState) -> Finding:
    """What a site says, and whether that is as recorded: the active site holds it at its member's port, no other."""
    if not seen.known:
        return unknown(seen.site, seen.why, "it may hold the address")
    active = seen.site == address.active_site
    if not seen.present:
        what = "its floating IP is gone: somebody deleted it; the next move here makes it anew"
        return _told(seen, "floating IP gone", what, as_recorded=not active)
    mark = f"epoch {seen.mark.epoch}" if seen.mark else "no mark of ours"
    if seen.port_id is None:
        said = "let go of, but the L3 agent still answers" if seen.holds else "does not hold it"
        return _told(seen, "held" if seen.holds else "released", f"{said} ({mark})", active == seen.holds)
    member = seen.port_id == address.member(seen.site).port_id
    whose = "its member's port" if member else f"port {seen.port_id}"
    agent = {"ACTIVE": "", "ERROR": ", but the L3 agent reports an error"}.get(
        seen.status, ", but the L3 agent has not taken it up"
    )
    said = f"holds it at {whose} ({mark}){agent}"
    return _told(seen, "held", said, active and member and not agent)


def _told(seen: BindingState, kind: str, what: str, as_recorded: bool) -> Finding:
    return Finding(seen.site, kind, what, severity=Severity.NOTE if as_recorded else Severity.DIFFERS)
