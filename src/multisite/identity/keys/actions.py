"""What an operator may ask of the key service.  Each order is in the journal before it has an effect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.identity.fields import is_line
from multisite.identity.keys.fernet import plan as fernet_plan
from multisite.identity.keys.fernet import site as fernet_site
from multisite.identity.keys.jws import plan as jws_plan
from multisite.identity.keys.repository import Key, Kind, Repository
from multisite.identity.keys.service import Answers, KeyService, SiteKeys
from multisite.identity.keys.state import Emergency, JwsState, State
from multisite.identity.keys.transport.access import home_of
from multisite.identity.keys.transport.model import SiteProblem

JWS = "jws"


def rotate(service: KeyService, kinds: Collection[str]) -> State:
    """Rotate as soon as the gate is open, whatever the schedule says; one pass is made at once."""
    with service.journal.changing():
        state = service.journal.load()
        for kind in _fernet(service, kinds):
            state = state.kind(kind, replace(state.kinds[kind], asked=True))
        if JWS in kinds and state.jws is not None:
            state = replace(state, jws=replace(state.jws, asked=True))
        text = f"an operator asks for a rotation of {', '.join(sorted(kinds))}"
        state = state.with_event(service.now(), text)
        service.journal.save(state)
        return service.make_pass(state)


def hold(service: KeyService, reason: str) -> State:
    """No key is promoted until ``release``; sites are still brought in sync."""
    if not reason.strip():
        raise Invalid("reason: empty; say why rotations are held, for whoever finds them so")
    if not is_line(reason):
        raise Invalid(f"reason: {reason!r:.100} is not one line of at most 255 characters: shorten it")
    return _decide(service, lambda s: replace(s, held=reason), f"rotations are held: {reason}")


def release(service: KeyService) -> State:
    return _decide(service, lambda s: replace(s, held=""), "rotations go on")


def exclude(service: KeyService, site: str) -> State:
    """Rotations no longer wait for this site; see ``alarms.consequences``."""
    known(service, site)

    def change(state: State) -> State:
        if len(state.excluded | {site}) == len(service.names):
            raise Conflict(f"{site}: is the last site that counts; a rotation needs one")
        return state.with_site(site, replace(state.site(site), excluded_at=service.now()))

    return _decide(service, change, f"rotations go on without site {site}")


def include(service: KeyService, site: str) -> State:
    known(service, site)
    return _decide_site(service, site, f"site {site} counts again", excluded_at=None)


def repair(service: KeyService, site: str) -> State:
    """Let the site's foreign keys be overwritten at the next pass: tokens made with them are refused then."""
    known(service, site)
    _decide_site(service, site, f"foreign keys at site {site} may be overwritten", repair=True)
    return service.tick()


def migrated(service: KeyService) -> State:
    """The operator says that all credentials are encrypted with the primary key."""

    def change(state: State) -> State:
        mine = state.kinds.get(Kind.CREDENTIAL)
        if mine is None:
            raise NotFound("credential: no site has a credential repository")
        if mine.settled_at is None:
            raise Conflict("credential: not every site has the primary key yet; migrate when they have")
        return state.kind(Kind.CREDENTIAL, replace(mine, migrated=True))

    return _decide(service, change, "credentials are migrated, says an operator")


def replace_compromised(
    service: KeyService, kinds: Collection[str], jws_sites: Collection[str] = ()
) -> State:
    """Replace compromised keys, everywhere and at once, without the gate.

    Every token made with them is refused from then on: users log in again.  Sites that cannot be reached are
    switched as soon as they answer; until then they accept the old keys.
    """
    fernet = _fernet(service, kinds)
    if Kind.CREDENTIAL in fernet:
        raise Invalid(
            "credential: stored credentials are encrypted with it and would be lost; rotate, migrate, rotate and"
            " migrate instead, then change the credentials themselves"
        )
    for site in jws_sites:
        known(service, site)
    with service.journal.changing():
        state, now = service.journal.load(), service.now()
        for kind in fernet:
            new = fernet_plan.replace_all(
                kind, state.kinds[kind], service.topology.tokens, now, service.vault.new
            )
            state = state.kind(kind, new)
        for site in jws_sites:
            if state.jws is None:
                raise Invalid("jws: the sites' token provider is not jws")
            state = replace(state, jws=jws_plan.compromised(state.jws, site, now))
        what = ", ".join([*fernet, *(f"the pair of {site}" for site in jws_sites)])
        state = replace(state, emergency=Emergency(now, tuple(fernet))).with_event(
            now, f"compromised, replaced: {what}"
        )
        service.journal.save(state)
        return service.make_pass(state)


