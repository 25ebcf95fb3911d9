"""Several processes and one database: no tick is run twice, none is lost, one killed in mid-run is taken over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from multisite.command import manage
from multisite.domain import fence
from multisite.domain.errors import NotFound
from multisite.periodic import lease, loop, runs
from multisite.periodic.runs import ContinuousRun, TickRun
from multisite.periodic.schedule import Cron, Interval
from multisite.periodic.task import Mode, Task
from multisite.store import leases, schedules
from multisite.store.database import Database
from multisite.store.models import SiteRow
from multisite.store.schedules import ScheduleStore

NIGHTLY = Cron("30 2 * * *")
START = datetime(2026, 1, 1, 2, 0, tzinfo=UTC)
DUE = datetime(2026, 1, 1, 2, 30, tzinfo=UTC)


class Clock:
    """The database's."""

    def __init__(self) -> None:
        self.moment = START

    def pass_(self, **time: float) -> None:
        self.moment += timedelta(**time)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(leases, "now", lambda: made.moment)
    return made


def process(
    database: Database, holder: str, run: Callable[[], object], mode: Mode = Mode.TICKS, name: str = "nightly"
) -> TickRun:
    return TickRun(Task(name, NIGHTLY, run, mode), database, holder, threading.Event())


def state(database: Database, name: str = "nightly") -> schedules.TaskState:
    return next(s for s in ScheduleStore(database).read()[1] if s.name == name)


def test_a_tick_is_run_once_by_whoever_comes_first(database: Database, clock: Clock) -> None:
    ran: list[str] = []
    both = [process(database, name, lambda name=name: ran.append(name)) for name in ("a", "b")]  # type: ignore[misc]
    for one in both:
        one.once()
    assert ran == [], "not before its time"
    clock.pass_(minutes=31)
    for one in (*both, *both):
        one.once()
    assert ran == ["a"]
    clock.pass_(days=9)
    for one in (both[1], *both):
        one.once()
    assert ran == ["a", "b"], "nine missed ticks are one run"
    assert state(database).next_at == DUE + timedelta(days=10)


def test_one_killed_in_mid_run_is_taken_over(database: Database, clock: Clock) -> None:
    ran: list[str] = []

    def killed() -> None:
        ran.append("a")
        raise SystemExit

    one, other = process(database, "a", killed), process(database, "b", lambda: ran.append("b"))
    for each in (one, other):
        each.once()
    clock.pass_(hours=1)
    with pytest.raises(SystemExit):
        one.once()
    assert state(database).tick_at == DUE, "is shown as being run"
    other.once()
    assert ran == ["a"], "its lease is not over"
    clock.pass_(seconds=lease.SECONDS + 1)
    other.once()
    other.once()
    assert ran == ["a", "b"]
    assert (state(database).tick_at, state(database).next_at) == (None, DUE + timedelta(days=1))


def test_one_that_was_frozen_for_too_long_neither_acts_nor_ends_the_tick(
    database: Database, clock: Clock
) -> None:
    sent: list[str] = []
    other = process(database, "b", lambda: sent.append("b"))

    def frozen() -> None:
        clock.pass_(seconds=lease.SECONDS + 1)
        one._lease._taken -= lease.SECONDS + 1  # type: ignore[union-attr]
        elsewhere = threading.Thread(target=other.once)
        elsewhere.start()
        elsewhere.join()
        fence.check()
        sent.append("a")

    one = process(database, "a", frozen)
    one.once()
    clock.pass_(hours=1)
    one.once()
    assert sent == ["b"]
    assert state(database).error is None
    assert state(database).next_at == DUE + timedelta(days=1)


def test_pausing(database: Database, clock: Clock) -> None:
    ran: list[int] = []
    one = process(database, "a", lambda: ran.append(1))
    one.once()
    ScheduleStore(database).pause("nightly")
    clock.pass_(hours=1)
    one.once()
    assert (ran, state(database).paused) == ([], True)
    ScheduleStore(database).pause("nightly", paused=False)
    one.once()
    assert ran == [1]
    with pytest.raises(NotFound, match="'other'"):
        ScheduleStore(database).pause("other")


def test_what_a_run_says_is_kept_and_the_next_tick_comes(database: Database, clock: Clock) -> None:
    one = process(database, "a", lambda: [][0])
    one.once()
    clock.pass_(hours=1)
    one.once()
    assert "IndexError" in (state(database).error or "")
    assert state(database).next_at == DUE + timedelta(days=1)


def test_another_schedule_begins_anew(database: Database, clock: Clock) -> None:
    process(database, "a", print).once()
    TickRun(Task("nightly", Cron("0 5 * * *"), print, Mode.TICKS), database, "a", threading.Event()).once()
    assert state(database).next_at == START + timedelta(hours=3)


