"""All ordered pairs of sites: issue at one, validate at a service of the other, revoke, and measure."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from multisite.domain.errors import MultisiteError
from multisite.identity.proof.keystone import Keystone, Login
from multisite.identity.proof.report import Lag, Pair, Report
from multisite.identity.proof.service import Service, Verdict
from multisite.identity.topology.model import IdentitySite, Role, Topology

CANARY = "multisite-proof-"
"""How the names of the projects begin that measure replication."""
THREADS = 16
POLL = 0.05
SLACK = 1.0
"""Seconds beside the cache times: replication, the poll, a busy Keystone."""
PATIENCE = 10.0
"""Seconds to wait for a write to arrive, and beyond the bound for a revocation."""

Progress = Callable[[str], None]


def verify(
    topology: Topology,
    login: Login,
    progress: Progress = lambda _: None,
    *,
    by_region: bool = True,
) -> Report:
    """Try everything; what fails is in the report.  ``by_region`` off is the negative control.

    Leaves nothing behind, and removes what a killed run left.
    """
    proof = _Proof(topology, login, by_region)
    with ThreadPoolExecutor(THREADS, "proof") as pool:
        progress(f"writing through {topology.entry}, reading at {len(proof.keystones)} sites")
        lags = proof.lags(pool)
        pairs: list[Pair] = []
        for site in proof.issuers:
            progress(f"a token of {site.name} at {len(topology.sites)} sites: validate, revoke, wait")
            pairs += proof.pairs_of(site, pool)
    return Report(topology.name, topology.revocation_bound + SLACK, tuple(pairs), tuple(lags))


@dataclass
class _Proof:
    topology: Topology
    login: Login
    by_region: bool

    def __post_init__(self) -> None:
        self.issuers = [site for site in self.topology.sites if site.role != Role.CLIENT]
        self.keystones = {site.name: Keystone(site.name, site.url, self.login) for site in self.issuers}
        self.entry = Keystone("entry", self.topology.entry, self.login)

    def lags(self, pool: ThreadPoolExecutor) -> list[Lag]:
        try:
            token = self.entry.issue()
            for project, name in self.entry.projects(token).items():
                if name.startswith(CANARY):
                    self.entry.delete_project(token, project)
            name = CANARY + uuid.uuid4().hex
            made = self.entry.create_project(token, name)
        except MultisiteError as error:
            return [Lag(name, None, str(error)) for name in self.keystones]
        written = time.monotonic()
        try:
            return list(pool.map(partial(_lag, token, name, written), self.keystones.values()))
        finally:
            with suppress(MultisiteError):  # the next run removes it
                self.entry.delete_project(token, made)

    def pairs_of(self, issued: IdentitySite, pool: ThreadPoolExecutor) -> list[Pair]:
        """Each site's service is new: nothing is cached in it."""
        sites = self.topology.sites
        try:
            token = self.keystones[issued.name].issue()
        except MultisiteError as error:
            return [_nothing(issued.name, site.name, str(error)) for site in sites]
        tried = list(pool.map(partial(self._try, issued.name, token), sites))
        begun = time.monotonic()
        try:
            self.keystones[issued.name].revoke(token)
        except MultisiteError as error:
            return [replace(pair, trouble=str(error)) for _, pair in tried]
        revoked = time.monotonic()
        until = revoked + self.topology.revocation_bound + SLACK + PATIENCE
        waits = [pool.submit(_refused, service, token, begun, until) for service, _ in tried]
        return [
            replace(pair, refused_after=wait.result()) if pair.verdict == Verdict.TAKEN else pair
            for (_, pair), wait in zip(tried, waits, strict=True)
        ]

    def _try(self, issued: str, token: str, site: IdentitySite) -> tuple[Service | None, Pair]:
        try:
            service = Service(self.topology, site, self.login, by_region=self.by_region)
            begun = time.monotonic()
            verdict = service.judge(token)
        except Exception as error:  # the middleware's own, of any kind: this pair is not known
            return None, _nothing(issued, site.name, f"{type(error).__name__}: {error}")
        seconds = time.monotonic() - begun
        asked = service.validated
        local = bool(asked) and set(asked) == {self._address(site)}
        return service, Pair(issued, site.name, verdict, asked, local, seconds, None)

    def _address(self, site: IdentitySite) -> str:
        """Where the validations of a site's services belong: its own Keystone, or a client site's provider."""
        return f"{site.address}:{site.port}"


def _nothing(issued: str, used: str, trouble: str) -> Pair:
    return Pair(issued, used, Verdict.UNKNOWN, {}, False, None, None, trouble)


def _lag(token: str, name: str, written: float, keystone: Keystone) -> Lag:
    try:
        seen = _poll(lambda: bool(keystone.projects(token, name)), written + PATIENCE)
    except MultisiteError as error:
        return Lag(keystone.site, None, str(error))
    return Lag(keystone.site, None if seen is None else seen - written)


def _refused(service: Service | None, token: str, since: float, until: float) -> float | None:
    if service is None:
        return None
    seen = _poll(lambda: service.judge(token) == Verdict.REFUSED, until)
    return None if seen is None else seen - since


def _poll(done: Callable[[], bool], until: float) -> float | None:
    """The moment it was seen, None when it was not until then."""
    while not done():
        if time.monotonic() > until:
            return None
        time.sleep(POLL)
    return time.monotonic()
