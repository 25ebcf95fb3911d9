"""``multisite-manage db accept-restored``: shows first, changes with --yes alone, and says who did it."""

from __future__ import annotations

from command.conftest import Run, Setup, ready
from multisite.command import manage
from multisite.command.wiring import myself
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobKind, JobState, Step
from multisite.recovery.staleness import StaleDatabaseCheck
from multisite.store.audit import AuditRepository
from multisite.store.database import Database
from tests.manifest_store import store_in
from tests.sqlite_copy import copy_database


def test_what_would_go_on_is_shown_and_decided_first(setup: Setup, run: Run) -> None:
    ready(setup, run)
    state = setup.folder / "state"
    database = Database(f"sqlite:///{state / 'multisite.sqlite'}")
    database.upgrade()
    command = (manage.main, "--config-file", str(setup.file), "db", "accept-restored")
    check = StaleDatabaseCheck(database, store_in(setup.folder / "store", state=state), patience=20)
    check.raise_mark()
    code, _, err = run(*command, "--yes")
    assert (code, "there is nothing to accept" in err) == (1, True)
    engine = JobEngine(database)
    engine.register(JobKind("idle", lambda params: [Step("a", "nothing", lambda ctx: None)], "pause"))
    first, second, third = (
        engine.start("idle", {}, title=f"Job {n}", project_id="p", requested_by="olga") for n in range(3)
    )
    copy_database(state / "multisite.sqlite", setup.folder / "backup")
    check.raise_mark()
    copy_database(setup.folder / "backup", state / "multisite.sqlite")
    for words in ((), ("--set-aside", "all")):
        code, out, _ = run(*command, *words)
        assert (code, "nothing was changed: --yes" in out) == (1, True)
        assert all(job in out for job in (first, second, third))
    assert "its counter is 1 of" in out
    assert f"{first}  is set aside  idle queued, 0 of 1 steps done  Job 0  asked for by olga" in out
    code, _, err = run(*command, "--cancel", "no-such", "--yes")
    assert (code, "no-such: not among those" in err) == (1, True)
    assert {job.state for job in engine.list()} == {JobState.QUEUED}
    code, out, _ = run(*command, "--set-aside", first, "--cancel", second, "--yes")
    assert (code, out.splitlines()[-1]) == (
        0, "accepted: its counter is 3 now; the service goes on within seconds",
    )  # fmt: skip
    jobs = {job.id: (job.state, job.cancel_requested) for job in engine.list()}
    assert jobs == {
        first: (JobState.PAUSED, False), second: (JobState.QUEUED, True), third: (JobState.QUEUED, False)
    }  # fmt: skip
    (record,) = AuditRepository(database).list()
    assert (record.kind, record.user, record.action) == ("approval", myself().user_name, "accept-restored")
    check.check()
    assert check.why_rest(uses_store=True) is None
