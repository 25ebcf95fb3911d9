"""DBOS: what we rely on of it, the queue in our own transaction, pickle refused, and claims that were lost."""

from __future__ import annotations

import base64
import inspect
import pickle
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import dbos
import pytest
from dbos import _context, _serialization, _sys_db
from sqlalchemy import text

from multisite.jobs import dbos_calls, executor
from multisite.jobs.dbos_calls import Queue, workflow_id
from multisite.jobs.model import JobState, Step
from tests.unit.jobs.conftest import JobSetup, Until


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[JobSetup]:
    setup = JobSetup(tmp_path)
    yield setup
    setup.engine.shutdown(1)


def _status(setup: JobSetup, workflow: str) -> str | None:
    with setup.database.session(read_only=True) as session:
        return dbos_calls.states(session, [workflow]).get(workflow)


def _set(setup: JobSetup, workflow: str, values: str, **params: object) -> None:
    with setup.database.session() as session:
        statement = text(f"UPDATE workflow_status SET {values} WHERE workflow_uuid = :w")
        session.execute(statement, {"w": workflow, **params})


def test_dbos_is_the_one_whose_private_parts_are_known() -> None:
    """When this fails: read what changed, adapt ``dbos_calls``, run the tests of crashes and workers."""
    assert version("dbos").startswith("3.4.")
    for part in ("self._sys_db = SystemDatabase.create(", "engine=system_database_engine"):
        assert part in inspect.getsource(dbos.DBOSClient.__init__)  # whose migrations we run
    assert "owner_xid" in inspect.getsource(_context.DBOSContext)
    columns = _sys_db.SystemDatabase.tables.workflow_status.c.keys()
    assert set(dbos_calls._COLUMNS) <= set(columns)
    again = inspect.getsource(_sys_db.SystemDatabase.reenqueue_for_recovery)
    for part in ("ENQUEUED", "owner_xid=None", "started_at_epoch_ms=None", "queue_name=sa.func.coalesce"):
        assert part in again  # what ``_enqueue`` does in our transaction
    taken = inspect.getsource(_sys_db.SystemDatabase.start_queued_workflows)
    for part in (
        "status=WorkflowStatusString.PENDING.value",
        "owner_xid=owner_xid",
        "executor_id=executor_id",
    ):
        assert part in taken
    outcome = inspect.getsource(_sys_db.SystemDatabase.update_workflow_outcome)
    assert "current_owner_xid" in outcome  # the end of a run that is another's by now is void
    assert "enqueue_in_transaction" in dir(dbos.DBOSClient)


def test_accepted_and_queued_together_or_not_at_all(fresh: JobSetup) -> None:
    ids: list[str] = []

    def accept_and_fail() -> None:
        with fresh.database.session():
            ids.append(fresh.start([fresh.step("a")]))
            raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        accept_and_fail()
    assert _status(fresh, workflow_id(ids[0], 1)) is None
    assert fresh.engine.list() == []
    ids.append(fresh.start([fresh.step("a")]))
    assert _status(fresh, workflow_id(ids[1], 1)) == "ENQUEUED"


class Bomb:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (self.path, "w")


def test_a_forged_pickled_row_runs_no_code(fresh: JobSetup, tmp_path: Path, until: Until) -> None:
    file = tmp_path / "code-ran"
    forged = base64.b64encode(pickle.dumps({"args": (Bomb(str(file)),), "kwargs": {}})).decode()
    pickle.loads(base64.b64decode(forged))
    assert file.exists()  # the trap works
    file.unlink()
    with fresh.database.session() as session:
        Queue(fresh.database).put(session, "forged", 1)
        session.execute(
            text("UPDATE workflow_input SET inputs = :i WHERE workflow_uuid = 'forged:1'"), {"i": forged}
        )
    _set(fresh, "forged:1", "serialization = 'py_pickle'")
    fresh.engine.launch()
    assert fresh.run([fresh.step("a")]).state is JobState.DONE  # others are carried out
    until(lambda: _status(fresh, "forged:1") != "ENQUEUED")
    assert not file.exists()
    with pytest.raises(TypeError, match="pickle is refused"):
        _serialization.DBOSDefaultSerializer.deserialize(forged)


def test_a_run_that_was_taken_and_not_begun_is_taken_again(
    fresh: JobSetup, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to the commit that took it was lost: PENDING for this living executor, which does not know."""
    monkeypatch.setattr(executor, "SWEEP_SECONDS", 0.5)
    fresh.engine.launch()
    job_id = fresh.start([fresh.step("a")])
    fresh.wait(job_id)
    lost: list[str] = []
    with fresh.database.session():
        lost.append(fresh.start([fresh.step("b")]))
        _set(fresh, workflow_id(lost[0], 1), "status='PENDING', executor_id='multisite', owner_xid='gone'")
    assert fresh.wait(lost[0]).state is JobState.DONE
    assert fresh.log == ["a", "b"]


@pytest.mark.parametrize("ended", ["SUCCESS", "ERROR", "CANCELLED", None])
def test_a_job_whose_workflow_ended_without_settling_it_goes_on(fresh: JobSetup, ended: str | None) -> None:
    """None: the queue does not know it, as of a database of the release before."""
    job_id = fresh.start([fresh.step("a")])
    workflow = workflow_id(job_id, 1)
    if ended is None:
        with fresh.database.session() as session:
            session.execute(text("DELETE FROM workflow_status"))
    else:
        _set(fresh, workflow, "status = :s", s=ended)
    fresh.engine.launch()
    assert fresh.wait(job_id).state is JobState.DONE


def test_a_job_that_a_living_worker_of_an_older_release_has_is_left_to_it(fresh: JobSetup) -> None:
    steps: list[Step] = [fresh.step("a")]
    job_id = fresh.start(steps)
    with fresh.database.session() as session:
        session.execute(text("DELETE FROM workflow_status"))
        session.execute(text("UPDATE job SET worker = 'old-1'"))
        moment = "'2026-01-01 00:00:00'"
        session.execute(text(f"INSERT INTO worker VALUES ('old-1', 's', {moment}, {moment}, {moment})"))
    records = fresh.engine._records
    assert records.not_queued() == []
    with fresh.database.session() as session:
        session.execute(text("DELETE FROM worker"))
    assert records.not_queued() == [(job_id, 1)]
