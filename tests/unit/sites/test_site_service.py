"""Sites: registered by reference, checked without guessing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from multisite.clouds.capabilities import NAMES
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.errors import LoginRefused, Unreachable
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.domain.model import Application, Capability, Known, Member
from multisite.sites import service as module
from multisite.sites.service import SiteService
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.sites import SiteRepository

ADMIN = Caller("u1", "root", "p1", "admin", frozenset({"admin"}), "req-1")
CLOUDS = """
clouds:
  paris-cloud:
    region_name: Paris
    auth: {auth_url: "http://paris/v3", username: u, password: hidden-word, project_name: vnf,
           user_domain_name: Default, project_domain_name: Default}
  nowhere:
    region_name: X
    auth: {username: u, password: hidden-word}
"""


@pytest.fixture
def repository(database: Database) -> SiteRepository:
    return SiteRepository(database)


@pytest.fixture
def service(repository: SiteRepository, tmp_path: Path) -> SiteService:
    (tmp_path / "clouds.yaml").write_text(CLOUDS)
    clouds = Sites(lambda name: repository.by_name(name).cloud, config_file=tmp_path / "clouds.yaml")
    return SiteService(repository, clouds)


def test_register_keeps_no_secret(service: SiteService, tmp_path: Path) -> None:
    site = service.register(ADMIN, "paris", "paris-cloud", "north hall")
    assert (site.region, site.auth_url, site.description) == ("Paris", "http://paris/v3", "north hall")
    assert service.get(ADMIN, "paris") == site
    assert service.list(ADMIN) == [site]
    stored = b"".join(f.read_bytes() for f in tmp_path.glob("multisite.db*"))
    assert b"hidden-word" not in stored
    assert b"paris-cloud" in stored


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 65, "ü", "../x", "a\n"])
def test_bad_names(service: SiteService, name: str) -> None:
    with pytest.raises(Invalid, match=r"^name: "):
        service.register(ADMIN, name, "paris-cloud")


def test_unknown_cloud_lists_the_known_ones(service: SiteService) -> None:
    with pytest.raises(
        Invalid, match=r"^cloud: 'lyon' is not an entry of clouds.yaml; it has: nowhere, paris-cloud"
    ):
        service.register(ADMIN, "lyon", "lyon")
    with pytest.raises(Invalid, match="no auth_url"):
        service.register(ADMIN, "lyon", "nowhere")


def test_taken_name(service: SiteService) -> None:
    service.register(ADMIN, "paris", "paris-cloud")
    with pytest.raises(Conflict, match=r"^name: "):
        service.register(ADMIN, "paris", "paris-cloud")


def test_unregister(service: SiteService, database: Database) -> None:
    service.register(ADMIN, "paris", "paris-cloud")
    applications = ApplicationRepository(database)
    applications.add(Application("a1", "vnf", "p1", "paris", (Member("s1", "vm1", 1),)))
    with pytest.raises(Conflict, match="used by applications"):
        service.unregister(ADMIN, "paris")
    applications.delete("a1")
    service.unregister(ADMIN, "paris")
    with pytest.raises(NotFound):
        service.get(ADMIN, "paris")
    with pytest.raises(NotFound):
        service.check(ADMIN, "paris")


def yes(_site: CloudSite) -> tuple[Capability, ...]:
    return (Capability("compute", Known.YES),)


def test_check(service: SiteService, monkeypatch: pytest.MonkeyPatch) -> None:
    service.register(ADMIN, "paris", "paris-cloud")
    monkeypatch.setattr(module, "discover", yes)
    check = service.check(ADMIN, "paris")
    assert check.reachable
    assert check.error is None
    assert check.capabilities == (Capability("compute", Known.YES),)
    assert check.checked_at.tzinfo is not None


@pytest.mark.parametrize(
    ("failure", "reachable"),
    [
        (Unreachable("paris", "log in", "no connection in time"), False),
        (LoginRefused("paris", "log in", "wrong password", site_status=401), True),
    ],
)
def test_check_of_a_site_that_does_not_let_us_in(
    service: SiteService, monkeypatch: pytest.MonkeyPatch, failure: Exception, reachable: bool
) -> None:
    def fail(_site: Any) -> Any:
        raise failure

    service.register(ADMIN, "paris", "paris-cloud")
    monkeypatch.setattr(module, "discover", fail)
    check = service.check(ADMIN, "paris")
    assert check.reachable is reachable
    assert check.error == str(failure)
    assert {c.present for c in check.capabilities} == {Known.UNKNOWN}
    assert tuple(c.name for c in check.capabilities) == NAMES


def test_check_when_the_entry_is_gone(service: SiteService, tmp_path: Path) -> None:
    service.register(ADMIN, "paris", "paris-cloud")
    (tmp_path / "clouds.yaml").write_text("clouds: {other: {auth: {}}}")
    check = service.check(ADMIN, "paris")
    assert not check.reachable
    assert "is not an entry" in (check.error or "")
