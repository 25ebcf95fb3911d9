"""Volumes from backups: wherever an earlier attempt stopped, the next one goes on from there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from multisite.clouds import volumes
from multisite.clouds.errors import Failed, Refused, TimedOut, UnknownOutcome
from multisite.clouds.restore import (
    WantedVolume,
    import_record,
    remove_by_token,
    remove_volume,
    restore_volume,
)
from multisite_lab.sim.model import Volume
from tests.unit.simulated import Sent, SimulatedSite, backup_record, simulated_target

TOKEN = "multisite:job-1:volume-1"
WANTED = WantedVolume("db", 1, "b-v-0", bootable=True, metadata={"owner": "me"}, image_metadata={"hw": "x"})
RECORD = backup_record("b-v-0", "v")


@pytest.fixture
def target(monkeypatch: pytest.MonkeyPatch) -> SimulatedSite:
    made = simulated_target(monkeypatch)
    made.store_backup("b-v-0")
    made.add_backup("b-v-0", "v")
    return made


def run(target: SimulatedSite, wanted: WantedVolume = WANTED, **more: Any) -> Volume:
    volume_id = restore_volume(target.site, TOKEN, wanted, timeout=more.pop("timeout", 5), **more)
    return target.state.volumes[volume_id]


def volume(target: SimulatedSite, status: str = "available", **more: Any) -> Volume:
    return target.add_volume("v1", status, **({"name": TOKEN} | more))


def asked(target: SimulatedSite, path: str) -> list[Any]:
    return target.bodies("POST", path)


def test_restored_named_marked_and_bootable(target: SimulatedSite) -> None:
    made = run(target)
    assert made.name == "db"
    assert made.metadata == {"owner": "me", "multisite_token": TOKEN, "src_backup_id": "b-v-0"}
    assert made.bootable
    assert made.image_metadata == {"hw": "x"}
    assert asked(target, "/backups/b-v-0/restore") == [{"restore": {"name": TOKEN}}], (
        "Cinder makes the volume"
    )


def test_a_blank_one_first(target: SimulatedSite) -> None:
    target.add_volume_type("fast")
    made = run(target, replace(WANTED, blank_first=True, volume_type="fast", size_gib=9))
    assert (made.volume_type, made.size) == ("fast", 9)
    assert asked(target, "/backups/b-v-0/restore") == [{"restore": {"volume_id": made.id}}]
    assert made.metadata["src_backup_id"] == "b-v-0"


EMPTY = replace(WANTED, backup_id=None, bootable=False)


def test_one_whose_data_is_given_up_stays_blank(target: SimulatedSite) -> None:
    made = run(target, EMPTY)
    assert (made.name, made.metadata) == ("db", {"owner": "me", "multisite_token": TOKEN})
    assert run(target, EMPTY) is made, "as after an interruption"
    assert asked(target, "/backups/b-v-0/restore") == []
    made.status, made.server_id = "in-use", "s1"
    assert run(target, EMPTY) is made


def test_a_blank_one_whose_answer_was_lost_is_looked_for(target: SimulatedSite) -> None:
    lost = target.strike("lost", "POST", "/volumes$")
    assert run(target, EMPTY).name == "db"
    assert (lost.struck, len(target.state.volumes)) == (1, 1)


def test_done_before_it_is_only_described_again(target: SimulatedSite) -> None:
    first = run(target)
    assert run(target) is first
    assert len(asked(target, "/backups/b-v-0/restore")) == 1


def test_done_before_but_not_yet_named(target: SimulatedSite) -> None:
    volume(target, metadata={"src_backup_id": "b-v-0"})
    assert run(target).name == "db"
    assert len(asked(target, "/backups/b-v-0/restore")) == 0


def test_a_blank_volume_is_not_taken_for_a_restored_one(target: SimulatedSite) -> None:
    volume(target)
    assert run(target).id == "v1"
    assert len(asked(target, "/backups/b-v-0/restore")) == 1


def test_one_that_is_being_restored_is_waited_for(target: SimulatedSite) -> None:
    row = volume(target, "restoring-backup")
    seen: list[str] = []

    def told(status: str) -> None:
        seen.append(status)
        row.status, row.metadata = "available", {"src_backup_id": "b-v-0"}

    run(target, on_poll=told)
    assert seen == ["restoring-backup", "available"]
    assert len(asked(target, "/backups/b-v-0/restore")) == 0


@pytest.mark.parametrize("status", ["error", "error_restoring"])
def test_one_that_ended_badly_is_made_anew(target: SimulatedSite, status: str) -> None:
    volume(target, status)
    assert run(target).id != "v1"
    assert "v1" not in target.state.volumes


def test_a_failing_restore_gives_cinders_reason(target: SimulatedSite) -> None:
    target.store.objects.clear()
    with pytest.raises(
        Failed, match=r"volume db from backup b-v-0: ended as error_restoring.*could not be found"
    ):
        run(target)


def test_a_lost_answer_is_looked_for(target: SimulatedSite) -> None:
    lost = target.strike("lost", "POST", "/restore$")
    run(target)
    assert (lost.struck, len(target.state.volumes)) == (1, 1)


def test_a_request_that_was_lost_on_its_way_is_unknown(target: SimulatedSite) -> None:
    target.strike("error", "POST", "/restore$", times=1000)
    with pytest.raises(UnknownOutcome):
        run(target)
    assert target.state.volumes == {}


def test_a_backup_that_somebody_restores_is_waited_for(target: SimulatedSite) -> None:
    target.state.backups["b-v-0"].status = "restoring"
    with pytest.raises(TimedOut, match="being free for a restore"):
        run(target, timeout=0.1)


@pytest.mark.parametrize("blank_first", [False, True])
def test_a_backup_that_somebody_has_restored_meanwhile_is_asked_for_again(
    target: SimulatedSite, blank_first: bool
) -> None:
    """Free when it was looked at, busy when the request came, free again at the next look."""
    backup, busy = target.state.backups["b-v-0"], []

    def before(sent: Sent) -> None:
        first = (
            sent.path.endswith("/restore")
            and backup.status == "available"
            and len(asked(target, sent.path)) == 1
        )
        backup.status = "restoring" if first else backup.status
        if sent.method == "GET" and sent.path == "/backups/b-v-0":
            backup.status = "available"

    target.before = before
    made = run(target, replace(WANTED, blank_first=blank_first), on_busy=lambda: busy.append(1))
    assert (made.metadata["src_backup_id"], len(target.state.volumes)) == ("b-v-0", 1)
    assert (len(asked(target, "/backups/b-v-0/restore")), busy) == (2, [1])


def test_what_is_refused_for_another_reason_is_not_asked_again(target: SimulatedSite) -> None:
    target.strike("error", "POST", "/restore$", status=400)
    with pytest.raises(Refused):
        run(target)
    assert len(asked(target, "/backups/b-v-0/restore")) == 1


class TestImport:
    def test_once(self, target: SimulatedSite) -> None:
        target.state.backups.clear()
        assert import_record(target.site, "b-v-0", RECORD) is True
        assert import_record(target.site, "b-v-0", RECORD) is False
        assert len(asked(target, "/backups/import_record")) == 1

    def test_somebody_was_quicker(self, target: SimulatedSite) -> None:
        row = target.state.backups.pop("b-v-0")

        def before(sent: Sent) -> None:
            if sent.method == "POST":
                target.sim.state.backups["b-v-0"] = row

        target.before = before
        assert import_record(target.site, "b-v-0", RECORD) is True

    def test_one_in_error_is_never_deleted(self, target: SimulatedSite) -> None:
        row = target.state.backups["b-v-0"]
        row.status, row.fail_reason = "error", "no such driver"
        with pytest.raises(Failed, match="no such driver: the cinder-backup there must use the driver"):
            import_record(target.site, "b-v-0", RECORD)
        assert target.changes == []

    def test_refused_for_another_reason(self, target: SimulatedSite) -> None:
        target.state.backups.clear()
        with pytest.raises(Refused, match="backup-import"):
            import_record(target.member, "b-v-0", RECORD)
        assert target.state.backups == {}


class TestRemove:
    def test_gone_is_as_good(self, target: SimulatedSite) -> None:
        remove_volume(target.site, "nothing")
        assert remove_by_token(target.site, TOKEN) == 0

    @pytest.mark.parametrize(
        "where", [{"name": TOKEN}, {"name": "db", "metadata": {"multisite_token": TOKEN}}]
    )
    def test_found_by_name_or_metadata(self, target: SimulatedSite, where: dict[str, Any]) -> None:
        volume(target, "error_restoring", **where)
        assert remove_by_token(target.site, TOKEN) == 1
        assert target.state.volumes == {}

    def test_what_is_attached_elsewhere_is_said(
        self, target: SimulatedSite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(volumes, "_DETACH_SECONDS", 0.0)
        volume(target)
        target.add_server("s1", "elsewhere")
        target.attach("v1", "s1")
        with pytest.raises(Failed, match="in-use"):
            remove_volume(target.site, "v1")

    def test_what_is_being_restored_is_waited_for(self, target: SimulatedSite) -> None:
        row = volume(target, "restoring-backup")

        def before(sent: Sent) -> None:
            if [s.method for s in target.sent].count("GET") == 2:
                row.status = "available"

        target.before = before
        remove_volume(target.site, "v1")
        assert target.state.volumes == {}

    def test_a_refusal_that_stays_is_raised(self, target: SimulatedSite) -> None:
        volume(target, group_id="g1")
        with pytest.raises(Refused, match="must be available"):
            remove_volume(target.site, "v1")
