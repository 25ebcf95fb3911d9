# SPDX-License-Identifier: Apache-2.0
"""Whatever happens, the guest is thawed; and never while somebody newer relies on it being frozen."""

import dataclasses
import threading
import time

import pytest
from conftest import CONF, eventually
from nova import context as nova_context
from nova import objects
from oslo_db import exception as db_exception

from multisite_nova import records, thaw


def thawed(cloud, guest):
    return lambda: not guest.frozen and cloud.state(guest)["state"] == "thawed"


def test_a_server_is_frozen_and_thawed(cloud):
    guest = cloud.boot()
    status, body = cloud.act(guest, "quiesce")
    assert status == 200
    answer = body["quiesce"]
    assert (answer["server_id"], answer["timeout"]) == (guest.uuid, 30)
    assert answer["frozen_at"].endswith("Z")
    assert guest.frozen
    state = cloud.state(guest)
    assert (state["state"], state["thaw_at"], state["expired"]) == ("frozen", answer["thaw_at"], False)
    status, body = cloud.act(guest, "unquiesce")
    assert status == 200
    answer = body["unquiesce"]
    assert (answer["state"], answer["expired"], answer["confirmed"]) == ("thawed", False, True)
    assert answer["frozen_at"] < answer["thawed_at"]
    assert not guest.frozen
    assert cloud.state(guest)["thawed_at"] == answer["thawed_at"]


def test_compute_sees_the_request_id_of_the_caller_also_for_the_thaw_of_the_watcher(cloud):
    guest = cloud.boot()
    cloud.act(guest, "quiesce", {"timeout": 1}, request_id="req-of-the-caller")
    assert eventually(thawed(cloud, guest))
    assert {c.request_id for c in cloud.host.contexts} == {"req-of-the-caller"}


def test_the_limit_thaws_and_a_later_unquiesce_says_so(cloud):
    guest = cloud.boot()
    cloud.act(guest, "quiesce", {"timeout": 1})
    time.sleep(0.4)
    assert guest.frozen
    assert eventually(thawed(cloud, guest))
    window = guest.thaws[0] - guest.freezes[0]
    assert 1.0 <= window < 10.0
    assert len(guest.thaws) == 1
    status, body = cloud.act(guest, "unquiesce")
    assert (status, body["unquiesce"]["expired"], body["unquiesce"]["state"]) == (200, True, "thawed")
    assert body["unquiesce"]["thawed_at"] == cloud.state(guest)["thawed_at"]
    assert len(guest.thaws) == 2  # for safety


def test_a_second_freeze_is_refused_and_the_first_stays_in_force(cloud):
    guest = cloud.boot()
    _, first = cloud.act(guest, "quiesce", {"timeout": 2})
    status, body = cloud.act(guest, "quiesce", {"timeout": 600})
    assert (status, list(body)) == (409, ["conflictingRequest"])
    assert "frozen already" in body["conflictingRequest"]["message"]
    assert guest.frozen
    assert cloud.state(guest)["thaw_at"] == first["quiesce"]["thaw_at"]
    assert guest.asked == ["freeze"]
    assert eventually(thawed(cloud, guest))


def test_of_many_at_once_one_freezes(cloud):
    guest = cloud.boot()
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(cloud.act(guest, "quiesce")[0])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200] + [409] * 7
    assert guest.frozen
    assert guest.asked == ["freeze"]


def test_an_old_limit_does_not_thaw_a_newer_freeze(cloud):
    guest = cloud.boot()
    cloud.act(guest, "quiesce", {"timeout": 1})
    cloud.act(guest, "unquiesce")
    assert cloud.act(guest, "quiesce", {"timeout": 30})[0] == 200
    time.sleep(2)
    assert guest.frozen


def test_an_old_limit_in_another_process_does_not_thaw_a_newer_freeze(cloud):
    guest, other = cloud.boot(), thaw.Watcher()
    other.start()
    cloud.act(guest, "quiesce", {"timeout": 3})
    assert eventually(lambda: guest.uuid in other._watched)
    cloud.act(guest, "unquiesce")
    assert cloud.act(guest, "quiesce", {"timeout": 30})[0] == 200
    time.sleep(3.5)
    other._reset()
    assert guest.frozen


def test_two_processes_thaw_once(cloud):
    guest, other = cloud.boot(), thaw.Watcher()
    other.start()
    cloud.act(guest, "quiesce", {"timeout": 2})
    assert eventually(lambda: guest.uuid in other._watched)
    assert eventually(thawed(cloud, guest))
    time.sleep(1)
    other._reset()
    assert len(guest.thaws) == 1
    assert guest.uuid not in other._watched


