"""All ordered pairs of sites: issue at one, validate at a service of the other, revoke, and measure."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from multisite.clouds.ask import ask_all
from multisite.domain.errors import MultisiteError
from multisite.identity.proof.keystone import Keystone, Login
from multisite.identity.proof.report import Lag, Pair, Report
from multisite.identity.proof.service import Service, Verdict
from multisite.identity.topology.model import Role, Topology

CANARY = "multisite-proof-"
"""How the names of the projects begin that measure replication."""
POLL = 0.05
SLACK = 1.0
"""Seconds beside the cache times: replication, the poll, a busy Keystone."""
CALL_SECONDS = 60.0
"""For the last of a service's questions to its Keystone, which has limits of its own."""
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
    progress(f"writing through {topology.entry}, reading at {len(proof.keystones)} sites")
    lags = proof.lags()
    pairs: list[Pair] = []
    for name in proof.keystones:
        progress(f"a token of {name} at {len(topology.sites)} sites: validate, revoke, wait")
        pairs += proof.pairs_of(name)
    return Report(topology.name, topology.revocation_bound + SLACK, tuple(pairs), tuple(lags))


@dataclass
class _Proof:
    topology: Topology
    login: Login
    by_region: bool

    def __post_init__(self) -> None:
        self.sites = {site.name: site for site in self.topology.sites}
        issuers = [site for site in self.topology.sites if site.role != Role.CLIENT]
        self.keystones = {site.name: Keystone(site.name, site.url, self.login) for site in issuers}
        self.entry = Keystone("entry", self.topology.entry, self.login)

    def lags(self) -> list[Lag]:
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

        def lag(site: str) -> Lag:
            seen = _poll(lambda: bool(self.keystones[site].projects(token, name)), written + PATIENCE)
            return Lag(site, None if seen is None else seen - written)

        try:
            answers = ask_all(self.keystones, lag, errors=(MultisiteError,))
        finally:
            with suppress(MultisiteError):  # the next run removes it
                self.entry.delete_project(token, made)
        return [answers.known.get(site) or Lag(site, None, answers.reasons[site]) for site in self.keystones]

    def pairs_of(self, issuer: str) -> list[Pair]:
        """Each site's service is new: nothing is cached in it."""
        try:
            token = self.keystones[issuer].issue()
        except MultisiteError as error:
            return [_unknown(issuer, site, str(error)) for site in self.sites]
        answers = ask_all(self.sites, partial(self._try, issuer, token))
        tried = answers.known
        pairs = {site: tried[site][1] if site in tried else _unknown(issuer, site, answers.reasons[site])
                 for site in self.sites}  # fmt: skip
        begun = time.monotonic()
        try:
            self.keystones[issuer].revoke(token)
        except MultisiteError as error:
            return [replace(pair, error=str(error)) for pair in pairs.values()]
        patience = self.topology.revocation_bound + SLACK + PATIENCE
        until = time.monotonic() + patience
        accepted = [site for site, pair in pairs.items() if pair.verdict == Verdict.ACCEPTED]
        refused = ask_all(
            accepted, lambda site: _refused(tried[site][0], token, begun, until),
            seconds=patience + CALL_SECONDS,
        )  # fmt: skip
        for site in accepted:
            seconds, why = refused.known.get(site), refused.reasons.get(site, "")
            pairs[site] = replace(pairs[site], refused_after=seconds, error=why)
        return list(pairs.values())

    def _try(self, issuer: str, token: str, used: str) -> tuple[Service | None, Pair]:
        site = self.sites[used]
        try:
            service = Service(self.topology, site, self.login, by_region=self.by_region)
            begun = time.monotonic()
            verdict = service.judge(token)
        except Exception as error:  # the middleware's own, of any kind: this pair is not known
            return None, _unknown(issuer, used, f"{type(error).__name__}: {error}")
        seconds = time.monotonic() - begun
        asked = service.validated
        # Where a site's validations belong: its own Keystone, or a client site's provider.
        local = bool(asked) and set(asked) == {f"{site.address}:{site.port}"}
        return service, Pair(issuer, used, verdict, asked, local, seconds, None)


def _unknown(issuer: str, used: str, why: str) -> Pair:
    return Pair(issuer, used, Verdict.UNKNOWN, {}, False, None, None, why)


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
