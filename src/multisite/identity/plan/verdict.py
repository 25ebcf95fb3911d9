"""What becomes of each candidate, and the number that says why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from multisite.identity.plan import constants as c
from multisite.identity.plan.assess import Assessment, assess_all
from multisite.identity.plan.candidates import Format, Shape
from multisite.identity.plan.inputs import Inputs
from multisite.identity.plan.recommend import Recommendation, recommend


class Verdict(StrEnum):
    RECOMMENDED = "recommended"
    POSSIBLE = "possible"
    ADVISED_AGAINST = "advised against"
    RULED_OUT = "ruled out"


@dataclass(frozen=True)
class Judged:
    assessment: Assessment
    verdict: Verdict
    why: str


@dataclass(frozen=True)
class Plan:
    """The answer: every candidate judged, and the recommendation."""

    inputs: Inputs
    candidates: tuple[Judged, ...]
    recommendation: Recommendation


def plan(inputs: Inputs) -> Plan:
    """All of it, for checked inputs; pure."""
    recommendation = recommend(inputs)
    judged = tuple(judge(one, inputs, recommendation) for one in assess_all(inputs))
    return Plan(inputs, judged, recommendation)


def judge(found: Assessment, inputs: Inputs, recommendation: Recommendation) -> Judged:
    verdict, why = _verdict(found, inputs, recommendation)
    return Judged(found, verdict, why)


def _verdict(found: Assessment, inputs: Inputs, recommendation: Recommendation) -> tuple[Verdict, str]:
    candidate = found.candidate
    if candidate.removed:
        return Verdict.RULED_OUT, f"{candidate.removed}; {_cost_of_removed(found, inputs)}"
    owners = len(recommendation.per_owner)
    if owners > 1:
        return _between_owners(found, owners, recommendation)
    chosen = recommendation.per_owner[0].chosen
    if candidate == chosen.candidate:
        return Verdict.RECOMMENDED, recommendation.reasons[0].text
    if len(inputs.sites) == 1:
        return Verdict.POSSIBLE, "1 site: nothing crosses, whatever is chosen"
    if not inputs.secrets_may_travel and candidate.format == Format.FERNET and found.burden.secrets_per_day:
        return (
            Verdict.RULED_OUT,
            f"{found.burden.secrets_per_day:.0f} secret keys a day would travel, which they may not",
        )
    return _of_one_owner(found, inputs, chosen)


def _of_one_owner(found: Assessment, inputs: Inputs, chosen: Assessment) -> tuple[Verdict, str]:
    shape, load = found.candidate.shape, found.burden
    if shape == Shape.CENTRALIZED:
        text = (
            f"{_times(found, chosen)} the traffic of {chosen.candidate.name}; {load.validation_ms:g} ms more for every"
            " validation; nothing works in a site that is cut off, and nothing anywhere without the central one"
        )
        return Verdict.ADVISED_AGAINST, text
    if shape == Shape.FEDERATION:
        return (
            Verdict.ADVISED_AGAINST,
            f"one owner needs no borders: {load.mappings} mappings to keep for nothing",
        )
    if shape == Shape.MULTI_CLUSTER:
        lost = inputs.sites_per_cluster
        where = f"1 site, {found.places.writers[0]}," if lost == 1 else f"most of {lost} sites"
        return (
            Verdict.POSSIBLE,
            f"nothing can be written anywhere while {where} is lost; a star survives either master",
        )
    if shape == Shape.CLUSTER and chosen.candidate.shape != Shape.CLUSTER:
        text = (
            f"{load.votes} votes: {load.votes * (load.votes - 1)} conversations that never rest,"
            f" {load.write_ms:g} ms per write, {c.STALL_SECONDS.value} s without writes at the loss of any site;"
            f" known to work over {c.CLUSTER_SITES.value:.0f}"
        )
        return Verdict.ADVISED_AGAINST, text
    if shape == Shape.STAR and chosen.candidate.shape != Shape.STAR:
        text = (
            f"works; {load.crossing_writes_per_day:.0f} writes a day go through two masters ({load.write_ms:g} ms in"
            " the worst site) and copies may be stale: not needed for so few sites"
        )
        return Verdict.POSSIBLE, text
    return Verdict.POSSIBLE, _other_format(found)


def _other_format(found: Assessment) -> str:
    load = found.burden
    return (
        f"the recommended form with {found.candidate.format} tokens: {found.token_bytes:.0f} bytes each;"
        f" {load.public_keys_per_day:.0f} public and {load.secrets_per_day:.0f} secret keys a day to copy"
    )


def _between_owners(found: Assessment, owners: int, recommendation: Recommendation) -> tuple[Verdict, str]:
    if found.candidate.shape == Shape.FEDERATION:
        text = (
            f"{recommendation.mappings} mappings between {owners} owners"
            f" (a full mesh of all sites would be {found.burden.mappings})"
        )
        return Verdict.RECOMMENDED, text
    return Verdict.RULED_OUT, f"{owners} owners would share one database of users and its keys"


def _cost_of_removed(found: Assessment, inputs: Inputs) -> str:
    if found.candidate.format == Format.UUID:
        rows = found.burden.crossing_writes_per_day
        return f"{rows:,.0f} writes a day would wait for another site, for every login is one"
    if found.token_bytes > c.HEADER_LIMIT.value:
        return f"a token of {found.token_bytes:,.0f} bytes fits no header ({c.HEADER_LIMIT.value:.0f})"
    regions = len(inputs.sites)
    return (
        f"a token of {found.token_bytes:,.0f} bytes in every request, growing with each of {regions} regions"
    )


def _times(found: Assessment, chosen: Assessment) -> str:
    if not chosen.traffic.per_second:
        return f"{found.traffic.per_second:,.0f} bytes/s instead"
    return f"{found.traffic.per_second / chosen.traffic.per_second:,.1f} times"