class TestKilled:
    """nova-api ends as by kill -9."""

    def test_the_next_process_keeps_the_limit(self, cloud):
        guest = cloud.boot()
        cloud.act(guest, "quiesce", {"timeout": 2})
        cloud.restart()
        time.sleep(1.2)
        assert guest.frozen  # not earlier than promised
        assert eventually(thawed(cloud, guest))

    def test_a_process_started_after_the_limit_thaws_at_once(self, cloud):
        guest = cloud.boot()
        cloud.act(guest, "quiesce", {"timeout": 1})
        cloud.kill()
        time.sleep(1.5)
        assert guest.frozen  # the negative control: nobody is there to thaw it
        cloud.restart()
        assert eventually(thawed(cloud, guest))
        assert cloud.state(guest)["expired"]

    def test_another_process_thaws(self, cloud):
        guest, other = cloud.boot(cell="cell2"), thaw.Watcher()
        other.start()
        cloud.act(guest, "quiesce", {"timeout": 2})
        cloud.kill()
        assert eventually(lambda: not guest.frozen)
        assert guest.thaws[0] - guest.freezes[0] < 4
        other._reset()

    def test_before_the_answer_was_written_down(self, cloud):
        """Killed between the freeze and the record of it: the intent in the database is enough."""
        guest = cloud.boot()
        now = time.time()
        records.change(
            cloud.cell(guest), guest.uuid,
            lambda last: records.successor(last, "freezing", 600, "req-1", now, now + 1, now + 7),
        )  # fmt: skip
        guest.command("freeze")
        cloud.restart()
        assert eventually(lambda: not guest.frozen)
        assert (
            cloud.state(guest)["state"] == "thawing"
        )  # the freeze may still be on its way, as far as is known
        assert eventually(thawed(cloud, guest))

    def test_while_the_agent_hangs(self, cloud):
        guest = cloud.boot()
        guest.hang()
        cloud.watcher._answered_late = lambda *_: None  # dies with the process
        assert cloud.act(guest, "quiesce")[0] == 409
        cloud.restart()
        time.sleep(1)
        guest.wake()
        assert eventually(lambda: guest.freezes)
        assert eventually(thawed(cloud, guest))


class TestHungAgent:
    """The agent does not answer; the freeze happens when it comes back."""

    def test_the_caller_is_told_in_time_and_the_late_freeze_undone(self, cloud):
        guest = cloud.boot()
        guest.hang()
        began = time.time()
        status, body = cloud.act(guest, "quiesce")
        assert time.time() - began < 4
        assert status == 409
        assert "did not confirm the freeze within 1 seconds" in body["conflictingRequest"]["message"]
        assert cloud.state(guest)["state"] == "thawing"
        time.sleep(1.5)
        guest.wake()
        assert eventually(thawed(cloud, guest))
        assert guest.freezes
        assert guest.thaws[-1] - guest.freezes[0] < 1.5

    def test_without_the_thaw_of_a_late_freeze_the_guest_stays_frozen(self, cloud, monkeypatch):
        """The negative control: the fake does what the real guest does."""
        monkeypatch.setattr(thaw.Watcher, "_answered_late", lambda *_: None)
        monkeypatch.setattr(thaw.Watcher, "_thaw_due", lambda *_: None)
        guest = cloud.boot()
        guest.hang()
        assert cloud.act(guest, "quiesce")[0] == 409
        guest.wake()
        assert eventually(lambda: guest.frozen)
        time.sleep(2)
        assert guest.frozen

    def test_the_late_answer_ends_the_repeating(self, cloud):
        guest = cloud.boot()
        guest.hang()
        cloud.act(guest, "quiesce")
        guest.wake()
        assert eventually(thawed(cloud, guest))
        count = len(guest.thaws)
        time.sleep(1)
        assert len(guest.thaws) == count
        assert cloud.act(guest, "quiesce")[0] == 200  # at once, not after the late period

    def test_a_thaw_the_hung_agent_holds_up(self, cloud):
        guest = cloud.boot()
        cloud.act(guest, "quiesce", {"timeout": 30})
        guest.hang()
        status, body = cloud.act(guest, "unquiesce")
        assert status == 409
        assert "attempts go on" in body["conflictingRequest"]["message"]
        assert cloud.act(guest, "quiesce")[0] == 409
        guest.wake()
        assert eventually(thawed(cloud, guest))

    def test_nothing_is_promised_while_a_freeze_may_still_come(self, cloud):
        """nova-compute holds the freeze back while it thaws; the process that waited for it is gone."""
        CONF.set_override("late_period", 60, "multisite_quiesce")
        guest = cloud.boot()
        cloud.host.stalled.clear()
        cloud.watcher._answered_late = lambda *_: None  # dies with the process
        assert cloud.act(guest, "quiesce")[0] == 409
        cloud.restart()
        assert eventually(lambda: len(guest.thaws) >= 3)
        assert cloud.state(guest)["state"] == "thawing"
        status, body = cloud.act(guest, "unquiesce")
        assert status == 409
        assert "earlier freeze may still come" in body["conflictingRequest"]["message"]
        cloud.host.stalled.set()
        assert eventually(lambda: guest.freezes)
        assert eventually(lambda: not guest.frozen)
        assert cloud.act(guest, "quiesce")[0] == 409

    def test_a_freeze_that_never_answers_is_given_up(self, cloud):
        guest = cloud.boot()
        cloud.host.stalled.clear()
        cloud.act(guest, "quiesce")
        assert eventually(thawed(cloud, guest))  # after late_period and one more thaw


