"""Bytes per second between sites: who sends what to whom in each candidate, and why.

A flow is both directions of a conversation, named after who began it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import exp

from multisite.identity.plan import constants as c
from multisite.identity.plan import sizes
from multisite.identity.plan.candidates import Candidate, Format, Shape
from multisite.identity.plan.demand import DAY, Demand, Write, demands
from multisite.identity.plan.inputs import Inputs
from multisite.identity.plan.places import Places, by_load


class Cause(StrEnum):
    VALIDATION = "validation"
    LOGIN = "logins that cross"
    WRITE = "changes asked of another site"
    REPLICATION = "replication of writes"
    TOKEN_ROWS = "token rows"  # noqa: S105 - a cause, no secret
    IDLE = "cluster and heartbeats"
    REVOCATION_LIST = "revocation lists"
    KEYS = "keys"


@dataclass(frozen=True)
class Flow:
    """``rate``: bytes per second of Ethernet frames, both directions."""

    cause: Cause
    source: str
    target: str
    rate: float


@dataclass(frozen=True)
class Question:
    """What the flows of one candidate are computed from."""

    inputs: Inputs
    candidate: Candidate
    places: Places
    demands: dict[str, Demand]

    @property
    def regions(self) -> int:
        return len(self.inputs.sites)


def question(inputs: Inputs, candidate: Candidate, places: Places) -> Question:
    return Question(inputs, candidate, places, demands(inputs))


def flows(asked: Question) -> tuple[Flow, ...]:
    """Every conversation between two sites, those of no bytes left out."""
    if asked.candidate.shape == Shape.FEDERATION:
        made = _federation(asked)
    elif asked.candidate.shape == Shape.CENTRALIZED:
        made = _centralized(asked)
    else:
        made = _distributed(asked)
    return tuple(flow for flow in made if flow.rate > 0 and flow.source != flow.target)


def _centralized(asked: Question) -> Iterator[Flow]:
    """Everything is asked of one site; PKI tokens are validated where they are used, by a list of those revoked."""
    center = str(asked.places.central)
    for site, demand in asked.demands.items():
        if asked.candidate.format == Format.PKI:
            yield Flow(Cause.REVOCATION_LIST, site, center, _list_traffic(asked))
        else:
            each = sizes.validation(asked.inputs, asked.candidate.format, asked.regions)
            yield Flow(Cause.VALIDATION, site, center, demand.validations * each)
        yield from _asked_elsewhere(asked, site, center, demand.logins + demand.local_logins)


def _distributed(asked: Question) -> Iterator[Flow]:
    """Validation is local; what is written travels; a site that cannot write asks one that can."""
    places = asked.places
    master = places.writers[0]
    for site, demand in asked.demands.items():
        if site not in places.writers:
            yield from _asked_elsewhere(asked, site, master, demand.logins)
    for cluster in places.clusters:
        yield from _cluster(asked, cluster)
    written = _written(asked)
    for site, masters in places.replicas:
        for followed in masters:
            yield Flow(Cause.REPLICATION, followed, site, _replicated(written))
            yield Flow(Cause.IDLE, followed, site, _heartbeats(sum(rate for _, rate in written)))
    yield from _keys(asked)


def _federation(asked: Question) -> Iterator[Flow]:
    """A user works evenly in all sites, and logs in to each with the assertion of their own."""
    each = sizes.federated_login(asked.inputs, asked.regions - 1)
    for site, demand in asked.demands.items():
        for other in asked.demands:
            logins = (demand.logins + demand.local_logins) / asked.regions
            yield Flow(Cause.LOGIN, site, other, logins * each)


def _asked_elsewhere(asked: Question, site: str, where: str, logins: float) -> Iterator[Flow]:
    format_ = asked.candidate.format
    yield Flow(Cause.LOGIN, site, where, logins * sizes.login(asked.inputs, format_, asked.regions))
    changes = sum(rate for kind, rate in asked.demands[site].writes if kind != Write.FIRST_LOGIN)
    each = sizes.write_request(asked.inputs, format_, asked.regions)
    yield Flow(Cause.WRITE, site, where, changes * each)


def _written(asked: Question) -> tuple[tuple[Write, float], ...]:
    """Writes per second of all sites, by kind."""
    return tuple(
        (kind, sum(dict(demand.writes)[kind] for demand in asked.demands.values())) for kind in Write
    )


def _cluster(asked: Question, cluster: tuple[str, ...]) -> Iterator[Flow]:
    """Galera: a write set goes to every other member, and every member tells every other that it has it."""
    first = cluster == asked.places.writers
    members = asked.places.votes if first else cluster
    written = _origins(asked, cluster) if first else {cluster[0]: dict(_written(asked))}
    sets = {site: _sum(rates, c.GALERA_SETS) for site, rates in written.items()}
    rows = _token_rows(asked) if first else 0.0
    idle = c.GALERA_IDLE.value + (len(members) - 1) * c.GALERA_IDLE_REPLY.value
    for one in members:
        acknowledged = (sum(sets.values()) - sets.get(one, 0.0)) * c.GALERA_ACK.value
        replicated = _sum(written.get(one, {}), c.GALERA_WRITE) + acknowledged
        own_rows = rows * _login_share(asked, one) if rows else 0.0
        for other in members:
            if other != one:
                yield Flow(Cause.REPLICATION, one, other, replicated)
                yield Flow(Cause.TOKEN_ROWS, one, other, own_rows)
                yield Flow(Cause.IDLE, one, other, idle)


def _sum(rates: Mapping[Write, float], each: Mapping[Write, c.Constant]) -> float:
    return sum(rate * each[kind].value for kind, rate in rates.items())


def _origins(asked: Question, cluster: tuple[str, ...]) -> dict[str, dict[Write, float]]:
    """Writes per second by the member that makes them: its own, and for the first one those of sites without a vote."""
    found: dict[str, dict[Write, float]] = {member: dict.fromkeys(Write, 0.0) for member in cluster}
    for site, demand in asked.demands.items():
        where = site if site in found else cluster[0]
        for kind, rate in demand.writes:
            found[where][kind] += rate
    return found


def _token_rows(asked: Question) -> float:
    """UUID: bytes per second that one member gets: every login's row when written and again when it is flushed."""
    if asked.candidate.format != Format.UUID:
        return 0.0
    logins = sum(demand.logins + demand.local_logins for demand in asked.demands.values())
    row = sizes.token_row(asked.inputs, asked.regions)
    return logins * 2 * (c.GALERA_WRITE[Write.FIRST_LOGIN].value + sizes.payload(row))


def _login_share(asked: Question, site: str) -> float:
    total = sum(demand.logins + demand.local_logins for demand in asked.demands.values())
    here = asked.demands.get(site)
    return (here.logins + here.local_logins) / total if here and total else 0.0


def _replicated(written: tuple[tuple[Write, float], ...]) -> float:
    return _sum(dict(written), c.ASYNC_WRITE)


def _heartbeats(written: float) -> float:
    """A master sends one when it had nothing else to send for a whole period."""
    period = c.HEARTBEAT_SECONDS.value
    return c.ASYNC_HEARTBEAT.value / period * exp(-written * period)


def _list_traffic(asked: Question) -> float:
    revoked = asked.inputs.revocations_per_hour / 3600 * asked.inputs.tokens.expiration
    return asked.inputs.services_per_region * sizes.revocation_list(revoked) / c.REVOCATION_LIST_SECONDS.value


def _keys(asked: Question) -> Iterator[Flow]:
    """One site gives the others their keys, over a login of its own each time."""
    first, *others = [site.name for site in by_load(asked.inputs)]
    rotations = DAY / asked.inputs.tokens.rotation_interval
    for other in others:
        yield Flow(Cause.KEYS, first, other, rotations * c.KEY_PUSH.value / DAY)
