"""Of several jobs that were at work when the process died, only the one that killed it is set aside."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs.conftest import JobSetup, Until
from jobs.test_restart import take
from multisite.jobs.crashes import MAX_CRASHES, Crashes
from multisite.jobs.model import JobState, StepContext
from multisite.jobs.records import Claim, Records
from multisite.store.models import JobRow


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[JobSetup]:
    setup = JobSetup(tmp_path)
    yield setup
    setup.engine.shutdown(1)


@pytest.fixture
def records(fresh: JobSetup) -> Records:
    return Records(fresh.database)


def life(setup: JobSetup, records: Records, *jobs: str) -> list[Claim]:
    """A process takes them up."""
    claims = [records.claim(job, 1, "w", take(setup, job)) for job in jobs]
    return [claim for claim in claims if claim is not None]


def test_a_job_that_was_alone_is_the_culprit(fresh: JobSetup, records: Records) -> None:
    job = fresh.start([fresh.step("a")])
    fresh.start([fresh.step("b")])  # accepted, never taken up
    found = [life(fresh, records, job)[0].crashes for _ in range(3)]
    assert found == [Crashes(0), Crashes(1), Crashes(MAX_CRASHES, alone=True)]
    assert (found[2].culprit, found[2].suspect, found[1].culprit, found[1].suspect) == (
        True,
        False,
        False,
        False,
    )


def test_jobs_that_were_at_work_together_are_suspects_until_one_dies_by_itself(
    fresh: JobSetup, records: Records
) -> None:
    bad, good = fresh.start([fresh.step("a")]), fresh.start([fresh.step("b")])
    for _ in range(MAX_CRASHES):
        life(fresh, records, bad, good)
    third = life(fresh, records, bad, good)
    assert [claim.crashes.suspect for claim in third] == [True, True]
    # Waiting for its turn counts for nothing, however often the process dies meanwhile.
    third = life(fresh, records, bad, good)
    assert [claim.crashes for claim in third] == [Crashes(MAX_CRASHES)] * 2
    records.begin_turn(third[0])
    records.begin_turn(third[0])  # the answer to the commit was lost
    fourth = life(fresh, records, bad, good)
    assert [claim.crashes for claim in fourth] == [Crashes(3, alone=True), Crashes(MAX_CRASHES)]
    # Found: what was counted against its neighbor is forgiven, or it would be taken for alone by now.
    assert records.give_up(fourth[0], "it kills the process") == JobState.PAUSED
    records.settle(fourth[0])
    assert life(fresh, records, good)[0].crashes == Crashes(1)


def test_trouble_of_the_same_process_is_no_crash(fresh: JobSetup, records: Records) -> None:
    job = fresh.start([fresh.step("a")])
    owner = take(fresh, job)
    claims = [records.claim(job, 1, "w", owner) for _ in range(4)]
    assert [claim.crashes for claim in claims if claim] == [Crashes(0)] * 4


def test_suspects_run_one_at_a_time_until_a_step_of_theirs_has_ended(fresh: JobSetup, until: Until) -> None:
    at_work: set[str] = set()
    together: list[set[str]] = []
    begun: set[str] = set()

    def first(name: str) -> Callable[[StepContext], None]:
        def run(_ctx: StepContext) -> None:
            at_work.add(name)
            begun.add(name)
            together.append(set(at_work))
            until(lambda: "c" in begun)  # who is no suspect does not wait
            time.sleep(0.3)
            at_work.remove(name)

        return run

    def second(_ctx: StepContext) -> None:
        until(lambda: {"a", "b"} <= begun)  # the turn of the first one has ended although its job has not

    suspects = [
        fresh.start([fresh.step("1", run=first(name)), fresh.step("2", "1", run=second)]) for name in "ab"
    ]
    other = fresh.start([fresh.step("c", run=lambda _ctx: begun.add("c"))])
    with fresh.database.session() as session:
        for job in suspects:
            session.get_one(JobRow, job).claims = MAX_CRASHES
    fresh.engine.launch()
    assert {fresh.wait(job).state for job in (*suspects, other)} == {JobState.DONE}
    assert sorted(map(sorted, together)) == [["a"], ["b"]]
    journal = [event.message for job in suspects for event in fresh.engine.get(job).journal]
    assert sum("carried out one at a time" in message for message in journal) == 2
