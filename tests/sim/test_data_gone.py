"""A restore point whose backups the tenant has deleted is not available, whoever is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from multisite.domain.errors import Conflict
from multisite.domain.findings import Finding, Severity, blockers
from multisite.jobs.model import JobState
from multisite.recovery.methods.base import DATA_GONE
from multisite_lab.sim.world import World, make_world
from tests.sim.deploy import CINDER, ask, until
from tests.sim.service import MAPPING, SITE, STORE, TARGET, Service, running_service


@dataclass(frozen=True)
class Point:
    world: World
    service: Service
    id: str

    def delete_a_backup(self) -> str:
        """As the tenant would: `openstack volume backup delete`."""
        (backup, *_) = self.world.sites[SITE].settle().state.backups
        ask(self.service.cloud().volume, "DELETE", f"/backups/{backup}", None, CINDER)
        until(lambda: backup not in self.world.sites[SITE].settle().state.backups or None, "deleted")
        return backup

    def said(self) -> list[Finding]:
        preview = self.service.recoveries.preview(self.service.caller, self.id, TARGET, MAPPING)
        return list(preview.problems)

    @property
    def state(self) -> str:
        """As the list shows it."""
        (found,) = self.service.points()
        return found.state

    def show_store(self) -> None:
        """Cinder's backups are in the folder that Multisite has mounted, too."""
        self.world.store.folder = self.service.folder / STORE
        self.world.store.show()


@pytest.fixture
def point(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Point]:
    with make_world() as world, running_service(tmp_path_factory.mktemp("gone"), world) as service:
        service.deploy("mme", servers=1, full=False)
        job, made = service.protect("mme")
        assert job.state is JobState.DONE, job.error
        yield Point(world, service, made.id)


def test_the_source_tells_while_it_answers(point: Point) -> None:
    assert blockers(point.said()) == ()
    assert point.state == "available"
    gone = point.delete_a_backup()
    (found,) = blockers(point.said())
    assert (found.kind, gone in found.what, found.site) == (DATA_GONE, True, SITE)
    assert point.state == "missing"
    with pytest.raises(Conflict, match="was deleted"):
        point.service.recoveries.start(point.service.caller, point.id, TARGET, MAPPING, confirm="mme")
    assert not point.world.sites[TARGET].settle().state.volumes


def test_the_store_tells_when_the_source_is_lost(point: Point) -> None:
    point.show_store()
    gone = point.delete_a_backup()
    point.world.lose(SITE)
    (found,) = blockers(point.said())
    assert (found.kind, f"data of backup {gone}" in found.what) == (DATA_GONE, True)
    assert point.state == "missing"


def test_who_looks_at_the_restore_point_or_reads_the_store_anew_sees_it(point: Point) -> None:
    point.show_store()
    assert point.service.protections.restore_point(point.service.caller, point.id).state == "available"
    gone = point.delete_a_backup()
    shown = point.service.protections.restore_point(point.service.caller, point.id)
    assert (shown.state, gone in (shown.error or "")) == ("missing", True)
    assert point.state == "available", "a list reads no manifests"
    point.service.protections.rescan(point.service.caller)
    assert point.state == "missing"


def test_what_is_there_after_all_is_available_again(point: Point) -> None:
    """The source's word counts until the data are seen."""
    point.world.sites[SITE].settle().state.backups.clear()
    assert len(blockers(point.said())) == 2
    point.service.protections.rescan(point.service.caller)
    assert point.state == "missing", "nothing can be seen, so what was found counts"
    point.show_store()
    point.service.protections.rescan(point.service.caller)
    assert point.state == "available"


def test_a_site_that_was_made_anew_does_not_say_that_backups_were_deleted(point: Point) -> None:
    state = point.world.sites[SITE].settle().state
    state.servers.clear()
    state.volumes.clear()
    state.backups.clear()
    problems = point.said()
    assert blockers(problems) == ()
    assert any("it may be a new one" in f.what for f in problems if f.severity is Severity.UNKNOWN)
    point.show_store()
    job, _ = point.service.recover(point.id)
    assert job.state is JobState.DONE, job.error


def test_data_that_are_in_the_store_can_be_recovered_from(point: Point) -> None:
    """The source's Cinder has lost its database, and not the data."""
    point.show_store()
    point.world.sites[SITE].settle().state.backups.clear()
    assert blockers(point.said()) == ()
    point.world.lose(SITE)
    job, _ = point.service.recover(point.id)
    assert job.state is JobState.DONE, job.error


def test_a_store_that_cannot_be_looked_into_is_said_to_be_unknown(point: Point) -> None:
    assert [f for f in point.said() if f.kind == "backups"] == [], "the source tells"
    point.world.lose(SITE)
    (told,) = (f for f in point.said() if f.kind == "backups")
    assert (told.severity, "not be where cinder-backup of their site writes to" in told.what) == (
        Severity.UNKNOWN,
        True,
    )
    point.show_store()
    assert [f for f in point.said() if f.kind == "backups"] == []
