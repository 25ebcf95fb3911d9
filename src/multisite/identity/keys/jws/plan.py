"""JWS key pairs: each made at its site and never leaving it; only public halves travel.  Pure.

A pair's life: made at its site (``private folder/.multisite/next.pem``) -> its public half at every site ->
confirmed by all that count -> it signs -> the pair before it is kept until its last token has ended.

Public files are overwritten rather than removed: Keystone lists the folder and then opens every name it saw
(keystone/token/providers/jws/core.py), and a name that is gone by then fails a validation.  So a file whose pair has
ended gets the site's signing key once more, until the next pair takes the name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from multisite.identity.keys.state import JwsSeen, JwsState, Pair

PublicFiles = Mapping[str, Pair]


@dataclass(frozen=True)
class Task:
    """What to do at a site.  ``public``: the files that should be there; ``known``: fingerprints that may go.

    ``sign_with``: fingerprint of the waiting pair that may begin to sign; ``make``: a new pair is wanted;
    ``discard``: waiting pairs that are compromised.
    """

    public: PublicFiles
    known: Collection[str]
    sign_with: str | None = None
    make: bool = False
    discard: Collection[str] = ()


def lives(pair: Pair, life: int, now: float) -> bool:
    """Whether a token signed with it may have to be accepted."""
    return not pair.compromised and (pair.retired_at is None or pair.retired_at + life > now)


def signing(pairs: Collection[Pair]) -> Pair | None:
    found = [p for p in pairs if p.signing_at is not None and p.retired_at is None and not p.compromised]
    return found[-1] if found else None


def waiting(pairs: Collection[Pair]) -> Pair | None:
    found = [p for p in pairs if p.signing_at is None and p.retired_at is None and not p.compromised]
    return found[-1] if found else None


def public_files(state: JwsState, life: int, now: float) -> dict[str, Pair]:
    """What every site's public folder should hold, by file name."""
    files: dict[str, Pair] = {}
    for pairs in state.pairs.values():
        stand_in = signing(pairs) or waiting(pairs)
        for pair in pairs:
            if lives(pair, life, now):
                files[pair.name] = pair
            elif stand_in is not None:
                files.setdefault(pair.name, stand_in)
    return files


def task(state: JwsState, site: str, life: int, now: float, may_sign: Collection[str]) -> Task:
    pairs = state.pairs.get(site, ())
    wait = waiting(pairs)
    return Task(
        public=public_files(state, life, now),
        known=[p.fingerprint for all_ in state.pairs.values() for p in all_],
        sign_with=wait.fingerprint if wait and wait.fingerprint in may_sign else None,
        make=site in state.rotating and wait is None,
        discard=[p.fingerprint for p in pairs if p.compromised],
    )


def confirmed(
    state: JwsState, seen: Mapping[str, JwsSeen | str], sites: Collection[str], *, held: bool = False
) -> set[str]:
    """Waiting pairs whose public half every one of ``sites`` was seen to hold in this pass; none while ``held``.

    A site whose pairs are compromised waits for nobody: its tokens are refused in any case.
    """
    found = set()
    for pairs in state.pairs.values():
        pair = waiting(pairs)
        if pair is None:
            continue
        urgent = signing(pairs) is None and any(p.compromised for p in pairs)
        if urgent or (not held and all(_holds(seen.get(name, ""), pair.fingerprint) for name in sites)):
            found.add(pair.fingerprint)
    return found


def _holds(answer: JwsSeen | str, fingerprint: str) -> bool:
    return not isinstance(answer, str) and fingerprint in answer.public.values()


def noted(
    state: JwsState, site: str, seen: JwsSeen, pems: Mapping[str, str], life: int, now: float
) -> JwsState:
    """The state after reading a site: pairs it made, a pair that signs now."""
    pairs = list(state.pairs.get(site, ()))
    known = {p.fingerprint for p in pairs}
    for fingerprint in (seen.waiting, seen.signing):
        if fingerprint and fingerprint not in known and fingerprint in pems:
            pairs = _added(pairs, site, fingerprint, pems[fingerprint], life, now)
    rotating = state.rotating
    fresh = next((p for p in pairs if p.fingerprint == seen.signing and p.signing_at is None), None)
    if fresh is not None:
        pairs = [_after(p, fresh, now) for p in pairs]
        rotating = tuple(name for name in rotating if name != site)
    seen_by = {**state.seen, site: seen}
    return replace(state, pairs={**state.pairs, site: tuple(pairs)}, seen=seen_by, rotating=rotating)


def _after(pair: Pair, fresh: Pair, now: float) -> Pair:
    if pair is fresh:
        return replace(pair, signing_at=now)
    return pair if pair.retired_at is not None else replace(pair, retired_at=now)


def _added(pairs: list[Pair], site: str, fingerprint: str, pem: str, life: int, now: float) -> list[Pair]:
    """With a new pair, under the file name of one that has ended, or a new name."""
    ended = next((p for p in pairs if not lives(p, life, now) and not p.compromised), None)
    names = {p.name for p in pairs}
    free = next(f"{site}-{n}.pem" for n in range(len(pairs) + 1) if f"{site}-{n}.pem" not in names)
    fresh = Pair(fingerprint, pem, ended.name if ended else free, now)
    return [*(p for p in pairs if p is not ended), fresh]


def compromised(state: JwsState, site: str, now: float) -> JwsState:
    """All of a site's pairs are compromised: accept none of them anywhere, make a new one at once."""
    pairs = tuple(
        replace(p, compromised=True, retired_at=p.retired_at or now) for p in state.pairs.get(site, ())
    )
    rotating = tuple(sorted({*state.rotating, site}))
    return replace(state, pairs={**state.pairs, site: pairs}, rotating=rotating)
