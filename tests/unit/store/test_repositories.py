"""Repositories give back what they were given, and say what is wrong with which field."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from multisite.domain.errors import Conflict, NotFound
from multisite.domain.model import (
    Application,
    Member,
    Protection,
    Recovery,
    RecoveryState,
    RestorePoint,
    RestorePointState,
    Site,
)
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.models import (
    ApplicationRow,
    MemberRow,
    ProtectionRow,
    RecoveryRow,
    RestorePointRow,
    SiteRow,
)
from multisite.store.protections import ProtectionRepository
from multisite.store.recoveries import RecoveryRepository
from multisite.store.restore_points import RestorePointRepository
from multisite.store.sites import SiteRepository

NOON = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
MEMBERS = (Member("s-db", "db", 1, quiesce=False), Member("s-web", "web", 2))
SITE = Site("1", "west", "west-cloud", "RegionOne", "https://west/v3", "the first", NOON)
APPLICATION = Application("a1", "vnf", "p1", "west", MEMBERS, "vnf=demo", NOON)
PROTECTION = Protection(
    "pr1", "a1", "vnf", "p1", "consistent-backup", "west", "east", {"freeze_timeout": 30}, created_at=NOON
)  # fmt: skip
POINT = RestorePoint(
    id="rp1",
    application_id="a1",
    application="vnf",
    project_id="p1",
    protection_id="pr1",
    method="consistent-backup",
    state=RestorePointState.AVAILABLE,
    incremental=True,
    parent_id="rp0",
    created_at=NOON,
    consistent_at=NOON - timedelta(seconds=1),
    frozen_seconds=1.25,
    frozen=({"server": "db", "seconds": 1.25},),
    marks=({"server_id": "s-db", "text": "m"},),
    size_gib=3,
    digest="ab" * 32,
    job_id="j1",
)
RECOVERY = Recovery(
    id="r1",
    application="vnf",
    project_id="p1",
    restore_point_id="rp1",
    target_site="east",
    state=RecoveryState.RUNNING,
    job_id="j2",
    requested_by="operator",
    created_at=NOON,
    rto_seconds=12.5,
    servers=({"name": "db", "id": None},),
    mapping={"networks": {"n1": "n2"}},
    application_id="a1",
)


@pytest.fixture
def full(database: Database) -> Database:
    SiteRepository(database).add(SITE)
    ApplicationRepository(database).add(APPLICATION)
    ProtectionRepository(database).add(PROTECTION)
    RestorePointRepository(database).add(POINT)
    RecoveryRepository(database).add(RECOVERY)
    return database


def test_what_went_in_comes_out(full: Database) -> None:
    assert SiteRepository(full).get("1") == SITE
    assert SiteRepository(full).by_name("west") == SITE
    assert SiteRepository(full).list() == [SITE]
    assert ApplicationRepository(full).get("a1", "p1") == APPLICATION
    assert ApplicationRepository(full).by_name("vnf", "p1") == APPLICATION
    assert ProtectionRepository(full).get("pr1") == PROTECTION
    assert RestorePointRepository(full).get("rp1") == POINT
    assert isinstance(RestorePointRepository(full).get("rp1").state, RestorePointState)
    assert RecoveryRepository(full).get("r1") == RECOVERY
    assert isinstance(RecoveryRepository(full).get("r1").state, RecoveryState)


def test_updates_replace_everything(full: Database) -> None:
    applications = ApplicationRepository(full)
    members = (Member("s-new", "new", 1), Member("s-db", "db2", 2))
    changed = replace(APPLICATION, name="vnf2", members=members, metadata_tag=None)
    assert applications.update(changed) == changed == applications.get("a1")
    points = RestorePointRepository(full)
    missing = replace(POINT, state=RestorePointState.MISSING, frozen=(), size_gib=None)
    assert points.update(missing) == missing == points.get("rp1")
    site = replace(SITE, description="", created_at=None)
    assert SiteRepository(full).update(site).created_at == NOON
    done = replace(RECOVERY, state=RecoveryState.DONE, ended_at=NOON, mapping={})
    assert RecoveryRepository(full).update(done) == done == RecoveryRepository(full).get("r1")


def test_save_adds_or_replaces(full: Database) -> None:
    points = RestorePointRepository(full)
    newer = replace(POINT, id="rp2", created_at=NOON + timedelta(hours=1))
    assert points.save(newer) == newer
    assert points.save(replace(POINT, error="x")).error == "x"
    assert [point.id for point in points.list()] == ["rp2", "rp1"]


def test_lists_filter(full: Database) -> None:
    applications, points = ApplicationRepository(full), RestorePointRepository(full)
    other = applications.add(replace(APPLICATION, id="a2", project_id="p2", members=()))
    assert applications.list() == [APPLICATION, other]
    assert applications.list("p2") == [other]
    assert applications.list(site="east") == []
    assert ProtectionRepository(full).list("p1", "a1") == [PROTECTION]
    assert ProtectionRepository(full).list(application_id="a2") == []
    assert points.list(state=RestorePointState.AVAILABLE, application="vnf", protection_id="pr1") == [POINT]
    assert points.list(state=RestorePointState.FAILED) == []
    recoveries = RecoveryRepository(full)
    assert recoveries.list("p1", restore_point_id="rp1", state=RecoveryState.RUNNING) == [RECOVERY]
    assert recoveries.list("p2") == []


def test_names_are_unique_where_they_must_be(full: Database) -> None:
    with pytest.raises(Conflict, match=r"^name: .*'west'"):
        SiteRepository(full).add(replace(SITE, id="2"))
    applications = ApplicationRepository(full)
    with pytest.raises(Conflict, match=r"^name: .*'vnf'"):
        applications.add(replace(APPLICATION, id="a2"))
    applications.add(replace(APPLICATION, id="a2", project_id="p2"))
    applications.add(replace(APPLICATION, id="a3", name="vnf3", members=()))
    with pytest.raises(Conflict, match=r"^name: "):
        applications.update(replace(APPLICATION, id="a3"))
    with pytest.raises(Conflict, match=r"^id: .*'rp1'"):
        RestorePointRepository(full).add(POINT)


def test_things_must_exist(full: Database) -> None:
    with pytest.raises(NotFound, match="site: no site 'east'"):
        ApplicationRepository(full).add(replace(APPLICATION, id="a2", name="x", site="east"))
    with pytest.raises(NotFound, match="application 'a9'"):
        ProtectionRepository(full).add(replace(PROTECTION, id="pr2", application_id="a9"))
    with pytest.raises(NotFound, match="'nope'"):
        SiteRepository(full).by_name("nope")
    with pytest.raises(NotFound):
        ApplicationRepository(full).by_name("vnf", "p2")
    with pytest.raises(NotFound):
        RecoveryRepository(full).update(replace(RECOVERY, id="r9"))
    with pytest.raises(NotFound):
        ApplicationRepository(full).delete("a9")


def test_another_project_s_things_are_as_good_as_not_there(full: Database) -> None:
    with pytest.raises(NotFound, match="'a1'"):
        ApplicationRepository(full).get("a1", "p2")
    with pytest.raises(NotFound):
        RecoveryRepository(full).get("r1", "p2")


def test_what_is_in_use_is_not_deleted(full: Database) -> None:
    with pytest.raises(Conflict, match="used by applications"):
        SiteRepository(full).delete("1")
    with pytest.raises(Conflict, match="'vnf' is still used by protections"):
        ApplicationRepository(full).delete("a1")
    ProtectionRepository(full).delete("pr1")
    ApplicationRepository(full).delete("a1")
    SiteRepository(full).delete("1")
    # what was protected outlives the application, its protection and its site
    assert RestorePointRepository(full).get("rp1") == POINT
    RestorePointRepository(full).delete("rp1")
    assert RecoveryRepository(full).get("r1") == RECOVERY


def test_times_are_utc_and_aware(full: Database) -> None:
    points = RestorePointRepository(full)
    local = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    stored = points.update(replace(POINT, consistent_at=local))
    assert stored.consistent_at == NOON
    assert points.get("rp1").consistent_at.utcoffset() == timedelta(0)  # type: ignore[union-attr]
    with pytest.raises(Exception, match="no time zone"):
        points.update(replace(POINT, consistent_at=NOON.replace(tzinfo=None)))


def test_created_at_is_filled_in(database: Database) -> None:
    before = datetime.now(UTC)
    added = SiteRepository(database).add(replace(SITE, created_at=None))
    assert added.created_at is not None
    assert before <= added.created_at <= datetime.now(UTC)
    assert SiteRepository(database).get("1") == added


@pytest.mark.parametrize(
    ("item", "row"),
    [
        (Site, SiteRow),
        (Application, ApplicationRow),
        (Member, MemberRow),
        (Protection, ProtectionRow),
        (RestorePoint, RestorePointRow),
        (Recovery, RecoveryRow),
    ],
)
def test_every_field_of_the_domain_has_a_column(item: type, row: type) -> None:
    missing = {field.name for field in fields(item)} - {name for name in dir(row) if name[0] != "_"}
    assert missing == set(), f"{row.__name__} needs columns (and a migration) for {missing}"
