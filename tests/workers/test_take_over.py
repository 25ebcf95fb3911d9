"""Two workers on PostgreSQL: one is killed, frozen or cut off, the other goes on; nothing is done twice."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from workers.conftest import Fleet, problems, until
from workers.proxy import Wire

from multisite.jobs.model import JobState

KILLS, FREEZES, CUTS = 20, 10, 3
TAKE_OVER = 10.0
"""Seconds within which another worker must have claimed what a dead one had."""


def test_killed_twenty_times(fleet: Fleet) -> None:
    chance = random.Random(20)
    jobs, took = [], list[float]()
    for round in range(KILLS):
        jobs += [fleet.start(steps=8, width=2, seconds=chance.uniform(0.3, 0.9)) for _ in range(4)]
        until(lambda: len(set(fleet.holders().values())) == 2, 30, "both workers have jobs")
        time.sleep(chance.uniform(0, 1.5))
        victim = chance.choice(sorted(fleet.nodes))
        took += _taken_over(fleet, victim, fleet.kill, f"kill {round + 1}")
        fleet.add()
    _all_done(fleet, jobs)
    _tell("kill -9", KILLS, took)


def test_frozen_longer_than_its_lease_ten_times(fleet: Fleet) -> None:
    chance = random.Random(10)
    jobs, took = [], list[float]()
    for round in range(FREEZES):
        jobs += [fleet.start(steps=8, width=4, seconds=chance.uniform(0.5, 1.5)) for _ in range(4)]
        until(lambda: len(set(fleet.holders().values())) == 2, 30, "both workers have jobs")
        time.sleep(chance.uniform(0, 1.5))
        victim = chance.choice(sorted(fleet.nodes))
        took += _taken_over(fleet, victim, fleet.freeze, f"freeze {round + 1}")
        fleet.thaw(victim)
        time.sleep(chance.uniform(0.5, 2))
    _all_done(fleet, jobs)
    _tell("SIGSTOP", FREEZES, took)


def test_cut_off_from_the_database(fleet: Fleet) -> None:
    """Its wire keeps quiet: no connection is refused or reset."""
    fleet.kill(sorted(fleet.nodes)[0])
    wire = Wire(fleet.server.port)
    victim = fleet.add(port=wire.port)
    jobs, took = [], list[float]()
    for round in range(CUTS):
        jobs += [fleet.start(steps=8, width=4, seconds=1) for _ in range(4)]
        until(lambda: len(set(fleet.holders().values())) == 2, 30, "both workers have jobs")
        time.sleep(0.7 * round)
        took += _taken_over(fleet, victim, lambda _: wire.cut(), f"cut {round + 1}")
        time.sleep(2)
        wire.reconnect()
        time.sleep(2)
    _all_done(fleet, jobs)
    wire.close()
    _tell("cut off", CUTS, took)


@pytest.mark.parametrize("fleet", [("--no-fence",)], indirect=True)
def test_without_the_fence_a_frozen_worker_acts_twice_and_that_is_seen(fleet: Fleet) -> None:
    """The check of the check."""
    jobs = [fleet.start(steps=8, width=8, seconds=4) for _ in range(6)]
    until(lambda: len(set(fleet.holders().values())) == 2, 30, "both workers have jobs")
    time.sleep(1)
    victim = sorted(fleet.nodes)[0]
    _taken_over(fleet, victim, fleet.freeze, "freeze")
    time.sleep(1)  # the new owner has looked for what was made, and prepares to make it
    fleet.thaw(victim)
    for job in jobs:
        fleet.wait(job)
    time.sleep(1)
    found = problems(fleet.journal)
    print(f"\nwithout the fence: {len(found)} wrong, such as: {found[0] if found else ''}")
    assert any("which was over" in problem for problem in found)
    assert any("twice" in problem for problem in found)


def test_the_database_is_restarted_three_times(fleet: Fleet) -> None:
    for crash, away in ((False, 1.0), (True, 0.0), (False, 9.0)):
        jobs = [fleet.start(steps=8, width=2, seconds=0.4) for _ in range(6)]
        until(lambda: len(set(fleet.holders().values())) == 2, 30, "both workers have jobs")
        time.sleep(0.7)
        fleet.server.stop(crash=crash)
        time.sleep(away)
        fleet.server.start()
        _all_done(fleet, jobs)
        assert {len(fleet.claims(job)) for job in jobs} == {1}  # nobody was taken for dead
        begun = [e["step"] for e in fleet.journal.lines() if e["do"] == "begin" and e["job"] in jobs]
        assert len(begun) == 8 * len(jobs)  # not even begun twice


def _taken_over(fleet: Fleet, victim: str, lose: Callable[[str], None], what: str) -> list[float]:
    """Lose the victim; seconds until each job it had was claimed by another worker."""
    lose(victim)
    begun = time.clock_gettime(time.CLOCK_BOOTTIME)
    had = [job for job, worker in fleet.holders().items() if worker == victim]
    took = []
    for job in had:
        claim = until(partial(_claim_of_another, fleet, job, victim, begun), 30, what)
        took.append(claim["at"] - begun)
    print(f"\n{what}: {victim} had {len(had)} jobs, taken over in {max(took, default=0):.1f} s", end="")
    return took


def _claim_of_another(fleet: Fleet, job: str, victim: str, since: float) -> dict[str, Any] | None:
    return next((e for e in fleet.claims(job) if e["at"] > since and e["by"] != victim), None)


def _all_done(fleet: Fleet, jobs: list[str]) -> None:
    assert {fleet.wait(job).state for job in jobs} == {JobState.DONE}
    assert problems(fleet.journal) == []
    made = {(e["job"], e["step"]) for e in fleet.journal.lines() if e["do"] == "made" and e["job"] in jobs}
    assert len(made) == sum(len(fleet.engine.get(job).steps) for job in jobs)
    assert fleet.server.sql("SELECT count(*) FROM slot") == "0"


def _tell(what: str, times: int, took: list[float]) -> None:
    print(
        f"\n{what}, {times} times: {len(took)} jobs taken over, "
        f"median {statistics.median(took):.1f} s, max {max(took):.1f} s"
    )
    assert len(took) >= times
    assert max(took) < TAKE_OVER
