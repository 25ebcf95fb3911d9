"""Drills by a policy over simulated days: when they begin, what is counted; no two workers begin one twice."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from multisite.domain.caller import Caller
from multisite.domain.drill import DrillResult
from multisite.domain.errors import Conflict, Invalid, MultisiteError, NotFound
from multisite.recovery.policies import ticks
from multisite.recovery.policies.scheduler import PolicyScheduler
from multisite.store.database import Database
from multisite.store.policies import ProtectionScheduleRepository
from tests.unit.recovery.policies.simulated import ANN, START, Setup, setup_in

SATURDAYS = "0 3 * * 6"
DAILY = "0 3 * * *"


class Drills:
    """In place of ``DrillService``: ``made`` has the moment of each; ``refusal`` is raised by the next ones."""

    def __init__(self, setup: Setup, database: Database, made: list[Any]) -> None:
        self.setup, self.database, self.made = setup, database, made
        self.at_work: Any = None
        self.refusal: MultisiteError | None = None
        self.results: dict[str, Any] = {}
        self.before: Callable[[], object] = lambda: None

    def unfinished(self, _caller: Caller, application_id: str) -> Any:
        assert application_id == "a1"
        return self.at_work

    def start_newest(
        self, caller: Caller, application_id: str, target: str, *, begun: Callable[[str], None]
    ) -> None:
        assert (caller.user_name, application_id, target) == ("ann", "a1", "lyon")
        if self.refusal is not None:
            raise self.refusal
        self.before()
        id = str(uuid.uuid4())
        with self.database.session():
            begun(id)
        self.made.append(self.setup.clock.moment)
        self.results[id] = SimpleNamespace(
            id=id, result=None, reasons=(), target_site=target, rto_seconds=1.0, rpo_seconds=2.0
        )

    def get(self, _caller: Caller, id: str) -> Any:
        if id not in self.results:
            raise NotFound(f"drill: there is no drill {id!r}")
        return self.results[id]

    def ends(self, result: DrillResult, *reasons: str) -> None:
        for one in self.results.values():
            one.result, one.reasons = result, reasons


class Drilling:
    """A setup whose scheduler drills."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.drills = Drills(setup, setup.database, [])
        setup.scheduler.close()
        setup.scheduler = self.worker(setup.database, self.drills)

    def worker(self, database: Database, drills: Drills) -> PolicyScheduler:
        setup: Any = self.setup
        return PolicyScheduler(database, setup.protections, setup.jobs, setup.clock, drills=drills)  # type: ignore[arg-type]

    @property
    def days(self) -> list[int]:
        return [moment.day for moment in self.drills.made]

    def to(self, days: float, step: float = 0.25) -> None:
        self.setup.let_pass(START + timedelta(days=days), timedelta(days=step))

    def status(self) -> Any:
        return self.setup.service.schedules([self.setup.protections.get(ANN, "pr1")])["pr1"]


@pytest.fixture
def drilling(tmp_path: Path) -> Iterator[Drilling]:
    with setup_in(tmp_path) as setup:
        yield Drilling(setup)


def test_a_month_of_saturdays(drilling: Drilling) -> None:
    drilling.setup.policy(drill_cron=SATURDAYS)
    drilling.to(31)
    assert drilling.days == [7, 14, 21, 28]
    shown = drilling.status()
    assert (shown.drills, shown.drills_skipped, shown.drills_missed) == (4, 0, 0)
    assert shown.next_drill_at == START + timedelta(days=34, hours=3)
    assert (shown.last_drill_at.day, shown.last_drill_result) == (28, None), "at work"
    assert drilling.setup.protections.made == [], "and no run"


def test_without_a_schedule_nothing_is_drilled(drilling: Drilling) -> None:
    """The negative control of the month."""
    id = drilling.setup.policy(schedules=[{"interval_seconds": 86_400}])
    drilling.to(3)
    assert drilling.days == []
    assert drilling.status().next_drill_at is None
    drilling.setup.service.update(ANN, id, {"drill_cron": DAILY})
    drilling.to(5)
    assert drilling.days == [4, 5]
    drilling.setup.service.update(ANN, id, {"drill_cron": None})
    drilling.to(7)
    assert drilling.days == [4, 5]
    assert len(drilling.setup.protections.made) == 8, "runs went on"


