"""May a staged key become primary, and what would become of a site that is away: pure.

The rule: a key signs nothing before every site that counts has shown, in this very pass, that it holds it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from multisite.identity.keys.repository import Kind, Repository
from multisite.identity.keys.schedule import key_count, lifetime
from multisite.identity.keys.state import KindState, Seen, State
from multisite.identity.topology.model import Tokens


@dataclass(frozen=True)
class Refusal:
    """``site``: "" when it is nobody's fault."""

    site: str
    reason: str


def refusals(
    kind: Kind, state: State, observed: Mapping[str, Mapping[Kind, Seen] | str], sites: Collection[str]
) -> list[Refusal]:
    """Why the staged key may not be promoted now; empty: it may.

    ``observed``: by site, what this pass read, or why it read nothing.
    """
    mine = state.kinds[kind]
    found = [Refusal("", f"held by the operator: {state.held}")] if state.held else []
    if mine.desired.staged is None:
        found.append(Refusal("", "there is no staged key"))
    if kind == Kind.CREDENTIAL and not mine.migrated:
        found.append(Refusal("", "credentials are not known to be migrated to the primary key"))
    for name in sorted(set(sites) - state.excluded):
        answer = observed.get(name, "was not asked")
        if isinstance(answer, str):
            found.append(Refusal(name, f"unknown: {answer}"))
        elif (seen := answer.get(kind)) is not None and seen.problems:
            found.append(Refusal(name, f"its Keystone cannot use them: {'; '.join(seen.problems)}"))
        elif not in_sync(mine.desired, answer.get(kind)):
            found.append(Refusal(name, "does not hold the desired keys"))
    return found


def in_sync(desired: Repository, seen: Seen | None) -> bool:
    same = seen is not None and dict(seen.repository.keys) == dict(desired.keys)
    return seen is not None and same and not (seen.unfit or seen.problems)


def purgeable(kind: Kind, mine: KindState, tokens: Tokens, now: float, count: int | None = None) -> list[int]:
    """Numbers that may go, lowest first: more than ``count`` are there, and nothing made with them lives.

    Credential keys go by number alone, as in Keystone: a promotion needs all credentials migrated.
    """
    allowed = key_count(kind, tokens) if count is None else count
    numbers = sorted(n for n in mine.desired.keys if n)
    excess = numbers[: max(0, len(numbers) + 1 - allowed)]
    return [n for n in excess if _dead(kind, mine, mine.desired.keys[n], lifetime(kind, tokens), now)]


def _dead(kind: Kind, mine: KindState, fingerprint: str, life: int, now: float) -> bool:
    if kind == Kind.CREDENTIAL:
        return mine.settled_at is not None
    record = mine.records.get(fingerprint)
    return record is not None and record.retired_at is not None and record.retired_at + life <= now


@dataclass(frozen=True)
class Forecast:
    """What an absent site would suffer if rotations went on without it (it is excluded, or would be).

    ``others_fail_here_at``: tokens issued elsewhere are refused there from then on; ``own_fail_elsewhere_at``: tokens
    it issues are refused elsewhere from then on; None: not within ``horizon`` promotions.  With rotations held
    neither happens that is not in the past already: Fernet keys do not end by themselves.
    """

    others_fail_here_at: float | None
    own_fail_elsewhere_at: float | None


def forecast(
    kind: Kind, mine: KindState, has: Repository | None, tokens: Tokens, now: float, horizon: int = 1000
) -> Forecast:
    """``has``: what the site held when it was last read; None: never read, so it may fail at any moment."""
    if has is None or has.primary is None:
        return Forecast(now, now)
    others: float | None = None
    own: float | None = None
    for at, primary, accepted in _future(kind, mine, tokens, now, horizon):
        if others is None and primary not in has.fingerprints:
            others = at
        if own is None and has.primary not in accepted:
            own = at
        if others is not None and own is not None:
            break
    return Forecast(others, own)


def _future(
    kind: Kind, mine: KindState, tokens: Tokens, now: float, horizon: int
) -> Iterable[tuple[float, str | None, frozenset[str]]]:
    """The repository now and after each promotion to come: when, its primary, all it accepts."""
    life, count = lifetime(kind, tokens), key_count(kind, tokens)
    numbered = [mine.desired.keys[n] for n in sorted(n for n in mine.desired.keys if n)]
    staged = mine.desired.staged
    yield (mine.promoted_at or now, mine.desired.primary, mine.desired.fingerprints)
    if mine.next_rotation is None or staged is None:
        return
    retired = {f: r.retired_at for f, r in mine.records.items() if r.retired_at is not None}
    at = max(now, mine.next_rotation)
    for index in range(horizon):
        if numbered:
            retired.setdefault(numbered[-1], at)
        numbered.append(staged)
        staged = f"a key of promotion {index + 2}"
        while len(numbered) + 1 > count and retired.get(numbered[0], at) + life <= at:
            numbered.pop(0)
        yield (at, numbered[-1], frozenset((*numbered, staged)))
        at += tokens.rotation_interval