class TestDeadAgent:
    """The agent is not there: an error at once."""

    def test_the_caller_is_told_at_once_and_the_guest_thawed_when_the_agent_is_back(self, cloud):
        guest = cloud.boot()
        guest.agent = "dead"
        began = time.time()
        status, body = cloud.act(guest, "quiesce")
        assert time.time() - began < 1.0  # not the time a hung one would take
        assert status == 409
        assert "the agent is not connected" in body["conflictingRequest"]["message"]
        assert "Traceback" not in body["conflictingRequest"]["message"]
        assert eventually(lambda: guest.asked.count("thaw") > 2)
        assert cloud.state(guest)["state"] == "thawing"
        guest.agent = "ok"
        assert eventually(thawed(cloud, guest))
        assert cloud.act(guest, "quiesce")[0] == 200

    def test_a_second_try_gets_the_reason_too(self, cloud):
        guest = cloud.boot()
        guest.agent = "dead"
        cloud.act(guest, "quiesce")
        status, body = cloud.act(guest, "quiesce")
        assert status == 409
        assert "the agent is not connected" in body["conflictingRequest"]["message"]

    def test_a_second_try_need_not_wait_for_the_watcher(self, cloud, monkeypatch):
        monkeypatch.setattr(records, "RETRY", 30.0)
        guest = cloud.boot()
        guest.agent = "dead"
        cloud.act(guest, "quiesce")
        eventually(lambda: "thaw" in guest.asked)
        guest.agent = "ok"
        assert cloud.act(guest, "quiesce")[0] == 200
        assert guest.frozen


def test_a_server_without_an_agent_is_refused_at_once(cloud):
    guest = cloud.boot()
    guest.supported = False
    status, body = cloud.act(guest, "quiesce")
    assert status == 409
    assert "guest agent is not enabled" in body["conflictingRequest"]["message"]
    assert cloud.state(guest)["state"] == "thawed"
    time.sleep(0.5)
    assert guest.asked == ["freeze"]


class TestNothingFrozen:
    """unquiesce of a server nobody froze."""

    def test_a_thaw_is_sent_for_safety(self, cloud):
        guest = cloud.boot()
        guest.command("freeze")  # by hand
        status, body = cloud.act(guest, "unquiesce")
        assert status == 200
        answer = body["unquiesce"]
        assert (answer["state"], answer["frozen_at"], answer["expired"]) == ("thawed", None, False)
        assert not guest.frozen

    def test_its_failure_is_no_harm(self, cloud):
        guest = cloud.boot()
        guest.agent = "dead"
        status, body = cloud.act(guest, "unquiesce")
        assert (status, body["unquiesce"]["state"], body["unquiesce"]["confirmed"]) == (200, "thawed", False)
        time.sleep(0.5)
        assert guest.asked == ["thaw"]

    def test_its_silence_is_not_passed_over(self, cloud):
        guest = cloud.boot()
        guest.hang()
        assert cloud.act(guest, "unquiesce")[0] == 409


@pytest.mark.parametrize(
    "values", [{"vm_state": "stopped"}, {"vm_state": "paused"}, {"task_state": "rebooting"}, {"host": None}]
)
def test_only_an_active_and_idle_server_is_frozen(cloud, values):
    guest = cloud.boot(**values)
    status, body = cloud.act(guest, "quiesce")
    assert (status, list(body)) == (409, ["conflictingRequest"])
    assert guest.asked == []


