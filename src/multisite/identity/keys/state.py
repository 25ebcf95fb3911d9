"""What the key service remembers: fingerprints, times, decisions.  Never a key.  Times are seconds since 1970.

It is one JSON document of a few kB: one process writes it, it is replaced whole, and an operator can read it with
``cat`` on the day when every database is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from multisite.identity.keys.repository import Kind, Repository

VERSION = 1


@dataclass(frozen=True)
class KeyRecord:
    """``retired_at``: when the last site confirmed that another key is primary; nothing is made with it since.

    ``compromised``: it must be accepted nowhere, however young the tokens.
    """

    made_at: float
    primary_at: float | None = None
    retired_at: float | None = None
    compromised: bool = False


@dataclass(frozen=True)
class Seen:
    """What a site held when it was last read.  ``unfit``: numbers with a wrong owner or mode.

    In words: ``flaws``, keys that Keystone cannot use; ``closed``, what its user cannot open.
    """

    at: float
    repository: Repository
    unfit: tuple[int, ...] = ()
    flaws: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the site's Keystone cannot use what is there."""
        return (*self.flaws, *self.closed)


@dataclass(frozen=True)
class KindState:
    """One repository, the same for all sites.

    ``settled_at``: when every site that counts had confirmed ``desired``; None while a distribution is on.
    ``records``: of every key there ever was, also purged ones.  ``asked``: an operator wants a rotation as
    soon as the gate is open.  ``migrated``: all credentials are encrypted with the primary (CREDENTIAL only).
    """

    desired: Repository
    records: Mapping[str, KeyRecord] = field(default_factory=dict)
    promoted_at: float | None = None
    settled_at: float | None = None
    next_rotation: float | None = None
    asked: bool = False
    migrated: bool = True

    def recorded(self, **changes: KeyRecord) -> KindState:
        return replace(self, records={**self.records, **changes})


@dataclass(frozen=True)
class SiteState:
    """``error``: why it could not be asked the last time, since ``away_since``; None when it could.

    ``excluded_at``: the operator's decision to go on without it.
    """

    seen: Mapping[Kind, Seen] = field(default_factory=dict)
    error: str | None = None
    away_since: float | None = None
    excluded_at: float | None = None
    repair: bool = False
    """The operator lets foreign keys be overwritten, once."""


@dataclass(frozen=True)
class Emergency:
    """A replacement of compromised keys.  ``refused_at``: by site, when it was seen to hold none of them."""

    started_at: float
    kinds: tuple[Kind, ...]
    refused_at: Mapping[str, float] = field(default_factory=dict)
    ended_at: float | None = None


@dataclass(frozen=True)
class Pair:
    """A JWS key pair made at a site.  ``name``: of its public file everywhere; ``pem``: the public half.

    ``signing_at``: when it began to sign; ``retired_at``: when its successor was confirmed to sign.
    """

    fingerprint: str
    pem: str
    name: str
    made_at: float
    signing_at: float | None = None
    retired_at: float | None = None
    compromised: bool = False


@dataclass(frozen=True)
class JwsSeen:
    """``public``: fingerprint by file name; ``signing``, ``waiting``: of the pairs in the private folder."""

    at: float
    public: Mapping[str, str] = field(default_factory=dict)
    signing: str | None = None
    waiting: str | None = None


@dataclass(frozen=True)
class JwsState:
    """``pairs``: by site, oldest first.  ``rotating``: a round is on: new pairs wait for their gate."""

    pairs: Mapping[str, tuple[Pair, ...]] = field(default_factory=dict)
    seen: Mapping[str, JwsSeen] = field(default_factory=dict)
    rotating: tuple[str, ...] = ()
    next_rotation: float | None = None
    asked: bool = False


@dataclass(frozen=True)
class Event:
    at: float
    text: str


@dataclass(frozen=True)
class State:
    """``held``: the operator stopped all promotions.  ``seen_at``: when all sites were read last."""

    version: int = VERSION
    kinds: Mapping[Kind, KindState] = field(default_factory=dict)
    sites: Mapping[str, SiteState] = field(default_factory=dict)
    jws: JwsState | None = None
    held: str = ""
    emergency: Emergency | None = None
    seen_at: float | None = None
    events: tuple[Event, ...] = ()

    def kind(self, kind: Kind, changed: KindState) -> State:
        return replace(self, kinds={**self.kinds, kind: changed})

    def site(self, name: str) -> SiteState:
        return self.sites.get(name, SiteState())

    def with_site(self, name: str, changed: SiteState) -> State:
        return replace(self, sites={**self.sites, name: changed})

    def with_event(self, at: float, text: str, keep: int = 200) -> State:
        """One more event; the log has them all, this is for ``status``."""
        return replace(self, events=(*self.events, Event(at, text))[-keep:])

    @property
    def excluded(self) -> frozenset[str]:
        return frozenset(name for name, site in self.sites.items() if site.excluded_at is not None)
