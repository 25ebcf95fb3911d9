"""Policies carried out: every tick once, whatever happens; what does not happen is told and counted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.domain.model import RestorePointState
from multisite.domain.retention import BEING_DELETED
from multisite.recovery.policies import scheduler
from multisite.recovery.policies.service import ScheduleStatus
from multisite.store.database import Database
from tests.unit.recovery.policies.scheduler_checks import check_two_workers
from tests.unit.recovery.policies.simulated import ANN, BOB, START, Job, Setup, setup_in

HOURLY = [{"cron": "0 * * * *"}]
HOUR = timedelta(hours=1)


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    with setup_in(tmp_path) as made:
        yield made


def status(setup: Setup) -> ScheduleStatus:
    return setup.service.schedules([setup.protections.get(ANN, "pr1")])["pr1"]


def ticks(setup: Setup) -> list[str]:
    return [f"{tick:%H:%M}" for tick, _ in setup.protections.made]


def test_a_run_is_made_when_it_is_due_and_not_before(setup: Setup) -> None:
    setup.clock.pass_(minutes=10)
    setup.policy(schedules=HOURLY)
    assert (status(setup).state, status(setup).next_run_at) == ("waiting", START + HOUR)
    setup.let_pass(START + HOUR * 3, timedelta(minutes=5))
    assert ticks(setup) == ["01:00", "02:00", "03:00"]
    assert (status(setup).runs, status(setup).next_run_at) == (3, START + HOUR * 4)


def test_an_interval_begins_at_once(setup: Setup) -> None:
    setup.policy(schedules=[{"interval_seconds": 1800}])
    setup.look()
    setup.let_pass(START + HOUR, timedelta(minutes=5))
    assert ticks(setup) == ["00:00", "00:30", "01:00"]


def test_it_runs_as_who_gave_the_policy(setup: Setup) -> None:
    setup.policy(schedules=[{"interval_seconds": 1800}])
    setup.look()
    (caller,) = setup.protections.callers
    assert (caller.user_name, caller.project_id, caller.roles) == ("ann", "p1", frozenset({"member"}))
    assert status(setup).asked_by == "ann"


def test_missed_runs_are_one_run_and_told(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    setup.policy(schedules=HOURLY)
    setup.clock.to(START + HOUR * 9 + timedelta(minutes=20))  # nobody was there
    setup.look()
    assert ticks(setup) == ["09:00"]
    assert (status(setup).runs, status(setup).missed) == (1, 8)
    assert "runs were missed" in (status(setup).note or "")
    assert "runs were missed" in setup.protections.notes[0][0], "the restore point says it, too"
    assert "runs were missed" in caplog.text
    setup.clock.pass_(minutes=40)
    setup.look()
    assert len(ticks(setup)) == 2
    assert status(setup).note is None


def test_a_run_still_at_work_when_the_next_is_due(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    setup.policy(schedules=HOURLY)
    setup.jobs.at_work = Job("j7", "protect")
    setup.let_pass(START + HOUR * 2, timedelta(minutes=30))
    assert ticks(setup) == []
    assert status(setup).skipped == 2
    assert "skipped: job j7 was still at work" in (status(setup).note or "")
    assert "skipped" in caplog.text
    setup.jobs.at_work = None
    setup.let_pass(START + HOUR * 3, timedelta(minutes=30))
    assert ticks(setup) == ["03:00"]


def test_other_work_on_the_application_is_waited_for(setup: Setup) -> None:
    setup.clock.pass_(minutes=10)
    setup.policy(schedules=HOURLY)
    setup.jobs.at_work = Job("j8", "delete-restore-point")
    setup.let_pass(START + HOUR, timedelta(minutes=5))
    assert (ticks(setup), status(setup).skipped) == ([], 0)
    assert "waits for job j8" in (status(setup).note or "")
    setup.jobs.at_work = None
    setup.clock.pass_(seconds=scheduler.BUSY)
    setup.look()
    assert ticks(setup) == ["01:00"]
    assert status(setup).missed == 0


def test_what_cannot_begin_is_tried_again_and_counted_when_the_next_is_due(setup: Setup) -> None:
    setup.clock.pass_(minutes=10)
    setup.policy(schedules=HOURLY)
    setup.protections.refusal = Conflict("site paris: no answer")
    setup.let_pass(START + HOUR * 3, timedelta(minutes=1))
    assert "could not begin, and is tried again: site paris" in (status(setup).note or "")
    assert (status(setup).runs, status(setup).missed) == (0, 2)
    setup.protections.refusal = None
    setup.let_pass(START + HOUR * 3 + timedelta(minutes=20), timedelta(minutes=1))
    assert ticks(setup) == ["03:00"]
    assert (status(setup).runs, status(setup).missed) == (1, 2)


@pytest.mark.parametrize("who", ["policy", "protection"])
def test_paused_nothing_is_run_and_nothing_deleted(setup: Setup, who: str) -> None:
    id = setup.policy(schedules=[{"interval_seconds": 3600}], retention={"last": 1})
    setup.look()
    setup.clock.pass_(hours=1)
    setup.look()
    pause(setup, id, who, paused=True)
    setup.let_pass(START + HOUR * 5, timedelta(minutes=20))
    assert len(setup.kept) == 2, "the incremental one and what it builds on"
    assert (len(ticks(setup)), status(setup).state, status(setup).next_run_at) == (2, "paused", None)
    assert "paused" in (setup.service.preview(ANN, "pr1").held or "")
    pause(setup, id, who, paused=False)
    setup.look()
    assert len(ticks(setup)) == 2, "what was due meanwhile is not made up for"
    assert status(setup).missed == 0
    setup.let_pass(START + HOUR * 6, timedelta(minutes=20))
    assert len(ticks(setup)) == 3


def pause(setup: Setup, policy: str, who: str, *, paused: bool) -> None:
    if who == "policy":
        setup.service.update(ANN, policy, {"paused": paused})
    else:
        setup.pause(paused)


class Killed(BaseException):
    """kill -9."""


def killed_at(setup: Setup, number: int, commits: int | None = None) -> bool:
    """Let a process look that dies before its ``number``-th statement; False when it had no more than those."""
    seen = [0]

    def before(*_: Any) -> None:
        seen[0] += 1
        if seen[0] == number:
            raise Killed

    engine = setup.database.engine
    event.listen(engine, "before_cursor_execute", before)
    try:
        process = setup.another()
        process._threads._threads = Inline()  # type: ignore[assignment]
        process.run()
    except Killed:
        return True
    finally:
        event.remove(engine, "before_cursor_execute", before)
    return False


class Inline:
    """In the thread of who asks, so that its death is the process's."""

    def submit(self, call: Any, *arguments: Any) -> Any:
        call(*arguments)
        return Done()


