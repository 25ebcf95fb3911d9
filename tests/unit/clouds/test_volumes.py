"""Snapshots and backups: nothing twice, nothing left, and waits that end."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from multisite.clouds import restore, volumes
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import Failed, Refused, TimedOut
from multisite.clouds.volumes import Backup, next_parent

from .conftest import FakeCloud

TOKEN = "multisite:7c1a:backup:web1:vda"
VOLUME = "block-storage"
AT = "2026-11-21T03:00:00.000000"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multisite.clouds.waiting.time.sleep", lambda seconds: None)


def snapshot(id: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id, "name": "demo-1", "volume_id": "v1", "status": "available", "size": 2, "metadata": {},
        "group_snapshot_id": None, **more,
    }  # fmt: skip


def backup(id: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id, "name": "demo-1", "volume_id": "v1", "status": "available", "size": 2, "metadata": {},
        "is_incremental": False, "created_at": AT, "data_timestamp": AT, "snapshot_id": "snap-1", **more,
    }  # fmt: skip


def states(fake: FakeCloud, path: str, key: str, *found: Any) -> None:
    """Answer these, one after the other, the last for ever; None is 404."""
    answers = [
        {"status_code": 404, "json": {"itemNotFound": {"message": "gone"}}}
        if row is None
        else {"json": {key: row}}
        for row in found
    ]
    fake.mock.get(f"{fake.base(VOLUME)}{path}", answers)


def test_a_snapshot_is_forced_marked_and_bounded_in_time(fake: FakeCloud, site: CloudSite) -> None:
    fake.json("POST", VOLUME, "/snapshots", {"snapshot": snapshot("s1", status="creating")}, 202)
    made = volumes.create_snapshot(site, TOKEN, "v1", "demo-1", within=2)
    assert (made.id, made.status, made.size_gib) == ("s1", "creating", 2)
    (sent,) = fake.sent("POST", "/snapshots")
    assert sent.json()["snapshot"] == {
        "volume_id": "v1", "name": "demo-1", "force": True, "metadata": {"multisite_token": TOKEN},
    }  # fmt: skip
    assert sent.timeout == (2, 2)
    assert sent.headers["OpenStack-API-Version"] == "volume 3.43"


def test_polling_is_one_list_of_that_name(fake: FakeCloud, site: CloudSite) -> None:
    rows = [snapshot("s1"), snapshot("s2", name="other")]  # a Cinder without this filter shows all
    fake.json("GET", VOLUME, "/snapshots/detail", {"snapshots": rows})
    assert [s.id for s in volumes.snapshots_named(site, "demo-1", within=2)] == ["s1"]
    (sent,) = fake.sent("GET", "/snapshots/detail")
    assert sent.qs == {"name": ["demo-1"]}
    assert sent.timeout == (2, 2)


def test_snapshots_are_found_by_exact_tokens(fake: FakeCloud, site: CloudSite) -> None:
    marks = {"s1": TOKEN, "s2": f"{TOKEN}2", "s3": "multisite:x:capture"}
    rows = [snapshot(id, metadata={"multisite_token": token}) for id, token in marks.items()]
    fake.json("GET", VOLUME, "/snapshots/detail", {"snapshots": rows})
    found = volumes.snapshots_by_token(site, {TOKEN, "multisite:x:capture"})
    assert [s.id for s in found] == ["s1", "s3"]


def test_deleting_waits_until_it_is_gone(fake: FakeCloud, site: CloudSite) -> None:
    states(fake, "/snapshots/s1", "snapshot", snapshot("s1"), snapshot("s1", status="deleting"), None)
    fake.json("DELETE", VOLUME, "/snapshots/s1", status=202)
    volumes.delete_snapshot(site, "s1")
    assert len(fake.sent("DELETE", "/snapshots/s1")) == 1


def test_a_busy_snapshot_is_asked_for_again(fake: FakeCloud, site: CloudSite) -> None:
    busy = [
        snapshot("s1", status="backing-up"),
        snapshot("s1"),
        snapshot("s1", status="deleting"),
        snapshot("s1"),
    ]
    states(fake, "/snapshots/s1", "snapshot", *busy, snapshot("s1", status="deleting"), None)
    fake.json("DELETE", VOLUME, "/snapshots/s1", status=202)
    volumes.delete_snapshot(site, "s1")
    assert len(fake.sent("DELETE", "/snapshots/s1")) == 2


def test_deleting_what_is_gone_is_harmless(fake: FakeCloud, site: CloudSite) -> None:
    states(fake, "/snapshots/s1", "snapshot", None)
    states(fake, "/backups/b1", "backup", None)
    states(fake, "/volumes/v1", "volume", None)
    states(fake, "/group_snapshots/g1", "group_snapshot", None)
    volumes.delete_snapshot(site, "s1")
    volumes.delete_backup(site, "b1")
    restore.remove_volume(site, "v1")
    volumes.delete_group_snapshot(site, "g1")


def test_a_deletion_that_fails_is_said(fake: FakeCloud, site: CloudSite) -> None:
    states(fake, "/snapshots/s1", "snapshot", snapshot("s1"), snapshot("s1", status="error_deleting"))
    fake.json("DELETE", VOLUME, "/snapshots/s1", status=202)
    with pytest.raises(Failed, match="error_deleting"):
        volumes.delete_snapshot(site, "s1")


def test_a_deletion_has_an_end(fake: FakeCloud, site: CloudSite) -> None:
    states(fake, "/snapshots/s1", "snapshot", snapshot("s1", status="backing-up"))
    with pytest.raises(TimedOut, match="backing-up"):
        volumes.delete_snapshot(site, "s1", timeout=0.05)


def test_a_parent_of_another_backup_is_refused_soon(fake: FakeCloud, site: CloudSite) -> None:
    states(fake, "/backups/b1", "backup", backup("b1"))
    words = {"badRequest": {"message": "Invalid backup: Incremental backups exist for this backup."}}
    fake.json("DELETE", VOLUME, "/backups/b1", words, 400)
    with pytest.raises(Refused, match="Incremental backups exist"):
        volumes.delete_backup(site, "b1")
    assert len(fake.sent("DELETE", "/backups/b1")) == 5


def test_an_error_that_was_there_before_is_deleted(fake: FakeCloud, site: CloudSite) -> None:
    rows = [backup("b1", status="error"), backup("b1", status="error"), backup("b1", status="deleting"), None]
    states(fake, "/backups/b1", "backup", *rows)
    fake.json("DELETE", VOLUME, "/backups/b1", status=202)
    volumes.delete_backup(site, "b1")


def test_a_backup_in_the_making_is_stopped(fake: FakeCloud, site: CloudSite) -> None:
    rows = [backup("b1", status="creating"), backup("b1", status="deleting"), None]
    states(fake, "/backups/b1", "backup", *rows)
    fake.json("POST", VOLUME, "/backups/b1/action", status=202)
    volumes.delete_backup(site, "b1")
    assert fake.sent("POST", "/backups/b1/action")[0].json() == {"os-force_delete": None}
    assert fake.sent("DELETE", "/backups/b1") == []


def test_without_the_role_to_stop_it_it_is_waited_for(fake: FakeCloud, site: CloudSite) -> None:
    creating = [backup("b1", status="creating")] * 3
    states(fake, "/backups/b1", "backup", *creating, backup("b1"), backup("b1", status="deleting"), None)
    fake.json("POST", VOLUME, "/backups/b1/action", {"forbidden": {"message": "Policy"}}, 403)
    fake.json("DELETE", VOLUME, "/backups/b1", status=202)
    volumes.delete_backup(site, "b1")
    assert len(fake.sent("DELETE", "/backups/b1")) == 1


GROUPED = [{"id": "v1", "group_id": "g1"}, {"id": "v2", "group_id": "g1"}, {"id": "v3", "group_id": None}]
SPECS = {"consistent_group_snapshot_enabled": "<is> True"}


@pytest.mark.parametrize(
    ("wanted", "rows", "specs", "group"),
    [
        ({"v1", "v2"}, GROUPED, SPECS, "g1"),
        ({"v1"}, GROUPED, SPECS, None),  # the group has others
        ({"v1", "v3"}, GROUPED, SPECS, None),
        ({"v3"}, GROUPED, SPECS, None),
        ({"v1", "v2"}, GROUPED, {}, None),
        ({"v1", "v2"}, GROUPED, None, None),  # not shown to us
        ({"v1", "v9"}, GROUPED, SPECS, None),
    ],
)
def test_a_group_is_used_only_when_it_is_exactly_the_application(
    fake: FakeCloud, site: CloudSite, wanted: set[str], rows: list[Any], specs: Any, group: str | None
) -> None:
    fake.json("GET", VOLUME, "/volumes/detail", {"volumes": rows})
    fake.json("GET", VOLUME, "/groups/g1", {"group": {"id": "g1", "group_type": "t1"}})
    fake.json("GET", VOLUME, "/group_types/t1", {"group_type": {"id": "t1", "group_specs": specs}})
    assert volumes.consistent_group(site, wanted) == group


def test_a_group_snapshot_carries_the_token_in_its_description(fake: FakeCloud, site: CloudSite) -> None:
    fake.json("POST", VOLUME, "/group_snapshots", {"group_snapshot": {"id": "gs1"}}, 202)
    made = volumes.create_group_snapshot(site, TOKEN, "g1", "demo-1", within=2)
    assert made.id == "gs1"
    body = fake.sent("POST", "/group_snapshots")[0].json()["group_snapshot"]
    assert body == {"group_id": "g1", "name": "demo-1", "description": TOKEN}
    row = {"id": "gs1", "group_id": "g1", "status": "available", "description": TOKEN}
    fake.json(
        "GET", VOLUME, "/group_snapshots/detail", {"group_snapshots": [row, {**row, "description": "x"}]}
    )
    assert [g.id for g in volumes.group_snapshots_by_token(site, {TOKEN})] == ["gs1"]


def test_a_cinder_without_groups_has_no_group_snapshots(fake: FakeCloud, site: CloudSite) -> None:
    fake.json("GET", VOLUME, "/group_snapshots/detail", {"itemNotFound": {"message": "x"}}, 404)
    assert volumes.group_snapshots_by_token(site, {TOKEN}) == []


def make(site: CloudSite, **more: Any) -> Backup:
    values = {"volume_id": "v1", "snapshot_id": "snap-1", "name": "demo-1", "incremental": True, **more}
    return volumes.create_backup(site, TOKEN, **values)


def test_a_backup_is_of_the_original_volume_and_names_the_snapshot(fake: FakeCloud, site: CloudSite) -> None:
    fake.json("GET", VOLUME, "/backups/detail", {"backups": [backup("other")]})
    fake.json("POST", VOLUME, "/backups", {"backup": {"id": "b1"}}, 202)
    states(fake, "/backups/b1", "backup", backup("b1", status="creating"))
    assert make(site).status == "creating"
    assert fake.sent("POST", "/backups")[0].json()["backup"] == {
        "volume_id": "v1", "snapshot_id": "snap-1", "name": "demo-1", "incremental": True, "force": True,
        "metadata": {"multisite_token": TOKEN},
    }  # fmt: skip


def test_a_backup_is_not_made_twice(fake: FakeCloud, site: CloudSite) -> None:
    mine = backup("b1", metadata={"multisite_token": TOKEN})
    fake.json("GET", VOLUME, "/backups/detail", {"backups": [backup("other"), mine]})
    assert make(site).id == "b1"
    assert fake.sent("POST", "/backups") == []


def test_waiting_for_a_backup_tells_what_cinder_says(fake: FakeCloud, site: CloudSite) -> None:
    seen: list[str] = []
    states(fake, "/backups/b1", "backup", backup("b1", status="creating"), backup("b1"))
    done = volumes.wait_backup(site, "b1", 5, on_poll=lambda b: seen.append(b.status))
    assert (done.size_gib, seen) == (2, ["creating", "available"])
    states(fake, "/backups/b2", "backup", backup("b2", status="error", fail_reason="no space"))
    with pytest.raises(Failed, match="no space"):
        volumes.wait_backup(site, "b2", 5)


def test_the_parent_is_read_from_the_exported_record(fake: FakeCloud, site: CloudSite) -> None:
    content = base64.b64encode(json.dumps({"id": "b2", "parent_id": "b1"}).encode()).decode()
    record = {"backup_service": "cinder.backup.drivers.posix", "backup_url": content}
    fake.json("GET", VOLUME, "/backups/b2/export_record", {"backup-record": record})
    exported = volumes.export_record(site, "b2")
    assert exported == record
    assert volumes.parent_in(exported) == "b1"
    full = base64.b64encode(json.dumps({"id": "b1", "parent_id": None}).encode()).decode()
    assert volumes.parent_in({"backup_url": full}) is None


def test_the_next_parent_is_the_newest_data_not_the_newest_backup() -> None:
    start = datetime(2026, 11, 21, tzinfo=UTC)

    def at(id: str, data: int, made: int, status: str = "available", volume: str = "v1") -> Backup:
        moments = (start + timedelta(minutes=made), start + timedelta(minutes=data))
        return Backup(id, volume, status, False, 1, None, *moments)

    found = [at("a", 1, 9), at("b", 5, 6), at("c", 8, 8, "error"), at("d", 9, 9, volume="v2")]
    assert next_parent(found, "v1").id == "b"  # type: ignore[union-attr]
    assert next_parent(found, "v3") is None


def test_times_are_utc(fake: FakeCloud, site: CloudSite) -> None:
    rows = [backup("b1"), backup("b2", data_timestamp=None)]
    fake.json("GET", VOLUME, "/backups/detail", {"backups": rows})
    moment = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
    assert [(b.created_at, b.data_at) for b in volumes.backups(site)] == [(moment, moment)] * 2
