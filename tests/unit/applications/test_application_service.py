"""Applications: the right servers, in the right order, of the right project."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from multisite.applications import service as module
from multisite.applications.service import ApplicationService
from multisite.clouds import projects
from multisite.clouds.errors import NotFoundInSite, Refused, Unreachable
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, Forbidden, Invalid, NotFound
from multisite.domain.model import Application, Protection, Site
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.protections import ProtectionRepository
from multisite.store.sites import SiteRepository


def caller(project: str = "p1", name: str = "vnf", *roles: str) -> Caller:
    return Caller("u1", "ann", project, name, frozenset(roles or ("member",)), "req-1", "Default")


DOMAINS = [{"id": "default", "name": "Default"}, {"id": "d2", "name": "Guests"}]
MEMBER, OTHER = caller(), caller("p2", "other")
ADMIN = caller("p9", "admin", "admin")


class FakeSites:
    """A site whose servers are in ``servers``; our credentials are of project p1, Default's "vnf", there."""

    def __init__(self) -> None:
        self.cloud: Any = SimpleNamespace(name="paris", project_id="p1", project_name="vnf", scope=None)
        self.cloud.project_domain_name = "Default"
        self.down = False
        self.servers: list[dict[str, Any]] = []
        self.projects: list[dict[str, str]] | Exception = []

    def open(self, name: str, *, for_project: str) -> Any:
        if name != "paris":
            raise NotFound(f"site: there is no site {name!r}")
        return self.cloud

    def add(self, id: str, name: str = "", project: str = "p1", **metadata: str) -> None:
        self.servers.append({"id": id, "name": name or id, "tenant_id": project, "metadata": metadata})

    def read_servers(self, _site: Any, ids: Sequence[str]) -> list[dict[str, Any]]:
        self._check()
        by_id = {row["id"]: row for row in self.servers}
        for id in ids:
            if id not in by_id:
                raise NotFoundInSite("paris", "read", f"Instance {id} could not be found.", site_status=404)
        return [by_id[id] for id in ids]

    def read_all(self, _site: Any, _what: str, _proxy: Any, path: str, _key: str, **query: Any) -> Any:
        self._check()
        if path == "/projects":
            if isinstance(self.projects, Exception):
                raise self.projects
            return [p for p in self.projects if p["name"] == query["name"]]
        assert path == "/domains"
        return [d for d in DOMAINS if d["name"] == query["name"]]

    def list_servers(self, _site: Any, project: str) -> list[dict[str, Any]]:
        self._check()
        return [row for row in self.servers if row["tenant_id"] == project]

    def _check(self) -> None:
        if self.down:
            raise Unreachable("paris", "list servers", "no connection in time")


@pytest.fixture
def sites(monkeypatch: pytest.MonkeyPatch) -> FakeSites:
    found = FakeSites()
    monkeypatch.setattr(module, "read_servers", found.read_servers)
    monkeypatch.setattr(module, "list_servers", found.list_servers)
    monkeypatch.setattr(projects, "read_all", found.read_all)
    return found


@pytest.fixture
def database(database: Database) -> Database:
    SiteRepository(database).add(Site("i1", "paris", "paris-cloud", "Paris", "http://paris/v3"))
    return database


@pytest.fixture
def service(database: Database, sites: FakeSites) -> ApplicationService:
    clouds: Any = sites
    return ApplicationService(ApplicationRepository(database), clouds)


Create = Callable[..., Application]


def test_servers_in_the_order_given(service: ApplicationService, sites: FakeSites) -> None:
    sites.add("s1", "active")
    sites.add("s2", "standby")
    made = service.create(MEMBER, "demo", "paris", [{"id": "s2"}, {"id": "s1", "quiesce": False}])
    assert [(m.server_id, m.server_name, m.order, m.quiesce) for m in made.members] == [
        ("s2", "standby", 1, True),
        ("s1", "active", 2, False),
    ]
    assert made.project_id == "p1"
    assert service.get(MEMBER, made.id) == service.get(MEMBER, "demo") == made


def test_by_metadata(service: ApplicationService, sites: FakeSites) -> None:
    sites.add("s1", "b", vnf="demo")
    sites.add("s2", "a", vnf="demo", multisite_quiesce="No")
    sites.add("s3", "z", vnf="demo", boot_order="2")
    sites.add("s4", "y", vnf="demo", boot_order="10")
    sites.add("s5", "other", vnf="else", boot_order="1")
    made = service.create(MEMBER, "demo", "paris", metadata_tag="vnf=demo")
    assert [m.server_name for m in made.members] == ["z", "y", "a", "b"]
    assert [m.quiesce for m in made.members] == [True, True, False, True]
    assert made.metadata_tag == "vnf=demo"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "a b", "servers": [{"id": "s1"}]}, "^name: "),
        ({}, "^servers: give either"),
        ({"servers": [{"id": "s1"}], "metadata_tag": "a=b"}, "^servers: give either"),
        ({"servers": []}, "^servers: name at least one"),
        ({"servers": [{"id": "s1"}, {"id": "s1"}]}, "^servers: s1 is listed twice"),
        ({"servers": [{"id": "../flavors"}]}, "^servers: '../flavors' is not the id"),
        ({"servers": [{"id": "gone"}]}, "^servers: Instance gone could not be found"),
        ({"servers": [{"id": "foreign"}]}, "^servers: Instance foreign could not be found"),
        ({"metadata_tag": "vnf"}, "^metadata_tag: 'vnf' must look like key=value"),
        ({"metadata_tag": "=x"}, "^metadata_tag: "),
        ({"metadata_tag": "vnf=none"}, "^metadata_tag: no server of project vnf in site paris has vnf=none"),
        ({"metadata_tag": "vnf=odd"}, "^metadata_tag: server odd has boot_order='first'"),
    ],
)
def test_what_is_refused(
    service: ApplicationService, sites: FakeSites, arguments: dict[str, Any], words: str
) -> None:
    sites.add("s1")
    sites.add("foreign", project="p7")
    sites.add("odd", vnf="odd", boot_order="first")
    with pytest.raises(Invalid, match=words):
        service.create(MEMBER, **({"name": "demo", "site": "paris"} | arguments))