class Done:
    def done(self) -> bool:
        return True


def test_killed_at_any_statement_no_tick_is_run_twice_or_not_at_all(setup: Setup) -> None:
    setup.policy(schedules=HOURLY, retention={"last": 2})
    hours, number, deaths = 0, 1, 0
    while True:
        hours += 1
        setup.clock.to(START + HOUR * hours)
        died = killed_at(setup, number)
        deaths += died
        setup.look()  # whoever comes after it
        setup.look()
        assert setup.state.runs == len(setup.protections.made), f"killed at statement {number}"
        assert setup.state.missed == 0
        if not died:
            break
        number += 1
    assert deaths > 10
    assert [tick.hour for tick, _ in setup.protections.made] == [n % 24 for n in range(1, hours + 1)]


def test_two_workers(tmp_path: Path) -> None:
    check_two_workers(f"sqlite:///{tmp_path}/multisite.db")


def test_deletions_go_one_by_one_and_stop_at_one_that_is_paused(setup: Setup) -> None:
    setup.policy(schedules=[{"interval_seconds": 3600}])
    setup.protections.full_every = 1
    setup.let_pass(START + HOUR * 6, HOUR)
    setup.service.update(ANN, setup.state.policy_id, {"retention": {"last": 2}, "schedules": []})
    oldest = setup.kept[0].id
    setup.mark(oldest, state=RestorePointState.FAILED, error=BEING_DELETED, job_id="j9")
    setup.look()
    count = len(setup.kept)
    assert f"{oldest} is being deleted: wait for job j9, or resume it" in (status(setup).retention_note or "")
    setup.protections.points.rows.delete(oldest)
    for _ in range(count):
        before = len(setup.kept)
        setup.clock.pass_(seconds=scheduler.BUSY)
        setup.look()
        assert before - len(setup.kept) in (0, 1)
    assert len(setup.kept) == 2
    assert status(setup).retention_note is None


