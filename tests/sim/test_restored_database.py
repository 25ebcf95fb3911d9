"""A service whose database was restored from a backup rests, until an operator lets it go on."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from multisite.command import database as command
from multisite.command import manage
from multisite.jobs.model import JobState
from multisite.recovery import staleness
from multisite.store.trail import AuditTrail
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.world import World
from tests.sim.deploy import until
from tests.sim.service import DATABASE, MAPPING, STORE, TARGET, Service, prepare, running_service

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
    """As an operator does: a consistent copy while the service runs."""
    with (
        closing(sqlite3.connect(service.folder / DATABASE)) as present,
        closing(sqlite3.connect(kept_aside(service.folder))) as copy,
    ):
        present.backup(copy)


def restore(folder: Path) -> None:
    for file in folder.glob(f"{DATABASE}*"):
        file.unlink()
    shutil.copy(kept_aside(folder), folder / DATABASE)


@contextmanager
def restarted(folder: Path) -> Iterator[Service]:
    service = Service(folder)
    service.open()
    try:
        yield service
    finally:
        service.close()


@pytest.fixture
def undone(world: World, tmp_path: Path) -> str:
    """A recovery that was backed up while it was at work, and undone since; the id of its job."""
    with running_service(tmp_path, world) as service:
        service.deploy("mme", servers=1)
        _, point = service.protect("mme")
        rule = world.sites[TARGET].strike(
            Rule("delay", "volume", "POST", "^/backups/.*/restore$", seconds=1.0)
        )
        started = service.recoveries.start(service.caller, point.id, TARGET, MAPPING, confirm="mme")
        until(lambda: rule.struck or None, "the first restore")
        back_up(service)
        assert service.rest(started.job_id).state is JobState.DONE
        assert service.undo(started.id)[0].state is JobState.UNDONE
    assert volumes(world) == []
    return str(started.job_id)


def test_an_undone_recovery_does_not_go_on_by_itself(world: World, tmp_path: Path, undone: str) -> None:
    restore(tmp_path)
    with restarted(tmp_path) as service:
        with pytest.raises(AssertionError, match="does not come to rest: running"):
            service.patience = REST_SECONDS
            service.rest(undone)
        assert volumes(world) == []
        assert "multisite-manage db accept-restored" in str(service.staleness.why_rest())
    with restarted(tmp_path) as service:  # nor does the next one
        service.patience = REST_SECONDS
        with pytest.raises(AssertionError, match="does not come to rest: running"):
            service.rest(undone)
        assert volumes(world) == []


def test_without_the_mark_it_does(world: World, tmp_path: Path, undone: str) -> None:
    """The negative control: it is the mark alone that holds it."""
    restore(tmp_path)
    shutil.rmtree(tmp_path / STORE / "multisite" / "installations")
    with restarted(tmp_path) as service:
        service.rest(undone)
        assert volumes(world) != []


def test_the_database_it_had_goes_on(world: World, tmp_path: Path, undone: str) -> None:
    """The other one: a restart alone, and a copy made when nothing was at work any more."""
    with restarted(tmp_path) as service:
        assert service.staleness.why_rest() is None
        kept_aside(tmp_path).unlink()
        back_up(service)
    restore(tmp_path)
    with restarted(tmp_path) as service:
        assert service.staleness.why_rest() is None
        point = service.points()[0]
        assert service.recover(point.id)[0].state is JobState.DONE
