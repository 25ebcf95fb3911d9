"""Asked of SQLite (here) and of PostgreSQL (tests/workers): two workers never run a tick twice, and none not at all."""

from __future__ import annotations

import threading
from datetime import timedelta

from multisite.store.database import Database
from tests.unit.recovery.policies.simulated import START, Setup

TICKS = 12


def check_two_workers(url: str) -> None:
    """Both look at the same moment, and meet between the look and the write; one is restarted every third tick."""
    databases = [Database(url), Database(url)]
    databases[0].upgrade()
    setup = Setup(databases[0])
    setup.policy(schedules=[{"cron": "0 * * * *"}])
    workers = [setup.another(database) for database in databases]
    for number in range(1, TICKS + 1):
        setup.clock.to(START + timedelta(hours=number))
        meeting = threading.Barrier(2)
        for worker in workers:
            worker._protections.before = lambda meeting=meeting: _meet(meeting)  # type: ignore[attr-defined]
        for worker in workers:
            worker.run()
        for worker in workers:
            worker.settle()
        if number % 3 == 0:
            workers[1].close()
            workers[1] = setup.another(databases[1])
    hours = [tick.hour for tick, _ in setup.protections.made if tick.hour]
    assert hours == list(range(1, TICKS + 1))
    assert len(setup.kept) == len(setup.protections.made), "a row for each, and none besides"
    assert (setup.state.runs, setup.state.missed, setup.state.skipped) == (len(setup.protections.made), 0, 0)
    for worker in workers:
        worker.close()
    for database in databases:
        database.close()


def _meet(meeting: threading.Barrier) -> None:
    try:
        meeting.wait(0.5)
    except threading.BrokenBarrierError:
        return  # the other one has seen that the tick is over
