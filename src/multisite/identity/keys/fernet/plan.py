"""What to do next with a Fernet repository, from what is remembered and what was just seen: pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from multisite.identity.keys import schedule
from multisite.identity.keys.fernet import gate
from multisite.identity.keys.repository import Kind, Repository
from multisite.identity.keys.state import KeyRecord, KindState, Seen, State
from multisite.identity.topology.model import Tokens

Observed = Mapping[str, Mapping[Kind, Seen] | str]
NewKey = Callable[[], str]
"""Makes a key, keeps it safe, returns its fingerprint."""


def settle(kind: Kind, state: State, observed: Observed, sites: Collection[str], now: float) -> State:
    """Note that a distribution is over: from now on nothing is made with the keys that were primary before.

    Sites that were excluded do not count: what they still issue is refused elsewhere one day (``gate.forecast``).
    """
    mine = state.kinds[kind]
    if mine.settled_at is not None:
        return state
    for name in set(sites) - state.excluded:
        answer = observed.get(name)
        if answer is None or isinstance(answer, str) or not gate.in_sync(mine.desired, answer.get(kind)):
            return state
    changes = {
        fingerprint: replace(record, retired_at=now)
        for fingerprint, record in mine.records.items()
        if record.primary_at is not None and record.retired_at is None and fingerprint != mine.desired.primary
    }
    return state.kind(kind, replace(mine.recorded(**changes), settled_at=now))


def due(mine: KindState, now: float) -> bool:
    return mine.asked or (mine.next_rotation is not None and now >= mine.next_rotation)


def promote(kind: Kind, mine: KindState, tokens: Tokens, now: float, new_key: NewKey) -> KindState:
    """The state after the staged key has become primary and another one is staged."""
    staged = mine.desired.staged
    assert staged is not None
    fresh = new_key()
    records = {staged: replace(mine.records[staged], primary_at=now), fresh: KeyRecord(now)}
    return replace(
        mine.recorded(**records),
        desired=mine.desired.promoted(fresh),
        promoted_at=now,
        settled_at=None,
        asked=False,
        migrated=kind != Kind.CREDENTIAL,
        next_rotation=schedule.next_rotation(kind, tokens, now),
    )


def purge(kind: Kind, mine: KindState, tokens: Tokens, now: float) -> KindState:
    """The same without keys nothing living was made with; itself when there are none."""
    numbers = gate.purgeable(kind, mine, tokens, now)
    return replace(mine, desired=mine.desired.without(numbers)) if numbers else mine


def replace_all(kind: Kind, mine: KindState, tokens: Tokens, now: float, new_key: NewKey) -> KindState:
    """All keys are compromised: a new primary and a new staged key, and no site may keep an old one.

    No gate: each site is switched as soon as it is reached.  Until the last one is, tokens of the new key
    are refused by those not yet reached; the old tokens are lost in any case.
    """
    primary, staged = new_key(), new_key()
    bad = {f: replace(r, compromised=True, retired_at=r.retired_at or now) for f, r in mine.records.items()}
    new = {primary: KeyRecord(now, primary_at=now), staged: KeyRecord(now)}
    return replace(
        mine.recorded(**bad, **new),
        desired=mine.desired.replaced(primary, staged),
        promoted_at=now,
        settled_at=None,
        asked=False,
        next_rotation=schedule.next_rotation(kind, tokens, now),
    )


def adopted(kind: Kind, repository: Repository, tokens: Tokens, now: float) -> KindState:
    """The state that begins with keys found at the sites.  Their age is unknown: they count from now on."""
    primary = repository.primary
    records = {
        f: KeyRecord(now, now if f != repository.staged else None, None if f in (primary, repository.staged) else now)
        for f in repository.fingerprints
    }  # fmt: skip
    return KindState(
        desired=repository,
        records=records,
        promoted_at=now,
        settled_at=now,
        next_rotation=schedule.next_rotation(kind, tokens, now),
        migrated=kind != Kind.CREDENTIAL,
    )