def replace_preview(service: KeyService, kinds: Collection[str], jws_sites: Collection[str]) -> list[str]:
    """What replacing compromised keys means, in words."""
    state = service.journal.load()
    lines = [f"{kind}: all {len(state.kinds[kind].desired.keys)} keys go" for kind in _fernet(service, kinds)]
    lines += [f"jws: the pair of {site} goes, its tokens with it" for site in jws_sites]
    lines.append("Every token made with them is refused: all users and services log in again.")
    away = [name for name in service.names if state.site(name).error is not None]
    lines += [
        f"{n} could not be asked the last time ({state.site(n).error}): it accepts the old keys until it can"
        for n in away
    ]
    lines.append(
        f"Caches accept tokens they have seen for up to {service.topology.revocation_bound} s longer"
        f" (Keystone {service.topology.cache_time} s, services {service.topology.token_cache_time} s)."
    )
    return lines


def adopt(service: KeyService, *, source: str = "", create: bool = False) -> State:
    """Take over the repositories the sites have.

    They have to be the same everywhere; else ``source`` names the site whose keys count, ``create`` makes new ones
    where no site has any.  Raises Conflict, with what each site has, when that decision is missing.
    """
    if source:
        known(service, source)
    with service.journal.changing():
        service.vault.ready()
        if service.journal.exists() and not source:
            raise Conflict(
                f"{service.journal.folder}: has taken over these sites already; `adopt --from <site>` begins anew with"
                " the keys of one of them"
            )
        answers = service.read_all()
        chosen = {kind: _choose(kind, answers, source, create) for kind in service.kinds}
        keys = _keys_of(service, chosen, source)
        state, now = State(), service.now()
        for kind, repository in chosen.items():
            if repository is None:
                staged, primary = service.vault.new(), service.vault.new()
                repository = Repository({0: staged, 1: primary})
            for key in keys.get(kind, ()):
                service.vault.keep(key)
            taken = fernet_plan.adopted(kind, repository, service.topology.tokens, now)
            state = state.kind(kind, taken)
        if service.jws:
            state = replace(state, jws=_adopted_jws(service, answers, now))
        state = state.with_event(now, f"adopted the keys of {source or 'all sites'}")
        if source:
            for name in service.names:
                state = state.with_site(name, replace(state.site(name), repair=True))
        service.journal.save(state)
        return service.make_pass(state)


def _choose(kind: Kind, answers: Answers, source: str, create: bool) -> Repository | None:
    """The repository to begin with; None: make one."""
    problems = [f"{n}: unknown: {a}" for n, a in answers.items() if isinstance(a, SiteProblem)]
    has = {n: a.kinds[kind].repository for n, a in answers.items() if isinstance(a, SiteKeys)}
    _refuse_flaws(kind, answers, source)
    if source:
        if source not in has:
            raise Conflict(f"{source}: cannot be asked: {answers[source]}")
        return _whole(kind, source, has[source])
    if problems:
        raise Conflict(f"{kind}: a site that is away may hold other keys: {'; '.join(problems)}")
    different = {str(r) for r in has.values() if r.keys}
    if not different:
        if not create:
            raise Conflict(f"{kind}: no site has any keys; `adopt --create` makes the first ones")
        return None
    if len(different) > 1:
        what = "; ".join(f"{n} has {r}" for n, r in sorted(has.items()))
        raise Conflict(
            f"{kind}: the sites differ: {what}. Choose whose keys count: `adopt --from <site>`; tokens made with keys"
            " only others have are refused from then on"
        )
    first = next(n for n, r in sorted(has.items()) if r.keys)
    return _whole(kind, first, has[first])


