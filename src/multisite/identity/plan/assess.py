"""One candidate, all of it; and all candidates."""

from __future__ import annotations

from dataclasses import dataclass

from multisite.identity.plan import candidates, sizes, survive
from multisite.identity.plan.burden import Burden, burden
from multisite.identity.plan.candidates import Candidate, Format, Shape
from multisite.identity.plan.flows import flows, question
from multisite.identity.plan.inputs import Inputs
from multisite.identity.plan.places import Places, places
from multisite.identity.plan.survive import Cut, Split
from multisite.identity.plan.traffic import Traffic, traffic


@dataclass(frozen=True)
class Assessment:
    """``token_bytes``: in a request's header; ``body_bytes``: of an answer to a validation."""

    candidate: Candidate
    places: Places
    traffic: Traffic
    token_bytes: float
    body_bytes: float
    burden: Burden
    cuts: tuple[Cut, ...]
    splits: tuple[Split, ...]
    operation: str
    """What it costs to run, in words."""


def assess(candidate: Candidate, inputs: Inputs) -> Assessment:
    found = places(candidate, inputs)
    regions = 1 if candidate.shape == Shape.FEDERATION else len(inputs.sites)
    asked = burden(candidate, inputs, found)
    return Assessment(
        candidate=candidate,
        places=found,
        traffic=traffic(inputs, flows(question(inputs, candidate, found))),
        token_bytes=sizes.token(inputs, candidate.format, regions),
        body_bytes=sizes.body(inputs, regions, catalog=inputs.validation_catalog),
        burden=asked,
        cuts=survive.cuts(candidate, inputs, found),
        splits=survive.splits(candidate, inputs, found),
        operation=operation(candidate, inputs, asked),
    )


def assess_all(inputs: Inputs) -> tuple[Assessment, ...]:
    """Every candidate, in the documents' order."""
    return tuple(assess(candidate, inputs) for candidate in candidates.ALL)


def operation(candidate: Candidate, inputs: Inputs, asked: Burden) -> str:
    """What there is to install, tune and watch."""
    sites = len(inputs.sites)
    keys = _keys(candidate, asked)
    if candidate.shape == Shape.FEDERATION:
        return (
            f"{sites} Keystones with databases of their own; {asked.mappings} mappings (n x (n-1)) with their identity"
            " and service providers, groups and role assignments, each made on both sides and again for every new site"
        )
    if candidate.shape == Shape.CENTRALIZED:
        return f"one Keystone and its database to run; every other site depends on the way to it; {keys}"
    if candidate.shape == Shape.CLUSTER:
        return (
            f"one Galera cluster of {asked.votes} votes, {asked.votes * (asked.votes - 1) // 2} connections,"
            f" its timeouts tuned for the WAN; an upgrade or a slow node anywhere is felt in every site; {keys}"
        )
    if candidate.shape == Shape.STAR:
        return (
            f"a Galera cluster of {min(2, sites)} sites with an arbitrator, {2 * max(0, sites - 2)} replicas that"
            " know nothing of each other, a proxy that sends writes to the masters, replicas to re-point when a"
            f" master dies; {keys}"
        )
    return (
        f"one cluster per {inputs.sites_per_cluster} sites, an asynchronous link to each, a proxy that sends writes to"
        f" the first; the links are re-pointed by hand when the first cluster is lost; {keys}"
    )


def _keys(candidate: Candidate, asked: Burden) -> str:
    if candidate.format == Format.PKI:
        return "signing certificates to every service, and lists of revoked tokens to poll"
    if candidate.format == Format.JWS and asked.public_keys_per_day:
        public, receipts = asked.public_keys_per_day, asked.secrets_per_day
        return f"{public:.0f} public token keys and {receipts:.0f} receipt keys a day to copy"
    if asked.secrets_per_day:
        return f"{asked.secrets_per_day:.0f} secret keys a day to copy, in step with the rotation"
    return "no keys between sites"
