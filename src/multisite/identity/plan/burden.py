"""What a candidate asks of operators and of whoever waits: keys, mappings, write latency, revocation."""

from __future__ import annotations

from dataclasses import dataclass

from multisite.identity.numbers import keys_for
from multisite.identity.plan import constants as c
from multisite.identity.plan.candidates import Candidate, Format, Shape
from multisite.identity.plan.demand import DAY, Write, demands
from multisite.identity.plan.inputs import Inputs
from multisite.identity.plan.places import ARBITRATOR, Places
from multisite.identity.plan.traffic import link, links


@dataclass(frozen=True)
class Burden:
    """``write_ms``, ``validation_ms``: round trips to other sites in the worst site, milliseconds.

    ``quorum``: votes needed of ``votes``.  ``secrets_per_day``: copies of symmetric keys that travel;
    ``public_keys_per_day``: of public ones.  ``mappings``: federation's, to be kept.  ``crossing_writes_per_day``:
    those not answered before another site has had its say.  ``revocation_seconds``: after which no service takes a
    revoked token; None when only expiration ends it.
    """

    write_ms: float
    validation_ms: float
    votes: int
    quorum: int
    secrets_per_day: float
    public_keys_per_day: float
    mappings: int
    crossing_writes_per_day: float
    revocation_seconds: float | None
    max_active_keys: int


def burden(candidate: Candidate, inputs: Inputs, places: Places) -> Burden:
    secrets, public = _keys(candidate, inputs)
    sites = len(inputs.sites)
    write = _write_ms(candidate, inputs, places)
    return Burden(
        write_ms=write,
        validation_ms=_validation_ms(candidate, inputs, places),
        votes=len(places.votes) if candidate.shape != Shape.FEDERATION else 1,
        quorum=len(places.votes) // 2 + 1 if candidate.shape != Shape.FEDERATION else 1,
        secrets_per_day=secrets,
        public_keys_per_day=public,
        mappings=sites * (sites - 1) if candidate.shape == Shape.FEDERATION else 0,
        crossing_writes_per_day=_crossing(candidate, inputs, places),
        revocation_seconds=_revocation(candidate, inputs, places),
        max_active_keys=max_active_keys(inputs),
    )


def max_active_keys(inputs: Inputs) -> int:
    """Fernet keys to keep so that no live token loses its key (Keystone's Fernet FAQ)."""
    times = inputs.tokens
    return keys_for(times.expiration + times.allow_expired_window, times.rotation_interval)


def _keys(candidate: Candidate, inputs: Inputs) -> tuple[float, float]:
    """A rotation makes a new token key and a new receipt key for every other site; JWS sites exchange public ones."""
    others = len(inputs.sites) - 1
    if candidate.shape in (Shape.FEDERATION, Shape.CENTRALIZED):
        return 0.0, 0.0
    rotations = DAY / inputs.tokens.rotation_interval
    receipts = rotations * others
    if candidate.format == Format.JWS:
        return receipts, rotations * others * (others + 1)
    if candidate.format == Format.FERNET:
        return receipts + rotations * others, 0.0
    return receipts, 0.0


def _round_trip(inputs: Inputs, one: str, others: tuple[str, ...]) -> float:
    """To the farthest; an arbitrator outside all sites is taken to be near."""
    known = links(inputs)
    far = [link(inputs, known, one, other) for other in others if other not in (one, ARBITRATOR)]
    return max((there.round_trip_ms for there in far if there is not None), default=0.0)


def _write_ms(candidate: Candidate, inputs: Inputs, places: Places) -> float:
    """A synchronous commit waits for the slowest member, not for a majority; before it, the request's own way."""
    if candidate.shape == Shape.FEDERATION:
        return 0.0
    master = places.writers[0]
    commit = max(_round_trip(inputs, writer, places.votes) for writer in places.writers)
    names = tuple(site.name for site in inputs.sites if site.name not in places.writers)
    forwarded = _round_trip(inputs, master, names) if names else 0.0
    return forwarded + _round_trip(inputs, master, places.votes) if names else commit


def _validation_ms(candidate: Candidate, inputs: Inputs, places: Places) -> float:
    if places.central is None or candidate.format == Format.PKI:
        return 0.0
    return _round_trip(inputs, places.central, tuple(site.name for site in inputs.sites))


def _crossing(candidate: Candidate, inputs: Inputs, places: Places) -> float:
    if candidate.shape == Shape.FEDERATION:
        return 0.0
    alone = len(places.writers) == 1
    total = 0.0
    for site, demand in demands(inputs).items():
        if alone and site in places.writers:
            continue
        total += demand.written
        if candidate.format == Format.UUID:
            first = dict(demand.writes)[Write.FIRST_LOGIN]
            total += max(0.0, demand.logins + demand.local_logins - first)
    return total * DAY


def _revocation(candidate: Candidate, inputs: Inputs, places: Places) -> float | None:
    if candidate.shape == Shape.FEDERATION:
        return None
    if candidate.format == Format.PKI:
        return c.REVOCATION_LIST_SECONDS.value + inputs.token_cache_time
    caches: float = inputs.token_cache_time
    if candidate.shape != Shape.CENTRALIZED:
        lag = (_write_ms(candidate, inputs, places)) / 1000
        caches += inputs.cache_time + lag
        if places.replicas:
            caches += c.ASYNC_LAG_SECONDS.value
    return caches
