"""What a real site says of itself, to an administrator and to a member; and a site that is not there."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from real_thing import CLOUDS

from multisite.clouds.call import call, read_all
from multisite.clouds.capabilities import NAMES, discover
from multisite.clouds.connect import CloudSite, Sites, open_site
from multisite.clouds.errors import LoginRefused, Refused, Unreachable
from multisite.clouds.quotas import headroom
from multisite.domain.caller import Caller
from multisite.domain.model import Known
from multisite.sites.service import SiteService
from multisite.store.database import Database
from multisite.store.sites import SiteRepository

pytestmark = pytest.mark.lab
ADMIN = Caller("u1", "root", "p1", "admin", frozenset({"admin"}), "req-1")
UNROUTABLE = "http://192.0.2.1:5000/v3"
"""TEST-NET-1: no route leads there from the core namespace."""
BLACK_HOLE = "http://192.168.251.254:5000/v3"
"""On the sites' own network, where nobody answers for that address."""


def present(site: CloudSite) -> dict[str, Known]:
    return {c.name: c.present for c in discover(site)}


def test_administrator(site: CloudSite) -> None:
    found = present(site)
    assert tuple(found) == NAMES
    for name in ("identity", "admin", "compute", "block-storage", "image", "network", "compute-services"):
        assert found[name] is Known.YES, name
    for name in ("volume-services", "backup", "network-agents", "network-tags", "port-security"):
        assert found[name] is Known.YES, name


def test_member_is_not_told_everything_but_never_told_wrong(sites: Sites) -> None:
    found = present(sites.open_for_service("site2-member"))
    assert found["admin"] is Known.NO
    assert found["compute"] is Known.YES
    for name in (
        "compute-services",
        "volume-services",
        "backup",
        "network-agents",
        "consistent-group-snapshot",
    ):
        assert found[name] is Known.UNKNOWN, name


def test_member_may_not_list_services(sites: Sites) -> None:
    member = sites.open_for_service("site2-member")
    with pytest.raises(Refused, match="Policy doesn't allow") as caught:
        read_all(member, "list compute services", lambda: member.compute, "/os-services", "services")
    assert caught.value.site_status == 403
    assert (caught.value.request_id or "").startswith("req-")


def test_headroom(site: CloudSite, sites: Sites) -> None:
    for seen_by in (site, sites.open_for_service("site2-member")):
        found = headroom(seen_by)
        assert {"instances", "cores", "ram"} <= set(found["compute"])
        assert {"volumes", "gigabytes", "snapshots", "backups", "backup_gigabytes"} <= set(
            found["block-storage"]
        )
        assert {"network", "subnet", "port", "security_group", "security_group_rule"} <= set(found["network"])


def entry(folder: Path, **auth: str) -> Path:
    """clouds.yaml of site 2 with some of its credentials changed."""
    clouds: Any = yaml.safe_load(CLOUDS.read_text())
    clouds["clouds"]["site2"]["auth"] |= auth
    path = folder / "clouds.yaml"
    path.write_text(yaml.safe_dump(clouds))
    return path


def test_wrong_password(tmp_path: Path) -> None:
    site = open_site("paris", "site2", entry(tmp_path, password="wrong"))
    with pytest.raises(LoginRefused, match=r"site paris: log in: .*clouds\.yaml"):
        call(site, "list servers", lambda: site.compute.servers())
    assert site.login_refused


@pytest.mark.parametrize("address", [UNROUTABLE, BLACK_HOLE, "http://192.168.251.12:5999/v3"])
def test_site_down_is_said_in_seconds(tmp_path: Path, address: str) -> None:
    site = open_site("paris", "site2", entry(tmp_path, auth_url=address))
    begun = time.monotonic()
    with pytest.raises(Unreachable):
        call(site, "list servers", lambda: site.compute.servers())
    assert time.monotonic() - begun < 8


def test_dead_service_of_a_living_site(tmp_path: Path) -> None:
    path = entry(tmp_path)
    clouds = yaml.safe_load(path.read_text())
    clouds["clouds"]["site2"]["compute_endpoint_override"] = "http://192.168.251.254:8774/v2.1"
    path.write_text(yaml.safe_dump(clouds))
    begun = time.monotonic()
    found = {c.name: c for c in discover(open_site("paris", "site2", path))}
    assert time.monotonic() - begun < 10
    assert found["compute"].present is found["quiesce"].present is Known.UNKNOWN
    assert found["block-storage"].present is Known.YES


def service(folder: Path, clouds: Path) -> SiteService:
    database = Database(f"sqlite:///{folder / 'm.db'}")
    database.upgrade()
    repository = SiteRepository(database)
    return SiteService(repository, Sites(lambda n: repository.by_name(n).cloud, config_file=clouds))


def test_check_by_the_service(tmp_path: Path) -> None:
    verbs = service(tmp_path, CLOUDS)
    site = verbs.register(ADMIN, "lyon", "site2")
    assert site.region == "RegionTwo"
    check = verbs.check(ADMIN, "lyon")
    assert check.reachable
    assert check.error is None
    assert check.seconds < 30


def test_check_of_a_dead_site_is_an_answer(tmp_path: Path) -> None:
    verbs = service(tmp_path, entry(tmp_path, auth_url=BLACK_HOLE))
    verbs.register(ADMIN, "lyon", "site2")
    check = verbs.check(ADMIN, "lyon")
    assert not check.reachable
    assert check.seconds < 8
    assert {c.present for c in check.capabilities} == {Known.UNKNOWN}