def _refuse_flaws(kind: Kind, answers: Answers, source: str) -> None:
    """Keys that Keystone cannot use are not spread over all sites, nor over those that have good ones."""
    for name, answer in answers.items():
        if isinstance(answer, SiteKeys) and source in ("", name) and answer.kinds[kind].flaws:
            raise Conflict(
                f"{kind}: {name}: {'; '.join(answer.kinds[kind].flaws)}. Make new ones there (`keystone-manage "
                "fernet_setup` or `credential_setup`), or take those of another site: `adopt --from <site>`"
            )


def _whole(kind: Kind, site: str, repository: Repository) -> Repository:
    if repository.staged is None or len(repository.keys) < 2:
        raise Conflict(
            f"{kind}: {site} has {repository}; a repository needs a staged key (0) and a primary:"
            " `keystone-manage fernet_setup` or `credential_setup` makes them"
        )
    return repository


def _keys_of(
    service: KeyService, chosen: Mapping[Kind, Repository | None], source: str
) -> dict[Kind, list[Key]]:
    """The keys themselves, from the first site that has them all."""
    found: dict[Kind, list[Key]] = {}

    async def fetch() -> None:
        for site in service.sites:
            if source not in ("", site.name) or all(kind in found for kind, r in chosen.items() if r):
                continue
            home = home_of(site)
            async with service.connect(site) as files:
                for kind, repository in chosen.items():
                    if repository is None or kind in found:
                        continue
                    folder = fernet_site.folder_of(home, kind)
                    present = await files.names(folder) or {}
                    if all(str(number) in present for number in repository.keys):
                        found[kind] = [Key(await files.read(f"{folder}/{n}")) for n in repository.keys]

    try:
        asyncio.run(asyncio.wait_for(fetch(), service.settings.site_seconds * 2))
    except (SiteProblem, TimeoutError) as error:
        raise Conflict(f"the keys could not be read: {error or 'no answer in time'}; try again") from None
    for kind, repository in chosen.items():
        if repository and {k.fingerprint for k in found.get(kind, ())} != repository.fingerprints:
            raise Conflict(f"{kind}: changed while it was read; try again")
    return found


def _adopted_jws(service: KeyService, answers: Answers, now: float) -> JwsState:
    """The pairs that sign now; sites without one get theirs in a first round."""
    jws = JwsState(next_rotation=now + service.topology.tokens.rotation_interval)
    for name, answer in answers.items():
        if isinstance(answer, SiteKeys) and answer.jws is not None:
            jws = jws_plan.noted(jws, name, answer.jws.seen, answer.jws.pems, service.lifetime(), now)
    without = [name for name in service.names if jws_plan.signing(jws.pairs.get(name, ())) is None]
    return replace(jws, rotating=tuple(without))


def _decide_site(service: KeyService, site: str, text: str, **fields: Any) -> State:
    return _decide(service, lambda s: s.with_site(site, replace(s.site(site), **fields)), text)


def _decide(service: KeyService, change: Callable[[State], State], text: str) -> State:
    with service.journal.changing():
        state = change(service.journal.load()).with_event(service.now(), text)
        service.journal.save(state)
        return state


def known(service: KeyService, site: str) -> None:
    if site not in service.names:
        raise NotFound(f"{site}: no such site with keys; there are {', '.join(service.names)}")


def _fernet(service: KeyService, kinds: Collection[str]) -> list[Kind]:
    found = []
    for kind in kinds:
        if kind == JWS and service.jws:
            continue
        if kind not in service.kinds:
            there = ", ".join([*service.kinds, *([JWS] if service.jws else [])])
            raise NotFound(f"{kind}: these sites have no such keys; there are {there}")
        found.append(Kind(kind))
    return found
