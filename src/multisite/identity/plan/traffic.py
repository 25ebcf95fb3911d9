"""Sums over flows: by cause, and by link against its bandwidth."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from multisite.identity.plan.demand import DAY
from multisite.identity.plan.flows import Cause, Flow
from multisite.identity.plan.inputs import Inputs, Link
from multisite.identity.plan.places import ARBITRATOR


@dataclass(frozen=True)
class Busiest:
    """The link that carries the largest part of its bandwidth.  ``used``: 0..1, both directions against one."""

    sites: tuple[str, str]
    mbit_per_second: float
    used: float


@dataclass(frozen=True)
class Traffic:
    """Bytes of Ethernet frames between sites."""

    per_second: float
    by_cause: tuple[tuple[Cause, float], ...]
    """Bytes per second; every cause, most first."""
    busiest: Busiest | None

    @property
    def per_day(self) -> float:
        return self.per_second * DAY


def links(inputs: Inputs) -> dict[frozenset[str], Link]:
    """What is known of each pair that has its own entry."""
    return {frozenset(link.sites): link for link in inputs.links.between}


def link(inputs: Inputs, known: dict[frozenset[str], Link], one: str, other: str) -> Link | None:
    """Between two sites; None for an arbitrator outside all sites when nothing is said by default."""
    return known.get(frozenset((one, other)), inputs.links.default)


def traffic(inputs: Inputs, flows: tuple[Flow, ...]) -> Traffic:
    by_cause: dict[Cause, float] = dict.fromkeys(Cause, 0.0)
    by_pair: dict[tuple[str, str], float] = defaultdict(float)
    for flow in flows:
        by_cause[flow.cause] += flow.rate
        one, other = sorted((flow.source, flow.target))
        by_pair[one, other] += flow.rate
    ordered = sorted(by_cause.items(), key=lambda item: (-item[1], item[0]))
    return Traffic(sum(by_cause.values()), tuple(ordered), _busiest(inputs, by_pair))


def _busiest(inputs: Inputs, by_pair: dict[tuple[str, str], float]) -> Busiest | None:
    known = links(inputs)
    found = []
    for (one, other), rate in by_pair.items():
        there = link(inputs, known, one, other)
        if there is not None and ARBITRATOR not in (one, other):
            mbit = rate * 8 / 1e6
            found.append(Busiest((one, other), mbit, mbit / there.bandwidth_mbit))
    return max(found, key=lambda b: (b.used, b.sites), default=None)
