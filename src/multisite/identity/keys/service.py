"""The key service: one pass reads all sites, brings them in sync, and takes the next step of a rotation.

A rotation is a state machine in the journal; a pass that is killed anywhere is simply made again:

    steady     desired keys at every site, the staged key (0) among them          gate: every site shows it, now
    promoted   journal: staged key -> highest number, a new one staged            sites get it, are read back
    settled    journal: every site confirmed; the old primary is retired          its tokens still live
    purged     journal: keys nothing living was made with are no longer desired   sites drop them

What is desired is in the journal before the first site hears of it; a key is in the vault before the journal names it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from multisite.domain.errors import Invalid, Unavailable
from multisite.identity.keys import fleet
from multisite.identity.keys.fernet import gate
from multisite.identity.keys.fernet import plan as fernet_plan
from multisite.identity.keys.fernet import site as fernet_site
from multisite.identity.keys.hook import run_program
from multisite.identity.keys.journal import Journal
from multisite.identity.keys.jws import plan as jws_plan
from multisite.identity.keys.jws import site as jws_site
from multisite.identity.keys.repository import Kind
from multisite.identity.keys.schedule import lifetime
from multisite.identity.keys.state import JwsSeen, JwsState, KindState, Seen, SiteState, State
from multisite.identity.keys.transport import access as transport
from multisite.identity.keys.transport.access import Connect, home_of
from multisite.identity.keys.transport.model import SiteFiles, SiteProblem
from multisite.identity.keys.vault import Vault
from multisite.identity.topology.model import IdentitySite, TokenProvider, Topology

LOG = logging.getLogger(__name__)
ROUNDS = 8
"""Reads in one pass at most: confirm, promote and purge take four; JWS: make, spread, sign, confirm."""


@dataclass(frozen=True)
class Settings:
    """``migrate``: a program that re-encrypts all credentials (`keystone-manage credential_migrate` somewhere)."""

    site_seconds: float = fleet.SITE_SECONDS
    parallel: int = fleet.PARALLEL
    migrate: tuple[str, ...] = ()


@dataclass(frozen=True)
class SiteKeys:
    """What a site holds."""

    kinds: Mapping[Kind, Seen]
    jws: jws_site.JwsContents | None = None


Answers = dict[str, SiteKeys | SiteProblem]


class KeyService:
    """``folder``: state, vault and locks.  ``now``: seconds since 1970."""

    def __init__(
        self, topology: Topology, folder: Path, *, connect: Connect = transport.connect,
        now: Callable[[], float] = time.time, settings: Settings | None = None,
    ) -> None:  # fmt: skip
        self.topology = topology
        self.sites = sites_with_keys(topology)
        self.names = [site.name for site in self.sites]
        self.kinds = kinds_of(topology)
        self.jws = topology.tokens.provider == TokenProvider.JWS
        self.settings = settings or Settings()
        self.now = now
        self.journal = Journal(folder)
        self.vault = Vault(folder / "vault")
        self.connect = connect

    def tick(self) -> State:
        """One pass; the state it ends with.  Raises Conflict when somebody else is at it for too long."""
        with self.journal.changing():
            return self.make_pass(self.journal.load())

    def make_pass(self, state: State) -> State:
        """The pass itself; whoever calls holds the journal's lock."""
        self._check_vault(state)
        may_sign: set[str] = set()
        for _ in range(ROUNDS):
            before = _desired(state)
            state, answers = self._synchronize(state, may_sign)
            state, may_sign = self._advance(state, answers)
            self.journal.save(state)
            if not may_sign and _desired(state) == before:
                break
        self.vault.forget_all_but(_keys(state))
        return state

    def check(self) -> State:
        """The remembered state with what the sites hold right now; it is not written."""
        return self.note(self.journal.load(), self.read_all())

    def read_all(self) -> Answers:
        """What the sites hold; nothing is changed anywhere."""
        return self._each(self._read)

    def lifetime(self) -> int:
        """Of a token, in seconds, with the window services have for expired ones."""
        return lifetime(Kind.TOKENS, self.topology.tokens)

    def _check_vault(self, state: State) -> None:
        self.vault.ready()
        wanted = _keys(state)
        if missing := self.vault.missing(wanted):
            raise Unavailable(
                f"vault: keys {', '.join(missing)} are missing or damaged; adopt them again from a site that is"
                " in sync: `multisite keys adopt --from <site>`"
            )
        self.vault.forget_all_but(wanted)

    def _synchronize(self, state: State, may_sign: set[str]) -> tuple[State, Answers]:
        """Bring every site that answers in sync, read it back, note what was seen."""

        async def work(site: IdentitySite, files: SiteFiles) -> SiteKeys:
            found = await self._read(site, files)
            kinds = {k: await self._install(state, site, files, k, seen) for k, seen in found.kinds.items()}
            jws = found.jws
            if jws is not None and state.jws is not None:
                noted = self._noted_jws(state.jws, site.name, jws)
                task = jws_plan.task(noted, site.name, self.lifetime(), self.now(), may_sign)
                jws = await jws_site.synchronize(files, home_of(site), task, jws, self.now)
            return SiteKeys(kinds, jws)

        answers = self._each(work)
        return self.note(state, answers), answers

    def note(self, state: State, answers: Answers) -> State:
        """What is remembered after reading the sites."""
        for name, answer in answers.items():
            state = self._noted(state, name, answer)
        return replace(self._emergency(state, answers), seen_at=self.now())

    async def _read(self, site: IdentitySite, files: SiteFiles) -> SiteKeys:
        home = home_of(site)
        seen = await asyncio.gather(*(fernet_site.read(files, home, kind, self.now) for kind in self.kinds))
        kinds = dict(zip(self.kinds, seen, strict=True))
        return SiteKeys(kinds, await jws_site.read(files, home, self.now) if self.jws else None)

    async def _install(
        self, state: State, site: IdentitySite, files: SiteFiles, kind: Kind, seen: Seen
    ) -> Seen:
        mine = state.kinds.get(kind)
        if mine is None:
            return seen
        known = None if state.site(site.name).repair else mine.records.keys()
        wanted, home = fernet_site.Wanted(mine.desired, known), home_of(site)
        return await fernet_site.synchronize(files, home, kind, wanted, seen, self.vault.get, self.now)

    def _each(self, work: Callable[[IdentitySite, SiteFiles], Awaitable[SiteKeys]]) -> Answers:
        seconds, parallel = self.settings.site_seconds, self.settings.parallel
        return asyncio.run(fleet.each(self.sites, self.connect, work, seconds=seconds, parallel=parallel))

    def _noted(self, state: State, name: str, answer: SiteKeys | SiteProblem) -> State:
        site, now = state.site(name), self.now()
        if isinstance(answer, SiteProblem):
            if site.error is None:
                LOG.warning("site %s cannot be asked: %s", name, answer)
            return state.with_site(name, replace(site, error=str(answer), away_since=site.away_since or now))
        if site.error is not None:
            LOG.info("site %s answers again", name)
        state = state.with_site(name, SiteState(answer.kinds, excluded_at=site.excluded_at))
        if answer.jws is None or state.jws is None:
            return state
        return replace(state, jws=self._noted_jws(state.jws, name, answer.jws))

    def _noted_jws(self, jws: JwsState, site: str, held: jws_site.JwsContents) -> JwsState:
        return jws_plan.noted(jws, site, held.seen, held.pems, self.lifetime(), self.now())

    def _emergency(self, state: State, answers: Answers) -> State:
        """Note which sites were seen to hold no compromised key any more."""
        emergency = state.emergency
        if emergency is None or emergency.ended_at is not None:
            return state
        done = dict(emergency.refused_at)
        for name, answer in answers.items():
            if name not in done and isinstance(answer, SiteKeys) and not _holds_compromised(state, answer):
                done[name] = self.now()
                LOG.info("site %s holds no compromised key any more", name)
        ended = max(done.values()) if done.keys() >= set(self.names) else None
        return replace(state, emergency=replace(emergency, refused_at=done, ended_at=ended))

    def _advance(self, state: State, answers: Answers) -> tuple[State, set[str]]:
        """Decide what comes next: the state with it, and the waiting JWS pairs that may sign now."""
        seen = {n: str(a) if isinstance(a, SiteProblem) else a.kinds for n, a in answers.items()}
        for kind in state.kinds:
            state = self._advance_kind(
                kind, fernet_plan.settle(kind, state, seen, self.names, self.now()), seen
            )
        if state.jws is None:
            return state, set()
        return self._advance_jws(state, state.jws, answers)

    def _advance_kind(self, kind: Kind, state: State, seen: fernet_plan.Observed) -> State:
        mine, now, tokens = state.kinds[kind], self.now(), self.topology.tokens
        if mine.settled_at is None:
            return state
        purged = fernet_plan.purge(kind, mine, tokens, now)
        if purged is not mine:
            gone = mine.desired.fingerprints - purged.desired.fingerprints
            text = f"{kind}: purging {', '.join(sorted(gone))}: nothing made with them lives"
            return self._log(state.kind(kind, replace(purged, settled_at=None)), text)
        if not mine.migrated and self.settings.migrate:
            return state.kind(kind, self._migrated(mine))
        if not fernet_plan.due(mine, now) or gate.refusals(kind, state, seen, self.names):
            return state
        promoted = fernet_plan.promote(kind, mine, tokens, now, self.vault.new)
        text = f"{kind}: {promoted.desired.primary} becomes primary, {promoted.desired.staged} is staged"
        return self._log(state.kind(kind, promoted), text)

    def _migrated(self, mine: KindState) -> KindState:
        failed = run_program(self.settings.migrate)
        if failed:
            LOG.error("credentials could not be migrated: %s", failed)
            return mine
        LOG.info("credentials are migrated to key %s", mine.desired.primary)
        return replace(mine, migrated=True)

    def _advance_jws(self, state: State, jws: JwsState, answers: Answers) -> tuple[State, set[str]]:
        now = self.now()
        seen: dict[str, JwsSeen | str] = {
            n: a.jws.seen if isinstance(a, SiteKeys) and a.jws else str(a) for n, a in answers.items()
        }
        counting = [n for n in self.names if n not in state.excluded]
        may_sign = jws_plan.confirmed(jws, seen, counting, held=bool(state.held))
        if not jws.rotating and (jws.asked or (jws.next_rotation is not None and now >= jws.next_rotation)):
            interval = self.topology.tokens.rotation_interval
            jws = replace(jws, rotating=tuple(counting), asked=False, next_rotation=now + interval)
            state = self._log(replace(state, jws=jws), f"jws: new pairs for {', '.join(counting)}")
        return state, may_sign

    def _log(self, state: State, text: str) -> State:
        LOG.info("%s", text)
        return state.with_event(self.now(), text)


