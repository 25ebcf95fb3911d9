"""Whose project a thing is made in: the caller's, or the one an administrator acts for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clouds.conftest import FakeCloud
from multisite.clouds.connect import CloudSite
from multisite.clouds.projects import owner_in
from multisite.domain.caller import Caller
from multisite.domain.errors import Forbidden

ADMIN = Caller("u", "olga", "p-admin", "admins", frozenset({"admin"}), "req-1", "Default")
MEMBER = Caller("u", "max", "p-elsewhere", "vnf", frozenset({"member"}), "req-1", "Default")


def test_a_member_s_own_project_by_its_name_there(site: CloudSite) -> None:
    assert owner_in(site, MEMBER, "p-elsewhere") == "p1"


def test_an_administrator_acts_for_the_project_of_the_site_s_credentials(site: CloudSite) -> None:
    assert owner_in(site, ADMIN, "p1") == "p1"


def test_an_administrator_acts_for_another_that_is_known_there(site: CloudSite, fake: FakeCloud) -> None:
    fake.json("GET", "identity", "/projects/p7", {"project": {"id": "p7", "name": "hss"}})
    assert owner_in(site, ADMIN, "p7") == "p7"


def test_never_for_one_that_is_not(site: CloudSite, fake: FakeCloud) -> None:
    error = {"error": {"code": 404, "message": "Could not find project: p8.", "title": "Not Found"}}
    fake.json("GET", "identity", "/projects/p8", error, status=404)
    with pytest.raises(Forbidden, match="in site west there is no project p8"):
        owner_in(site, ADMIN, "p8")
    fake.json("GET", "identity", "/projects", {"projects": []})
    with pytest.raises(Forbidden, match="no project nobody"):
        owner_in(site, replace(MEMBER, project_name="nobody", project_domain_name=""), "p-elsewhere")