class TestServerChanges:
    """What happens to a server while it is frozen."""

    def change(self, cloud, guest, **values):
        with nova_context.target_cell(nova_context.get_admin_context(), cloud.nova.cells["cell1"]) as context:
            server = objects.Instance.get_by_uuid(context, guest.uuid)
            server.update(values)
            server.save()

    def test_switched_off_it_is_not_frozen_any_more(self, cloud):
        guest = cloud.boot()
        cloud.act(guest, "quiesce", {"timeout": 1})
        self.change(cloud, guest, vm_state="stopped")
        assert eventually(lambda: cloud.state(guest)["state"] == "thawed")
        assert guest.thaws == []

    def test_paused_it_stays_frozen_until_it_runs(self, cloud):
        guest = cloud.boot()
        cloud.act(guest, "quiesce", {"timeout": 1})
        self.change(cloud, guest, vm_state="paused")
        guest.agent = "dead"
        time.sleep(2)
        assert cloud.state(guest)["state"] == "thawing"
        self.change(cloud, guest, vm_state="active")
        guest.agent = "ok"
        assert eventually(thawed(cloud, guest))

    def test_deleted_it_is_forgotten(self, cloud):
        guest = cloud.boot()
        cloud.act(guest, "quiesce", {"timeout": 1})
        with nova_context.target_cell(nova_context.get_admin_context(), cloud.nova.cells["cell1"]) as context:
            objects.Instance.get_by_uuid(context, guest.uuid).destroy()
        assert eventually(lambda: guest.uuid not in cloud.watcher._watched)

    def test_its_record_is_lost(self, cloud):
        guest = cloud.boot()
        context = cloud.cell(guest)
        stale = objects.Instance.get_by_uuid(context, guest.uuid, expected_attrs=["system_metadata"])
        cloud.act(guest, "quiesce", {"timeout": 1})
        stale.system_metadata["password_0"] = "x"
        stale.save()
        assert records.get(context, guest.uuid) is None
        assert eventually(lambda: not guest.frozen)
        assert eventually(thawed(cloud, guest))


class TestDatabaseGone:
    """The database fails while a guest is frozen."""

    @pytest.fixture
    def broken(self, monkeypatch):
        def fail(*_):
            raise db_exception.DBConnectionError

        def broken():
            monkeypatch.setattr(records, "change", fail)
            monkeypatch.setattr(records, "scan", fail)

        return broken

    def test_the_process_that_froze_the_guest_thaws_it(self, cloud, broken, monkeypatch):
        guest, change, scan = cloud.boot(), records.change, records.scan
        cloud.act(guest, "quiesce", {"timeout": 1})
        broken()
        assert eventually(lambda: not guest.frozen)
        time.sleep(1)
        assert len(guest.thaws) == 1  # once
        monkeypatch.setattr(records, "change", change)
        monkeypatch.setattr(records, "scan", scan)
        assert eventually(thawed(cloud, guest))

    def test_between_the_freeze_and_its_record(self, cloud, broken, monkeypatch):
        guest = cloud.boot()
        send = thaw.guest.send

        def send_then_break(*args):
            send(*args)
            broken()

        monkeypatch.setattr(thaw.guest, "send", send_then_break)
        assert cloud.act(guest, "quiesce", {"timeout": 600})[0] == 500
        assert guest.freezes
        assert eventually(lambda: not guest.frozen)


class TestWatcher:
    """The thread."""

    def test_it_survives_its_errors(self, cloud, monkeypatch):
        guest = cloud.boot()
        monkeypatch.setattr(thaw.Watcher, "_scan_cell", lambda *_: 1 / 0)
        cloud.watcher._scan_due = 0
        broken = [True]
        background = thaw.background

        def failing(*args):
            if broken:
                raise RuntimeError("can't start new thread")
            return background(*args)

        cloud.act(guest, "quiesce", {"timeout": 1})
        monkeypatch.setattr(thaw, "background", failing)
        time.sleep(1.5)
        assert guest.frozen
        broken.clear()
        assert eventually(thawed(cloud, guest))

    def test_after_a_fork_it_starts_again_and_knows_nothing(self, cloud, monkeypatch):
        cloud.watcher._watched["x"] = None
        monkeypatch.setattr(thaw.os, "getpid", lambda: 1)
        thread = cloud.watcher._thread
        cloud.watcher._watched = {}
        assert cloud.watcher.healthy()
        assert cloud.watcher._thread is not thread

    def test_a_cell_that_is_down_does_not_hide_another(self, cloud, monkeypatch):
        guest = cloud.boot(cell="cell2")
        scan = records.scan

        def scan_one(context, after):
            if context.cell_uuid == cloud.nova.cells["cell1"].uuid:
                raise db_exception.DBConnectionError
            return scan(context, after)

        monkeypatch.setattr(records, "scan", scan_one)
        cloud.act(guest, "quiesce", {"timeout": 1})
        cloud.restart()
        assert eventually(lambda: not guest.frozen)

    def test_a_record_that_cannot_be_read_is_left_alone(self, cloud):
        guest = cloud.boot()
        context = cloud.cell(guest)
        server = objects.Instance.get_by_uuid(context, guest.uuid, expected_attrs=["system_metadata"])
        server.system_metadata[records.KEY] = "[2,0]"
        server.save()
        assert cloud.act(guest, "quiesce")[0] == 200
        assert dataclasses.is_dataclass(records.get(context, guest.uuid))