def _keys(state: State) -> set[str]:
    """Fingerprints of the keys that have to be in the vault."""
    return {f for kind in state.kinds.values() for f in kind.desired.fingerprints}


def _desired(state: State) -> object:
    """What decides whether sites have to be visited again."""
    jws = state.jws
    return [k.desired for k in state.kinds.values()], jws and (jws.rotating, jws.pairs)


def _holds_compromised(state: State, look: SiteKeys) -> bool:
    bad = {f for kind in state.kinds.values() for f, r in kind.records.items() if r.compromised}
    held = {f for seen in look.kinds.values() for f in seen.repository.fingerprints}
    if state.jws is not None and look.jws is not None:
        bad |= {p.fingerprint for pairs in state.jws.pairs.values() for p in pairs if p.compromised}
        held |= set(look.jws.seen.public.values())
        held |= {look.jws.seen.signing} if look.jws.seen.signing else set()
    return bool(bad & held)


def sites_with_keys(topology: Topology) -> list[IdentitySite]:
    """Sites with a Keystone; Invalid when their owners differ."""
    sites = [site for site in topology.sites if site.keys is not None]
    owners = {site.owner for site in sites}
    if len(owners) > 1:
        raise Invalid(
            f"sites: owned by {', '.join(sorted(o or 'nobody' for o in owners))}; sites of different owners share no"
            " keys: federate them, or run one key service for each owner"
        )
    if not sites:
        raise Invalid("sites: none of them has keys: say where each site's Keystone keeps them")
    return sites


def kinds_of(topology: Topology) -> tuple[Kind, ...]:
    """The Fernet repositories to look after: tokens only with that provider, receipts only when apart from them."""
    homes = [home_of(site) for site in sites_with_keys(topology)]
    shared = {fernet_site.folder_of(h, Kind.TOKENS) == fernet_site.folder_of(h, Kind.RECEIPTS) for h in homes}
    if len(shared) > 1:
        raise Invalid(
            "keys.fernet_receipts: the same folder as fernet_tokens at some sites only; make them agree"
        )
    kinds = [Kind.TOKENS] if topology.tokens.provider == TokenProvider.FERNET else []
    if not kinds or not shared.pop():
        kinds.append(Kind.RECEIPTS)
    kinds += [Kind.CREDENTIAL] if all(h.credential for h in homes) else []
    return tuple(kinds)