def test_what_came_of_it_is_kept_and_told_once(drilling: Drilling, caplog: pytest.LogCaptureFixture) -> None:
    drilling.setup.policy(drill_cron=DAILY)
    drilling.to(0.25)
    with caplog.at_level(logging.INFO):
        drilling.drills.ends(DrillResult.PASSED)
        drilling.to(0.5)
        assert drilling.status().last_drill_result == "passed"
        drilling.to(1.25)
        drilling.drills.ends(DrillResult.FAILED, "volume mme-1-root: chunk 1 differs")
        drilling.to(1.75)
    assert drilling.status().last_drill_result == "failed"
    told = [(r.levelname, r.getMessage()) for r in caplog.records if r.getMessage().startswith("drill ")]
    assert [level for level, _ in told] == ["INFO", "WARNING"]
    assert told[1][1].startswith("drill failed: protection=pr1 application=mme target_site=lyon drill=")
    assert told[1][1].endswith("volume mme-1-root: chunk 1 differs")


def test_one_that_is_not_known_any_more(drilling: Drilling) -> None:
    drilling.setup.policy(drill_cron=DAILY)
    drilling.to(0.25)
    drilling.drills.results.clear()
    drilling.to(0.5)
    assert drilling.status().last_drill_result == "unknown"


def test_while_one_is_at_work_the_next_is_skipped(drilling: Drilling) -> None:
    drilling.setup.policy(drill_cron=DAILY)
    drilling.drills.at_work = SimpleNamespace(id="d-1", state="done")
    drilling.to(2.25)
    shown = drilling.status()
    assert (shown.drills, shown.drills_skipped, drilling.days) == (0, 3, [])
    assert shown.drill_note.endswith("was skipped: drill d-1 is done")
    drilling.drills.at_work = None
    drilling.to(3.25)
    assert drilling.days == [4]


def test_one_that_cannot_begin_is_tried_again_and_then_missed(drilling: Drilling) -> None:
    drilling.setup.policy(drill_cron=DAILY)
    drilling.drills.refusal = Conflict("flavor t128 is missing")
    drilling.to(0.25)
    state = drilling.setup.state
    assert state.drill_due_at == drilling.setup.clock.moment + timedelta(seconds=ticks.RETRY)
    assert state.drill_note.endswith("could not begin, and is tried again: flavor t128 is missing")
    drilling.to(2.5)
    drilling.drills.refusal = None
    drilling.to(2.75)
    shown = drilling.status()
    assert (shown.drills, shown.drills_missed, drilling.days) == (1, 2, [3])
    assert shown.next_drill_at == START + timedelta(days=3, hours=3)


def test_days_that_the_service_was_down_are_missed(drilling: Drilling) -> None:
    drilling.setup.policy(drill_cron=DAILY)
    drilling.to(4.25, step=4.25)
    shown = drilling.status()
    assert (shown.drills, shown.drills_missed, drilling.days) == (1, 4, [5])
    assert shown.drill_note.startswith("4 drills were missed")


def test_a_pause_holds_them(drilling: Drilling) -> None:
    drilling.setup.policy(drill_cron=DAILY)
    drilling.setup.pause()
    drilling.to(2.25)
    assert (drilling.days, drilling.status().next_drill_at) == ([], None)
    drilling.setup.pause(paused=False)
    drilling.to(2.75)
    assert (drilling.days, drilling.status().drills_missed) == ([], 0), "not made up for"
    drilling.to(3.25)
    assert drilling.days == [4]


def test_an_expression_that_is_none_is_refused(drilling: Drilling) -> None:
    with pytest.raises(Invalid, match=r"^drill_cron: "):
        drilling.setup.policy(drill_cron="every day")


def two_workers(drilling: Drilling) -> list[int]:
    """Days on which two processes drill that look at the same moment and meet between look and write."""
    setup, url = drilling.setup, str(drilling.setup.database.url)
    databases = [Database(url), Database(url)]
    drills = [Drills(setup, database, drilling.drills.made) for database in databases]
    workers = [drilling.worker(database, its) for database, its in zip(databases, drills, strict=True)]
    setup.policy(drill_cron=DAILY)
    for day in range(1, 7):
        setup.clock.to(START + timedelta(days=day, hours=4))
        meeting = threading.Barrier(2)
        for its in drills:
            its.before = lambda meeting=meeting: _meet(meeting)
        for worker in workers:
            worker.run()
        for worker in workers:
            worker.settle()
    for worker, database in zip(workers, databases, strict=True):
        worker.close()
        database.close()
    return drilling.days


def _meet(meeting: threading.Barrier) -> None:
    try:
        meeting.wait(0.5)
    except threading.BrokenBarrierError:
        return  # the other one has seen that the tick is over


def test_two_workers_never_begin_one_twice(drilling: Drilling) -> None:
    assert two_workers(drilling) == [2, 3, 4, 5, 6, 7]
    assert drilling.setup.state.drills == 6


def test_without_the_check_of_the_tick_they_would(
    drilling: Drilling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: who writes without a look begins what another one has begun."""
    monkeypatch.setattr(
        ProtectionScheduleRepository, "go_on", lambda repository, _, after: repository.update(after)
    )
    assert len(two_workers(drilling)) > 6