def test_the_preview_says_what_would_go_and_why(setup: Setup) -> None:
    setup.policy(schedules=[{"interval_seconds": 3600}])
    setup.protections.full_every = 2
    setup.let_pass(START + HOUR * 4, HOUR)
    setup.service.update(ANN, setup.state.policy_id, {"retention": {"last": 1}})
    kept = [(v.keep, v.reasons[0]) for v in setup.service.preview(ANN, "pr1").restore_points]
    assert kept[0] == (True, "the newest usable one")
    assert (False, "no rule of the policy keeps it") in kept
    assert len(setup.kept) == len(kept), "nothing was changed"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"schedules": [{"cron": "* * *"}]}, "schedules.0.cron: '* * *' is no cron expression"),
        ({"schedules": [{}]}, "schedules.0: give one of cron and interval_seconds"),
        ({"schedules": [{"cron": "0 * * * *", "interval_seconds": 60}]}, "schedules.0: give one of"),
        ({"schedules": [{"interval_seconds": 5}]}, "schedules.0.interval_seconds: "),
        ({"retention": {"daily": 0}}, "retention.daily: "),
        ({"retention": {"fortnightly": 1}}, "retention.fortnightly: there is no such rule of retention"),
    ],
)
def test_what_is_wrong_is_named(setup: Setup, given: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        setup.service.create(ANN, "gold", **given)
    assert str(refused.value).startswith(said)


def test_a_policy_is_of_its_project(setup: Setup) -> None:
    gold = setup.service.create(ANN, "gold")
    theirs = setup.service.create(BOB, "gold")
    assert [policy.id for policy in setup.service.list(ANN)] == [gold.id]
    with pytest.raises(NotFound):
        setup.service.get(BOB, gold.id)
    with pytest.raises(NotFound):
        setup.service.assign(ANN, "pr1", {"policy": theirs.id})
    with pytest.raises(Conflict, match="already exists in this project"):
        setup.service.create(ANN, "gold")


def test_a_policy_in_use_stays(setup: Setup) -> None:
    id = setup.policy(schedules=HOURLY)
    with pytest.raises(Conflict, match="still used by protections"):
        setup.service.delete(ANN, id)
    setup.service.assign(ANN, "pr1", {"policy": None})
    assert status(setup).state == "none"
    setup.service.delete(ANN, id)


def test_a_protection_takes_its_schedule_along(setup: Setup) -> None:
    setup.policy(schedules=HOURLY)
    setup.protections.rows.delete("pr1")
    assert setup.schedules.list() == []


def test_a_new_schedule_begins_anew_and_the_same_policy_again_does_not(setup: Setup) -> None:
    id = setup.policy(schedules=[{"interval_seconds": 3600}])
    setup.look()
    setup.clock.pass_(minutes=30)
    setup.service.assign(ANN, "pr1", {"policy": id})
    setup.look()
    assert len(ticks(setup)) == 1
    setup.service.update(ANN, id, {"schedules": [{"interval_seconds": 600}]})
    assert status(setup).next_run_at == setup.clock.moment + timedelta(minutes=10)


def test_the_database_that_was_upgraded_has_it_all(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/multisite.db")
    database.upgrade("0019")
    database.upgrade()
    assert database.version() is not None
    database.close()
