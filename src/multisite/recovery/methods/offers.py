"""What each method could do for an application, said before one is chosen, and the choice: pure, reasons in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from multisite.domain.findings import Finding, Severity, blocking, describe
from multisite.domain.model import Application, Capability, Known
from multisite.recovery.methods.cinder_backups.state import ApplicationState
from multisite.recovery.methods.estimates import Estimate, Figures, frozen, rpo
from multisite.recovery.methods.needs import lacking
from multisite.recovery.methods.storages import StorageSeen


class Consistency(StrEnum):
    """Of what is restored.  ``SENTENCES`` has what each means."""

    APPLICATION = "application"
    SERVER = "server"
    CRASH = "crash"


SENTENCES = {
    Consistency.APPLICATION: "consistent across the application's servers",
    Consistency.SERVER: "each server consistent by itself, not across servers",
    Consistency.CRASH: "crash-consistent only",
}


@dataclass(frozen=True)
class SiteSeen:
    """A site and what it can do, as it said; unknown where it did not."""

    name: str
    capabilities: Sequence[Capability]


@dataclass(frozen=True)
class Candidate:
    """What both sites were seen to have for an application.

    ``state`` None: the application could not be looked at, ``unseen`` says why.  ``said``: by server id what its image
    says, None where that is gone.  ``storages``: of the sites that have one that replicates; a Finding says why one
    does not answer.  ``options``: of each method, complete; ``refused``: why a method does not take them.
    ``targets``: all that were named; ``target`` is the one of them that is looked at.
    """

    application: Application
    source: SiteSeen
    target: SiteSeen | None
    options: Mapping[str, Mapping[str, Any]]
    refused: Mapping[str, str] = field(default_factory=dict)
    state: ApplicationState | None = None
    unseen: Finding | None = None
    said: Mapping[str, Mapping[str, str] | None] = field(default_factory=dict)
    storages: Mapping[str, StorageSeen | Finding] = field(default_factory=dict)
    figures: Figures = field(default_factory=Figures)
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Offer:
    """What a method would give.  ``consistency`` None: unknown.

    ``findings``: what is missing, with what to do, what is unknown, and what is good to know.
    """

    method: str
    possible: Known
    consistency: Consistency | None
    rpo: Estimate
    rto: Estimate
    findings: tuple[Finding, ...] = ()

    @property
    def gaps(self) -> tuple[Finding, ...]:
        """Why it is not possible, or not known to be."""
        wanted = Severity.BLOCKING if self.possible is Known.NO else Severity.UNKNOWN
        return tuple(finding for finding in self.findings if finding.severity is wanted)


@dataclass(frozen=True)
class Choice:
    """``method`` None: none was chosen; ``why`` says what to do.  ``offers``: in the order of preference."""

    method: str | None
    why: str
    offers: tuple[Offer, ...]


@dataclass(frozen=True)
class Result:
    """What a run of a method would come to.  ``usable``: from the consistency point until it can be used."""

    consistency: Consistency
    usable: Estimate
    rto: Estimate


def assemble(method: str, candidate: Candidate, found: Iterable[Finding], result: Result | None) -> Offer:
    """An offer; ``result`` None: the application could not be looked at."""
    findings = (*found, *((candidate.unseen,) if candidate.unseen else ()), *_stood_still(method, candidate))
    nothing = Estimate(None, None, "the application could not be looked at")
    return Offer(
        method,
        _possible(findings),
        result.consistency if result else None,
        rpo(result.usable, candidate.figures.every) if result else nothing,
        result.rto if result else nothing,
        tuple(sorted(dict.fromkeys(findings), key=lambda f: not f.blocking)),
    )


def together(offers: Mapping[str, Offer]) -> Offer:
    """What a method would give in several targets (by name): possible where it is in each, the RTO of all of them."""
    first, *others = offers.values()
    if not others:
        return first
    found = tuple(dict.fromkeys(finding for offer in offers.values() for finding in offer.findings))
    basis = "; ".join(f"{name}: {offer.rto}" for name, offer in offers.items())
    lows = [offer.rto.low_seconds for offer in offers.values() if offer.rto.low_seconds is not None]
    highs = [offer.rto.high_seconds for offer in offers.values() if offer.rto.high_seconds is not None]
    rto = Estimate(min(lows, default=None), max(highs) if lows and len(highs) == len(offers) else None, basis)
    return replace(
        first,
        possible=_possible(found),
        rto=rto,
        findings=tuple(sorted(found, key=lambda finding: not finding.blocking)),
    )


def refuse(method: str, candidate: Candidate) -> Offer:
    """The offer of a method that does not take the options that were given."""
    what, nothing = candidate.refused[method], Estimate(None, None, "it does not take these options")
    gap = blocking("", "options", what, f"leave the option out to choose {method}")
    return Offer(method, Known.NO, None, nothing, nothing, (gap,))


def site_gaps(
    candidate: Candidate, source: Mapping[str, str], target: Mapping[str, str]
) -> Iterable[Finding]:
    """What the two sites lack of what a method needs (capability -> what to do)."""
    yield from lacking(candidate.source.capabilities, source, candidate.source.name)
    if candidate.target is not None:
        yield from lacking(candidate.target.capabilities, target, candidate.target.name)


def as_notes(kind: str, notes: Iterable[str]) -> Iterable[Finding]:
    """Sentences that are good to know."""
    return (Finding("", kind, note, severity=Severity.NOTE) for note in notes)


def choose(offers: Sequence[Offer], application: str) -> Choice:
    """The first that is possible, in the order of preference; none where it is unknown whether a better one is."""
    told = tuple(offers)
    passed: list[Offer] = []
    for offer in told:
        if offer.possible is Known.YES:
            return Choice(offer.method, _why(offer, passed), told)
        passed.append(offer)
        if offer.possible is Known.UNKNOWN:
            return Choice(None, _why_unknown(offer, application), told)
    said = "; ".join(f"{offer.method}: {describe(offer.gaps)}" for offer in told)
    return Choice(None, f"no method can protect application {application}: {said}", told)


def _why(chosen: Offer, passed: Sequence[Offer]) -> str:
    words = SENTENCES[chosen.consistency] if chosen.consistency else "consistency unknown"
    said = [f"{chosen.method}: {words}, RPO {chosen.rpo}, RTO {chosen.rto}"]
    said += [
        f"{offer.method} would come before it and is not possible: {describe(offer.gaps)}" for offer in passed
    ]
    return "; ".join(said)


def _why_unknown(offer: Offer, application: str) -> str:
    return (
        f"whether application {application} can be protected by {offer.method} is not known: {describe(offer.gaps)}; "
        f"nothing is chosen by guess: name the method (`openstack multisite protection create {application} --method "
        f"{offer.method} ...`), or try again when it is known"
    )


def _possible(findings: Iterable[Finding]) -> Known:
    severities = {finding.severity for finding in findings}
    if Severity.BLOCKING in severities:
        return Known.NO
    return Known.UNKNOWN if Severity.UNKNOWN in severities else Known.YES


def _stood_still(method: str, candidate: Candidate) -> Iterable[Finding]:
    if seconds := frozen(candidate.figures, method):
        yield from as_notes("frozen", (f"the application stood still for {seconds}",))
