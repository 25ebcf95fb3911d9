"""All pairs are tried; what a Keystone does not answer is unknown, and the others are judged all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from multisite.domain.findings import Severity
from multisite.identity.proof import verify as proof
from multisite.identity.proof.keystone import Keystone, Login, Unanswered
from multisite.identity.proof.service import Service, Verdict
from multisite.identity.topology import file as topology_file

STAR = topology_file.read(Path(__file__).parents[3] / "docs/examples/identity/star.yaml")
SITES = [site.name for site in STAR.sites]
LOGIN = Login("admin", "secret")


class Deployment:
    """Tokens and projects of all sites; the transport is HTTP and the real middleware's, tried in the lab."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.live: set[str] = set()
        self.projects: dict[str, str] = {}
        self.silent: set[str] = set()
        self.stale: set[str] = set()
        for name in ("issue", "revoke", "create_project", "delete_project"):
            monkeypatch.setattr(Keystone, name, getattr(self, name))
        monkeypatch.setattr(Keystone, "projects", lambda keystone, *_: self.read(keystone.site))
        monkeypatch.setattr(
            Service, "__init__", lambda service, _t, site, _l, **_: setattr(service, "site", site)
        )
        monkeypatch.setattr(Service, "judge", lambda service, token: self.judge(service.site.name, token))
        address = property(lambda service: {f"{service.site.address}:{service.site.port}": 1})
        monkeypatch.setattr(Service, "validated", address)
        monkeypatch.setattr(proof, "PATIENCE", 0.0)
        monkeypatch.setattr(proof, "SLACK", 0.2)

    def issue(self, *_: Any) -> str:
        self.live.add("token")
        return "token"

    def revoke(self, token: str) -> None:
        self.live.discard(token)

    def create_project(self, _token: str, name: str) -> str:
        self.projects["id"] = name
        return "id"

    def delete_project(self, _token: str, project: str) -> None:
        self.projects.pop(project)

    def read(self, site: str) -> dict[str, str]:
        if site in self.silent:
            raise Unanswered(f"{site}: no answer")
        return {} if site in self.stale else self.projects

    def judge(self, site: str, token: str) -> Verdict:
        if site in self.silent:
            raise OSError("no route")
        return Verdict.ACCEPTED if token in self.live or site in self.stale else Verdict.REFUSED


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Deployment:
    monkeypatch.setattr(type(STAR), "revocation_bound", property(lambda _: 0))
    return Deployment(monkeypatch)


def test_all_pairs_of_a_good_deployment_are_proven(deployment: Deployment) -> None:
    found = proof.verify(STAR, LOGIN)
    assert [(pair.issued, pair.used) for pair in found.pairs] == [(a, b) for a in SITES for b in SITES]
    assert [lag.site for lag in found.lags] == SITES
    assert (found.in_sync, found.findings, found.inter_site) == (True, (), 0)
    assert not deployment.projects, "what measured the replication is removed"


def test_a_site_that_does_not_answer_is_unknown_and_the_others_are_judged(deployment: Deployment) -> None:
    deployment.silent.add("oslo")
    found = proof.verify(STAR, LOGIN)
    assert found.in_sync is None
    assert {(f.site, f.severity) for f in found.findings} == {("oslo", Severity.UNKNOWN)}
    assert all(pair.refused_after is not None for pair in found.pairs if pair.used != "oslo")


def test_a_site_with_an_old_copy_is_wrong(deployment: Deployment) -> None:
    deployment.stale.add("oslo")
    found = proof.verify(STAR, LOGIN)
    assert found.in_sync is False
    assert {(f.site, f.kind) for f in found.findings} == {("oslo", "revocation"), ("oslo", "replication")}
