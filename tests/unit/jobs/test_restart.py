"""An orderly stop leaves what is unfinished to the next launch; nobody else may work on the same database."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from jobs.conftest import JobSetup, Until
from multisite.domain.errors import Conflict
from multisite.jobs.dbos_calls import workflow_id
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobState, StepContext, StepState
from multisite.jobs.records import Abandoned, Records


def take(setup: JobSetup, job_id: str) -> str:
    """As DBOS does when an executor takes the run from the queue: its token is new each time."""
    owner = uuid.uuid4().hex
    taken = "UPDATE workflow_status SET status='PENDING', executor_id='other', owner_xid=:o WHERE workflow_uuid=:w"
    with setup.database.session() as session:
        session.execute(text(taken), {"o": owner, "w": workflow_id(job_id, 1)})
    return owner


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[JobSetup]:
    setup = JobSetup(tmp_path)
    yield setup
    setup.engine.shutdown(1)


def test_a_job_accepted_before_launch_is_carried_out(fresh: JobSetup) -> None:
    job_id = fresh.start([fresh.step("a")])
    assert fresh.engine.get(job_id).state == JobState.QUEUED
    fresh.engine.launch()
    assert fresh.wait(job_id).state == JobState.DONE
    with pytest.raises(Conflict, match="launched once"):
        fresh.engine.launch()


def test_stopping_lets_steps_end_or_notice_and_the_next_launch_goes_on(fresh: JobSetup, until: Until) -> None:
    seen: list[tuple[int, bool]] = []

    def patient(ctx: StepContext) -> None:
        seen.append((ctx.attempt, ctx.interrupted))
        while len(seen) == 1:
            ctx.progress(len(seen))
            time.sleep(0.01)

    def quick(ctx: StepContext) -> str:
        time.sleep(0.3)
        return "made"

    steps = [
        fresh.step("quick", run=quick),
        fresh.step("patient", run=patient),
        fresh.step("b", "quick", "patient"),
    ]
    fresh.engine.launch()
    job_id = fresh.start(steps)
    until(lambda: {"quick", "patient"} <= set(fresh.log))
    begun = time.monotonic()
    fresh.engine.shutdown(10)
    assert time.monotonic() - begun < 8
    states = {step.name: step.state for step in fresh.engine.get(job_id).steps}
    assert states == {"quick": StepState.DONE, "patient": StepState.RUNNING, "b": StepState.WAITING}
    fresh.engine = fresh.new_engine()
    fresh.engine.launch()
    job = fresh.wait(job_id)
    assert job.state == JobState.DONE
    assert seen == [(1, False), (2, True)]
    assert sorted(fresh.log) == ["b", "patient", "patient", "quick"]
    assert any("interrupted" in line.message and line.step == "patient" for line in job.journal)


def test_nobody_takes_over_before_the_last_step_has_ended(
    fresh: JobSetup, gate: threading.Event, until: Until
) -> None:
    fresh.engine.launch()
    job_id = fresh.start([fresh.step("slow", run=lambda ctx: gate.wait(20)), fresh.step("b", "slow")])
    until(lambda: fresh.log == ["slow"])
    fresh.engine.shutdown(0.1)
    fresh.engine = fresh.new_engine()
    with pytest.raises(Conflict, match="another process"):
        fresh.engine.launch()
    gate.set()
    until(lambda: fresh.engine.get(job_id).step("slow").state == StepState.DONE)
    assert fresh.log == ["slow"]
    fresh.engine.launch()
    assert fresh.wait(job_id).state == JobState.DONE
    assert fresh.log == ["slow", "b"]


def test_a_stale_claim_is_void(fresh: JobSetup) -> None:
    job_id = fresh.start([fresh.step("a")])
    records = Records(fresh.database)
    old = records.claim(job_id, 1, "w1", take(fresh, job_id))
    new = records.claim(job_id, 1, "w2", take(fresh, job_id))
    assert old is not None
    assert new is not None
    for write in (
        lambda: records.begin(old, "a", "undo"),
        lambda: records.end(old, "a", StepState.DONE),
        lambda: records.begin_undo(old, "a", has_undo=True),
        lambda: records.conclude(old, "undo"),
        lambda: records.settle(old),
    ):
        with pytest.raises(Abandoned):
            write()
    assert records.begin(new, "a", "undo").go
    assert records.claim(job_id, 2, "w2", "x") is None


def test_who_has_lost_a_run_before_claiming_it_never_becomes_its_owner(fresh: JobSetup) -> None:
    """Frozen between the two, it would make the claim of its successor void."""
    job_id = fresh.start([fresh.step("a")])
    records = Records(fresh.database)
    stale = take(fresh, job_id)
    new = records.claim(job_id, 1, "w2", take(fresh, job_id))
    with pytest.raises(Abandoned):
        records.claim(job_id, 1, "w1", stale)
    assert new is not None
    assert records.begin(new, "a", "undo").go


def test_a_kind_that_is_gone_pauses_its_jobs(fresh: JobSetup) -> None:
    job_id = fresh.start([fresh.step("a")])
    fresh.engine = JobEngine(fresh.database)
    fresh.engine.launch()
    job = fresh.wait(job_id)
    assert job.state == JobState.PAUSED
    assert "not a kind of job of this release" in (job.error or "")


def test_a_second_process_is_refused(fresh: JobSetup) -> None:
    lock = Path(f"{fresh.database.path}.lock")
    hold = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print(flush=True); input()"
    command = [sys.executable, "-S", "-c", hold, str(lock)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    other.stdout.readline()
    lock.write_text(str(other.pid))
    with pytest.raises(Conflict, match=rf"multisite.db.lock: another process \(pid {other.pid}\)"):
        fresh.engine.launch()
    other.kill()
    other.communicate()
    fresh.engine.launch()  # the lock went with the process, and a refused launch can be tried again
    assert fresh.run([fresh.step("a")]).state == JobState.DONE
    assert lock.read_text() == str(os.getpid())
