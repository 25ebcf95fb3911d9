"""Volumes from backups: wherever an earlier attempt stopped, the next one goes on from there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from multisite.clouds import volumes
from multisite.clouds.errors import Failed, Refused, TimedOut, UnknownOutcome
from multisite.clouds.resources import lifecycle
from multisite.clouds.restore import (
    WantedVolume,
    import_record,
    remove_by_token,
    remove_volume,
    restore_volume,
)
from tests.unit.recovery.recover_fakes import FakeTarget, HttpError, lost

TOKEN = "multisite:job-1:volume-1"
WANTED = WantedVolume("db", 1, "b-v-0", bootable=True, metadata={"owner": "me"}, image_metadata={"hw": "x"})
RECORD = {"backup_service": "posix", "backup_url": "url-v-0"}


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> FakeTarget:
    monkeypatch.setattr(lifecycle, "LOOK_AGAIN_SECONDS", 0.0)
    fake = FakeTarget()
    fake.rows["backups"]["b-v-0"] = {"id": "b-v-0", "status": "available"}
    return fake


def run(target: FakeTarget, wanted: WantedVolume = WANTED, **more: Any) -> dict[str, Any]:
    volume_id = restore_volume(target.as_site(), TOKEN, wanted, timeout=more.pop("timeout", 5), **more)
    return target.rows["volumes"][volume_id]


def volume(target: FakeTarget, status: str = "available", **more: Any) -> dict[str, Any]:
    row = {"id": "v1", "name": TOKEN, "status": status, "metadata": {}, "bootable": "false"} | more
    target.rows["volumes"]["v1"] = row
    return row


def asked(target: FakeTarget, path: str, method: str = "POST") -> int:
    return target.calls.count((method, path))


def test_restored_named_marked_and_bootable(target: FakeTarget) -> None:
    made = run(target)
    assert made["name"] == "db"
    assert made["metadata"] == {"owner": "me", "multisite_token": TOKEN, "src_backup_id": "b-v-0"}
    assert made["bootable"] == "true"
    assert made["volume_image_metadata"] == {"hw": "x"}
    assert made["made_by_restore"]


def test_a_blank_one_first(target: FakeTarget) -> None:
    made = run(target, replace(WANTED, blank_first=True, volume_type="fast", size_gib=9))
    assert (made["volume_type"], made["size"], "made_by_restore" in made) == ("fast", 9, False)
    assert made["metadata"]["src_backup_id"] == "b-v-0"


def test_done_before_it_is_only_described_again(target: FakeTarget) -> None:
    first = run(target)
    assert run(target) is first
    assert asked(target, "/backups/b-v-0/restore") == 1


def test_done_before_but_not_yet_named(target: FakeTarget) -> None:
    volume(target, metadata={"src_backup_id": "b-v-0"})
    assert run(target)["name"] == "db"
    assert asked(target, "/backups/b-v-0/restore") == 0


def test_a_blank_volume_is_not_taken_for_a_restored_one(target: FakeTarget) -> None:
    volume(target)
    assert run(target)["id"] == "v1"
    assert asked(target, "/backups/b-v-0/restore") == 1


def test_one_that_is_being_restored_is_waited_for(target: FakeTarget) -> None:
    row = volume(target, "restoring-backup")
    seen: list[str] = []

    def told(status: str) -> None:
        seen.append(status)
        row.update(status="available", metadata={"src_backup_id": "b-v-0"})

    run(target, on_poll=told)
    assert seen == ["restoring-backup", "available"]
    assert asked(target, "/backups/b-v-0/restore") == 0


@pytest.mark.parametrize("status", ["error", "error_restoring"])
def test_one_that_ended_badly_is_made_anew(target: FakeTarget, status: str) -> None:
    volume(target, status)
    assert run(target)["id"] != "v1"
    assert list(target.rows["volumes"]) != ["v1"]


def test_a_failing_restore_gives_cinders_reason(target: FakeTarget) -> None:
    target.restore_status = "error_restoring"
    with pytest.raises(Failed, match="volume db from backup b-v-0: ended as error_restoring"):
        run(target)


def test_a_lost_answer_is_looked_for(target: FakeTarget) -> None:
    def after(method: str, path: str, body: Any) -> None:
        if path.endswith("/restore"):
            target.after = lambda *_: None
            raise lost(method, path)

    target.after = after
    run(target)
    assert len(target.rows["volumes"]) == 1


def test_a_request_that_was_lost_on_its_way_is_unknown(target: FakeTarget) -> None:
    def before(method: str, path: str) -> None:
        if path.endswith("/restore"):
            raise lost(method, path)

    target.before = before
    with pytest.raises(UnknownOutcome):
        run(target)


def test_a_backup_that_somebody_restores_is_waited_for(target: FakeTarget) -> None:
    target.rows["backups"]["b-v-0"]["status"] = "restoring"
    with pytest.raises(TimedOut, match="being free for a restore"):
        run(target, timeout=0.1)


class TestImport:
    def test_once(self, target: FakeTarget) -> None:
        target.rows["backups"].clear()
        assert import_record(target.as_site(), "b-v-0", RECORD) is True
        assert import_record(target.as_site(), "b-v-0", RECORD) is False
        assert asked(target, "/backups/import_record") == 1

    def test_somebody_was_quicker(self, target: FakeTarget) -> None:
        row = target.rows["backups"].pop("b-v-0")

        def before(method: str, path: str) -> None:
            if method == "POST":
                target.rows["backups"]["b-v-0"] = row

        target.before = before
        assert import_record(target.as_site(), "b-v-0", RECORD) is True

    def test_one_in_error_is_never_deleted(self, target: FakeTarget) -> None:
        target.rows["backups"]["b-v-0"] |= {"status": "error", "fail_reason": "no such driver"}
        with pytest.raises(Failed, match="no such driver: the cinder-backup there must use the driver"):
            import_record(target.as_site(), "b-v-0", RECORD)
        assert not [call for call in target.calls if call[0] == "DELETE"]

    def test_refused_for_another_reason(self, target: FakeTarget) -> None:
        target.rows["backups"].clear()

        def before(method: str, path: str) -> None:
            if method == "POST":
                raise HttpError(403, "Policy doesn't allow backup:backup-import to be performed.")

        target.before = before
        with pytest.raises(Refused, match="backup-import"):
            import_record(target.as_site(), "b-v-0", RECORD)


class TestRemove:
    def test_gone_is_as_good(self, target: FakeTarget) -> None:
        remove_volume(target.as_site(), "nothing")
        assert remove_by_token(target.as_site(), TOKEN) == 0

    @pytest.mark.parametrize(
        "where", [{"name": TOKEN}, {"name": "db", "metadata": {"multisite_token": TOKEN}}]
    )
    def test_found_by_name_or_metadata(self, target: FakeTarget, where: dict[str, Any]) -> None:
        volume(target, "error_restoring", **where)
        assert remove_by_token(target.as_site(), TOKEN) == 1
        assert target.rows["volumes"] == {}

    def test_what_is_attached_elsewhere_is_said(
        self, target: FakeTarget, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(volumes, "_DETACH_SECONDS", 0.0)
        volume(target, "in-use")
        with pytest.raises(Failed, match="in-use"):
            remove_volume(target.as_site(), "v1")

    def test_what_is_being_restored_is_waited_for(self, target: FakeTarget) -> None:
        row = volume(target, "restoring-backup")
        looks = 0

        def before(method: str, path: str) -> None:
            nonlocal looks
            looks += method == "GET"
            if looks == 2:
                row["status"] = "available"

        target.before = before
        remove_volume(target.as_site(), "v1")
        assert target.rows["volumes"] == {}

    def test_a_refusal_that_stays_is_raised(self, target: FakeTarget) -> None:
        volume(target)

        def before(method: str, path: str) -> None:
            if method == "DELETE":
                raise HttpError(400, "Volume status must be available")

        target.before = before
        with pytest.raises(Refused, match="must be available"):
            remove_volume(target.as_site(), "v1")
