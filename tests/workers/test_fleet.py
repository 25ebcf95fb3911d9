"""What operators rely on, whichever process they ask: limits, cancel, resume, undo, and seeing what waits for what."""

from __future__ import annotations

import random
import time

from workers.conftest import Fleet, most_at_once, problems, until

from multisite.jobs.model import JobState, StepState

JOBS, SITES = 200, ("east", "north", "south", "west")


def test_two_hundred_jobs_and_a_limit_per_site(fleet: Fleet) -> None:
    """Also while a worker dies: what it held is given back, and no more."""
    chance = random.Random(200)
    begun = time.monotonic()
    jobs = [
        fleet.start(steps=2, width=2, seconds=chance.uniform(0.05, 0.2), limit=f"backup:{SITES[n % 4]}")
        for n in range(JOBS)
    ]
    until(lambda: sum(e["do"] == "made" for e in fleet.journal.lines()) > 60, 60, "some work")
    fleet.kill(sorted(fleet.nodes)[0])
    fleet.add()
    assert {fleet.wait(job, 180).state for job in jobs} == {JobState.DONE}
    most = most_at_once(fleet.journal)
    made = {e["by"] for e in fleet.journal.lines() if e["do"] == "made"}
    print(
        f"\n{JOBS} jobs of 2 steps by {len(made)} workers in {time.monotonic() - begun:.0f} s; at once: {most}"
    )
    assert most == {f"backup:{site}": 2 for site in SITES}  # never exceeded, and used up
    assert problems(fleet.journal) == []
    assert len(made) >= 2
    assert fleet.server.sql("SELECT count(*) FROM slot") == "0"


def test_cancel_reaches_the_worker_that_runs_the_job(fleet: Fleet) -> None:
    job_id = fleet.start(steps=4, seconds=60)
    until(lambda: fleet.engine.get(job_id).step("s0").state == StepState.RUNNING, 20, "the first step")
    begun = time.monotonic()
    fleet.engine.cancel(job_id, "operator")  # this process carries out nothing
    job = fleet.wait(job_id, 20)
    print(f"\ncancelled after {time.monotonic() - begun:.1f} s")
    assert job.state == JobState.PAUSED
    assert "cancelled by the operator" in (job.error or "")
    assert {job.step(f"s{n}").state for n in (1, 2, 3)} == {StepState.SKIPPED}


def test_a_failed_step_is_tried_again_and_all_is_undone_in_reverse(fleet: Fleet) -> None:
    job_id = fleet.start(steps=4, seconds=0.05, fail={"s2": 1})
    job = fleet.wait(job_id, 30)
    assert job.state == JobState.PAUSED
    assert [step.state for step in job.steps] == ["done", "done", "failed", "skipped"]
    assert job.step("s2").waits == "the operator: resume or undo"
    fleet.engine.resume(job_id, "operator")
    assert fleet.wait(job_id, 30).state == JobState.DONE
    fleet.engine.undo(job_id, "operator")
    assert fleet.wait(job_id, 30).state == JobState.UNDONE
    acts = [(e["do"], e["step"]) for e in fleet.journal.lines() if e["do"] in ("made", "removed")]
    assert acts == [("made", f"s{n}") for n in range(4)] + [("removed", f"s{n}") for n in (3, 2, 1, 0)]
    assert problems(fleet.journal) == []


def test_an_operator_sees_who_works_and_what_waits_for_what(fleet: Fleet) -> None:
    jobs = [fleet.start(steps=4, width=2, seconds=1.5, limit="backup:east") for _ in range(2)]
    until(lambda: sum(e["do"] == "enter" for e in fleet.journal.lines()) == 2, 20, "two steps run")
    time.sleep(0.3)
    seen = [fleet.engine.get(job) for job in jobs]
    assert {job.worker.rpartition("-")[0] for job in seen if job.worker} <= set(fleet.nodes)
    assert all(job.worker for job in seen)
    waits = [(step.state, step.waits) for job in seen for step in job.steps]
    assert waits.count((StepState.RUNNING, "")) == 2
    assert waits.count((StepState.WAITING, "limit backup:east")) == 2
    assert {wait for _, wait in waits} >= {"steps s0", "steps s1"}
    for job in jobs:
        fleet.wait(job)


def test_an_orderly_stop_hands_over_at_once(fleet: Fleet) -> None:
    job_id = fleet.start(steps=20, seconds=0.3)
    until(lambda: fleet.holders().get(job_id), 20, "somebody has it")
    time.sleep(0.5)
    worker = fleet.holders()[job_id]
    fleet.nodes[worker].terminate()
    begun = time.monotonic()
    until(lambda: fleet.holders().get(job_id) not in (None, worker), 20, "another has it")
    print(f"\nhanded over after {time.monotonic() - begun:.1f} s")
    assert fleet.wait(job_id, 30).state == JobState.DONE
    assert problems(fleet.journal) == []
    assert fleet.nodes.pop(worker).wait(20) == 0