def test_unknown_site_and_site_down(service: ApplicationService, sites: FakeSites) -> None:
    with pytest.raises(NotFound, match="site: "):
        service.create(MEMBER, "demo", "lyon", [{"id": "s1"}])
    sites.down = True
    with pytest.raises(Unreachable):
        service.create(MEMBER, "demo", "paris", [{"id": "s1"}])
    assert service.list(MEMBER) == []


def test_a_server_belongs_to_one_application(service: ApplicationService, sites: FakeSites) -> None:
    sites.add("s1", "db")
    service.create(MEMBER, "demo", "paris", [{"id": "s1"}])
    with pytest.raises(Conflict, match=r"^servers: db already belongs to application 'demo'"):
        service.create(MEMBER, "second", "paris", [{"id": "s1"}])
    sites.projects = [{"id": "p1", "name": "other", "domain_id": "default"}]
    with pytest.raises(Conflict, match="an application of another project"):
        service.create(OTHER, "second", "paris", [{"id": "s1"}])


def test_taken_name(service: ApplicationService, sites: FakeSites) -> None:
    sites.add("s1")
    sites.add("s2")
    service.create(MEMBER, "demo", "paris", [{"id": "s1"}])
    with pytest.raises(Conflict, match=r"^name: "):
        service.create(MEMBER, "demo", "paris", [{"id": "s2"}])


def test_the_project_in_a_site_with_its_own_keystone(service: ApplicationService, sites: FakeSites) -> None:
    sites.add("s1", project="x-other")
    sites.add("s2", project="x-other", vnf="demo")
    sites.projects = [
        {"id": "x-other", "name": "other", "domain_id": "default"},
        {"id": "somebody-elses", "name": "other", "domain_id": "d2"},
    ]
    assert service.create(OTHER, "one", "paris", [{"id": "s1"}]).project_id == "p2"
    assert service.create(OTHER, "two", "paris", metadata_tag="vnf=demo").members[0].server_id == "s2"
    same_name = caller("known-elsewhere-as-this", "vnf")
    sites.add("s3")
    assert service.create(same_name, "three", "paris", [{"id": "s3"}]).members


def test_the_same_name_in_another_domain_is_another_project(
    service: ApplicationService, sites: FakeSites
) -> None:
    sites.add("s1")
    for domain in ("Guests", ""):
        other = replace(caller("known-elsewhere-as-this", "vnf"), project_domain_name=domain)
        sites.projects = [{"id": "p1", "name": "vnf", "domain_id": "default"}]
        with pytest.raises(Forbidden, match=f"there is no project vnf in a domain {domain}"):
            service.create(other, "demo", "paris", [{"id": "s1"}])


@pytest.mark.parametrize(
    ("projects", "words"),
    [
        ([], "there is no project other in a domain Default"),
        ([{"id": "a", "name": "other", "domain_id": "d2"}], "there is no project other in a domain Default"),
        (Refused("paris", "find", "policy", site_status=403), "our credentials see project vnf only"),
    ],
)
def test_a_project_that_cannot_be_told(
    service: ApplicationService, sites: FakeSites, projects: Any, words: str
) -> None:
    sites.add("s1")
    sites.projects = projects
    with pytest.raises(Forbidden, match=words):
        service.create(OTHER, "demo", "paris", [{"id": "s1"}])


def test_who_sees_what(service: ApplicationService, sites: FakeSites) -> None:
    sites.add("s1")
    sites.add("s2", project="p2")
    sites.projects = [{"id": "p2", "name": "other", "domain_id": "d2"}]
    one = service.create(MEMBER, "demo", "paris", [{"id": "s1"}])
    two = service.create(OTHER, "demo", "paris", [{"id": "s2"}])
    assert service.list(MEMBER) == [one]
    assert {a.id for a in service.list(ADMIN)} == {one.id, two.id}
    assert service.list(ADMIN, site="paris")
    assert service.get(ADMIN, two.id) == two
    with pytest.raises(NotFound):
        service.get(MEMBER, two.id)
    assert service.get(OTHER, "demo") == two
    with pytest.raises(Conflict, match="2 projects have one called 'demo'"):
        service.get(ADMIN, "demo")
    with pytest.raises(NotFound):
        service.delete(MEMBER, two.id)
    service.delete(OTHER, "demo")
    assert service.get(ADMIN, "demo") == one
    with pytest.raises(NotFound):
        service.get(ADMIN, "nothing")


def test_an_administrator_may_take_any_projects_servers(
    service: ApplicationService, sites: FakeSites
) -> None:
    sites.add("s2", project="p2")
    assert service.create(ADMIN, "demo", "paris", [{"id": "s2"}]).project_id == "p9"


def test_delete_while_protected(service: ApplicationService, sites: FakeSites, database: Database) -> None:
    sites.add("s1")
    made = service.create(MEMBER, "demo", "paris", [{"id": "s1"}])
    protections = ProtectionRepository(database)
    protections.add(Protection("x", made.id, "demo", "p1", "consistent-backup", "paris", None))
    with pytest.raises(Conflict, match="protections"):
        service.delete(MEMBER, "demo")
    protections.delete("x")
    service.delete(MEMBER, "demo")
    assert service.list(MEMBER) == []