@pytest.mark.parametrize("mode", [Mode.ATOMIC, Mode.TICKS])
def test_an_atomic_tick_and_what_it_wrote_are_both_there_or_both_not(
    database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    count = 0

    def write() -> None:
        nonlocal count
        count += 1
        with database.session() as session:
            fields = dict.fromkeys(("id", "name", "cloud", "region", "auth_url", "description"), str(count))
            session.add(SiteRow(**fields, created_at=START))

    def sites() -> int:
        with database.session(read_only=True) as session:
            return session.query(SiteRow).count()

    one = process(database, "a", write, mode)
    one.once()
    clock.pass_(hours=1)
    honest = ScheduleStore.finish

    def killed(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(ScheduleStore, "finish", killed)
    with pytest.raises(SystemExit):
        one.once()
    assert sites() == (0 if mode is Mode.ATOMIC else 1)
    monkeypatch.setattr(ScheduleStore, "finish", honest)
    clock.pass_(seconds=lease.SECONDS + 1)
    process(database, "b", write, mode).once()
    assert sites() == (1 if mode is Mode.ATOMIC else 2), "other runs find what they made by themselves"


def test_a_continuous_task_has_one_runner_until_it_lets_go(database: Database) -> None:
    ran: list[str] = []

    def made(name: str) -> ContinuousRun:
        return ContinuousRun(
            Task("c", Interval(0), lambda: ran.append(name), Mode.CONTINUOUS), database, name
        )

    one, other = made("a"), made("b")
    for each in (one, other, one, other):
        each.once()
    assert ran == ["a", "a"]
    ScheduleStore(database).pause("c")
    one.seen(state(database, "c"), datetime.now(UTC))
    one.once()
    assert ran == ["a", "a"]
    one.release()
    other.once()
    assert ran == ["a", "a", "b"]


def test_the_cost_is_linear(database: Database, clock: Clock) -> None:
    statements: list[str] = []
    many = [process(database, "a", lambda: None, name=f"task{n}") for n in range(40)]

    def cost(count: int) -> int:
        statements.clear()
        ScheduleStore(database).read()
        for one in many[:count]:
            one.once()
        return len(statements)

    for one in many:
        one.once()
    event.listen(database._engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    clock.pass_(days=1)
    twenty = cost(20)
    clock.pass_(days=1)
    assert cost(40) == 2 * twenty - 2, "one query (and its BEGIN) for all rows, the same for each run"


PROGRAM = """
import sys, threading, time
from pathlib import Path
from multisite.periodic import lease, loop, runs
from multisite.periodic.schedule import Interval
from multisite.periodic.task import Mode, Task
from multisite.store.database import Database
lease.SECONDS, lease.MARGIN, loop.POLL, runs.AFTER_TROUBLE = 1.0, 0.1, 0.1, 0.1
lease.Lease.take.__func__.__kwdefaults__["seconds"] = 1.0
url, file, name = sys.argv[1:]
def run():
    with open(file, "a") as log:
        log.write(f"begin {name}\\n"); log.flush()
        time.sleep(0.15)
        log.write(f"end {name}\\n")
made = loop.Loop([Task("t", Interval(0.05), run, Mode.TICKS)], Database(url))
loop.ScheduleStore.forget_leases = lambda self: None  # as on a server: another process may have them
made.start()
threading.Event().wait()
"""


def test_processes_that_are_killed_in_turn_never_run_at_the_same_time(
    database: Database, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    argv = [sys.executable, "-c", PROGRAM, str(database.url), str(log)]
    living = {n: subprocess.Popen([*argv, str(n)]) for n in range(2)}
    killed: set[str] = set()
    try:
        for number in range(2, 6):
            _grows(log)
            runner = log.read_text().splitlines()[-1].split()[1]
            os.kill(living[int(runner)].pid, signal.SIGKILL)
            living.pop(int(runner)).wait()
            killed.add(runner)
            living[number] = subprocess.Popen([*argv, str(number)])
        _grows(log)
    finally:
        for one in living.values():
            one.kill()
            one.wait()
    running: str | None = None
    for word, name in (line.split() for line in log.read_text().splitlines()):
        if word == "begin":
            assert running is None or running in killed, "two at a time"
            running = name
        else:
            assert running == name
            running = None
    assert len({line.split()[1] for line in log.read_text().splitlines()}) >= 4, "others took over"


def _lines(file: Path) -> int:
    return len(file.read_text().splitlines()) if file.exists() else 0


def _grows(log: Path) -> None:
    size, end = _lines(log), time.monotonic() + 60
    while _lines(log) < size + 6:
        assert time.monotonic() < end, "nothing happens"
        time.sleep(0.05)


def test_a_loop_on_sqlite_does_not_wait_for_its_killed_predecessor(database: Database) -> None:
    ran = threading.Event()
    assert leases.take(database, "task t", "predecessor", 3600)
    made = loop.Loop([Task("t", Interval(60), ran.set, Mode.CONTINUOUS)], database)
    made.start()
    assert ran.wait(30)
    made.stop()


def test_the_database_away_puts_a_run_off(database: Database, clock: Clock, tmp_path: Path) -> None:
    one = process(database, "a", print)
    database._engine.dispose()
    (tmp_path / "multisite.db").rename(tmp_path / "away")
    (tmp_path / "multisite.db").mkdir()
    before = time.monotonic()
    one.once()
    assert one.due >= before + runs.AFTER_TROUBLE


def test_operators_see_and_pause_tasks(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = tmp_path / "multisite.conf"
    conf.write_text(f"[database]\nconnection = {database.url}\n")
    process(database, "a", print).once()
    for argv in (["list"], ["pause", "nightly"], ["list"]):
        assert manage.main(["schedule", *argv, "--config-file", str(conf)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("nightly  cron 30 2 * * * UTC  last never  next ")
    assert "paused" in second
    assert manage.main(["schedule", "pause", "nothing", "--config-file", str(conf)]) != 0
