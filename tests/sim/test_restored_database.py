"""A service whose database was restored from a backup rests, until an operator lets it go on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from multisite.command import manage
from multisite.domain.model import Recovery
from multisite.jobs.model import JobState
from multisite.recovery import staleness
from multisite.recovery.signatures import SIGNING_KEY, TRUSTED_KEYS
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.world import World
from tests.sim.deploy import until
from tests.sim.judge import wrong
from tests.sim.service import DATABASE, MAPPING, PATIENCE, SITE, STORE, TARGET, Service, running_service
from tests.sqlite_copy import copy_database

REST_SECONDS = 3.0
"""Longer than a job needs to make its first volume."""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staleness, "SECONDS", 0.5)


def volumes(world: World) -> list[str]:
    return sorted(world.sites[TARGET].settle().state.volumes)


def kept_aside(folder: Path) -> Path:
    return folder / "last-night"


def back_up(service: Service) -> None:
    """As an operator does."""
    copy_database(service.folder / DATABASE, kept_aside(service.folder))


def restore(folder: Path) -> None:
    for file in folder.glob(f"{DATABASE}*"):
        file.unlink()
    shutil.copy(kept_aside(folder), folder / DATABASE)


@contextmanager
def restarted(folder: Path) -> Iterator[Service]:
    service = Service(folder)
    service.patience = REST_SECONDS
    service.open()
    try:
        yield service
    finally:
        service.close()


def begun(world: World, service: Service) -> Recovery:
    """A recovery, and a backup from when its first volume was being made."""
    service.deploy("mme", servers=1)
    _, point = service.protect("mme")
    world.lose(SITE)
    rule = world.sites[TARGET].strike(Rule("delay", "volume", "POST", "^/backups/.*/restore$", seconds=1.0))
    started = service.recoveries.start(service.caller, point.id, TARGET, MAPPING, confirm="mme")
    until(lambda: rule.struck or None, "the first restore")
    back_up(service)
    return started


@pytest.fixture
def undone(world: World, tmp_path: Path) -> str:
    """A recovery that was backed up while it was at work, and undone since; the id of its job."""
    with running_service(tmp_path, world) as service:
        started = begun(world, service)
        assert service.rest(str(started.job_id)).state is JobState.DONE
        assert service.undo(started.id)[0].state is JobState.UNDONE
    assert volumes(world) == []
    return str(started.job_id)


def test_an_undone_recovery_does_not_go_on_by_itself(world: World, tmp_path: Path, undone: str) -> None:
    restore(tmp_path)
    with restarted(tmp_path) as service:
        rests(world, service, undone)
    shutil.rmtree(tmp_path / STORE / "multisite" / "installations")
    with restarted(tmp_path) as service:  # what was found once is known without the mark
        rests(world, service, undone)


def rests(world: World, service: Service, job_id: str) -> None:
    with pytest.raises(AssertionError, match="does not come to rest: running"):
        service.rest(job_id)
    assert volumes(world) == []
    assert "`multisite-manage db accept-restored`" in str(service.staleness.why_rest())
    assert service.staleness.notices()


def test_without_the_mark_it_does(world: World, tmp_path: Path, undone: str) -> None:
    """The negative control: it is the mark alone that holds it."""
    restore(tmp_path)
    shutil.rmtree(tmp_path / STORE / "multisite" / "installations")
    with restarted(tmp_path) as service:
        until(lambda: volumes(world) or None, "a volume")
        service.patience = PATIENCE
        service.rest(undone)


def accept(folder: Path, *words: str) -> int:
    """What the operator types, beside the service that runs."""
    file = folder / "multisite.conf"
    file.write_text(
        f"[DEFAULT]\nstate_path = {folder}\n[backup_store]\npath = {folder / STORE}\n"
        f"signing_key = {folder / 'keys' / SIGNING_KEY}\ntrusted_keys = {folder / 'keys' / TRUSTED_KEYS}\n"
    )
    return manage.main(["db", "accept-restored", *words, "--config-file", str(file)])


def test_accepted_it_goes_on_as_the_database_has_it(
    world: World, tmp_path: Path, undone: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stops where what it had made is gone since, and can be undone."""
    restore(tmp_path)
    with restarted(tmp_path) as service:
        rests(world, service, undone)
        assert accept(tmp_path) == 1
        shown = capsys.readouterr().out
        assert f"{undone}  goes on  recover running" in shown
        assert "nothing was changed" in shown
        rests(world, service, undone)
        assert accept(tmp_path, "--yes") == 0
        service.patience = PATIENCE
        assert service.rest(undone).state in (JobState.PAUSED, JobState.DONE)
        assert volumes(world) != []
        (record,) = [r for r in service.audit.list() if r.action == "accept-restored"]
        assert (record.kind, record.method, record.outcome) == ("approval", "POST", "done")
        assert accept(tmp_path, "--yes") == 1, "there is nothing to accept any more"
        (recovery,) = service.recoveries.list(service.caller)
        assert service.undo(recovery.id)[0].state is JobState.UNDONE
        assert volumes(world) == []


@pytest.fixture
def done(world: World, tmp_path: Path) -> tuple[str, str, list[str]]:
    """One that was done since: its id, its job's, and the volumes it made."""
    with running_service(tmp_path, world) as service:
        started = begun(world, service)
        assert service.rest(str(started.job_id)).state is JobState.DONE
    restore(tmp_path)
    assert len(volumes(world)) == 2
    return started.id, str(started.job_id), volumes(world)


def test_accepted_it_finds_what_it_made_since(
    world: World, tmp_path: Path, done: tuple[str, str, list[str]]
) -> None:
    _, job_id, made = done
    assert accept(tmp_path, "--yes") == 0
    with restarted(tmp_path) as service:
        service.patience = PATIENCE
        assert service.rest(job_id).state is JobState.DONE
        assert volumes(world) == made
        assert len(world.sites[TARGET].settle().state.servers) == 1
        assert wrong(world, service) == []


def test_set_aside_first_it_is_undone(world: World, tmp_path: Path, done: tuple[str, str, list[str]]) -> None:
    """What was made after the backup is not left behind by an undo that knows nothing of it."""
    id, job_id, made = done
    with restarted(tmp_path) as service:
        assert accept(tmp_path, "--set-aside", "all", "--yes") == 0
        service.patience = PATIENCE
        job = service.rest(job_id)
        assert (job.state, "set aside" in str(job.error)) == (JobState.PAUSED, True)
        assert volumes(world) == made
        assert service.undo(id)[0].state is JobState.UNDONE
        assert (volumes(world), world.sites[TARGET].settle().state.servers) == ([], {})


def test_a_cancelled_one_begins_no_step(world: World, tmp_path: Path, undone: str) -> None:
    restore(tmp_path)
    with restarted(tmp_path) as service:
        rests(world, service, undone)
        assert accept(tmp_path, "--cancel", undone, "--yes") == 0
        service.patience = PATIENCE
        assert service.rest(undone).state is JobState.PAUSED
        assert volumes(world) == []


def test_the_database_it_had_goes_on(world: World, tmp_path: Path, undone: str) -> None:
    """The other one: a restart alone, and a copy made when nothing was at work any more."""
    with restarted(tmp_path) as service:
        assert service.staleness.why_rest() is None
        kept_aside(tmp_path).unlink()
        back_up(service)
    restore(tmp_path)
    with restarted(tmp_path) as service:
        assert service.staleness.why_rest() is None
        service.patience = PATIENCE
        point = service.points()[0]
        assert service.recover(point.id)[0].state is JobState.DONE
