"""A recovery that is done makes its copy the application: what still comes from the old one is refused or apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from multisite.domain.errors import Conflict, MultisiteError
from multisite.jobs.model import JobState
from multisite.store.applications import ApplicationRepository
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.world import World
from tests.sim.service import DATABASE, MAPPING, SITE, TARGET, Service


@pytest.fixture
def point(service: Service) -> str:
    service.deploy("mme", servers=1)
    return service.protect("mme")[1].id


def states(service: Service) -> dict[str, str]:
    return {point.id: point.state.value for point in service.points()}


def kept_in(service: Service) -> Path:
    """The file of the application's epochs in the backup store."""
    id = service.application("mme").id
    return service.manifests.path / "multisite" / "applications" / id / "epochs.jsonl"


def kept(service: Service) -> list[tuple[int, str, bool]]:
    """What it says."""
    _, said = kept_in(service).read_text().splitlines()
    return [(e["number"], e["site"], e["withdrawn"]) for e in json.loads(said)["begun"]]


def test_the_old_source_is_not_protected_any_more(world: World, service: Service, point: str) -> None:
    _, recovery = service.recover(point)
    assert (recovery.state, recovery.epoch) == ("done", 1)
    application = service.application("mme")
    with pytest.raises(Conflict, match=f"{recovery.id} made the copy in {TARGET} the application .epoch 1."):
        service.protect("mme")
    assert (application.epoch, kept(service)) == (1, [(1, TARGET, False)])
    assert states(service) == {point: "superseded"}, "never the newest, and no newer one"
    (server,) = world.sites[TARGET].settle().state.servers.values()
    marks = {key: server.metadata[key] for key in ("multisite_application", "multisite_epoch")}
    assert marks == {"multisite_application": application.id, "multisite_epoch": "1"}


def test_an_undone_recovery_does_not_count(service: Service, point: str) -> None:
    """The negative control; and no number is given twice."""
    _, recovery = service.recover(point)
    service.undo(recovery.id)
    assert (service.application("mme").epoch, kept(service)) == (0, [(1, TARGET, True)])
    job, newer = service.protect("mme")
    assert (job.state, newer.incremental, newer.parent_id) == (JobState.DONE, True, point)
    assert states(service) == {point: "available", newer.id: "available"}
    _, again = service.recover(newer.id)
    assert (again.epoch, service.application("mme").epoch) == (2, 2)


def test_a_run_that_was_under_way_is_shown_apart(world: World, service: Service, point: str) -> None:
    world.sites[SITE].strike(Rule("delay", "volume", "POST", "^/backups$", seconds=15))
    run = service.protections.run(service.caller, service.protection("mme").id, incremental=False)
    _, recovery = service.recover(point)
    assert recovery.state == "done"
    assert service.jobs.get(run).state is JobState.RUNNING
    assert service.rest(run).state is JobState.DONE
    found = {p.job_id: p for p in service.points()}
    assert (found[run].state, found[run].epoch) == ("superseded", 0)
    assert service.manifests.read(found[run].id).epoch == 0


def test_who_lost_the_database_knows_it_from_the_store(tmp_path: Path, service: Service, point: str) -> None:
    _, recovery = service.recover(point)
    service.close()
    for file in tmp_path.glob(f"{DATABASE}*"):
        file.unlink()
    second = Service(tmp_path)
    second.open()
    try:
        assert states(second) == {point: "superseded"}
        shown = second.recoveries.preview(second.caller, point, TARGET, MAPPING)
        assert f"recovery {recovery.id} of it in {TARGET} is done" in shown.problems[0].what
        with pytest.raises(Conflict, match=recovery.id):
            second.recoveries.start(second.caller, point, TARGET, MAPPING, confirm="mme")
    finally:
        second.close()


def test_which_copy_counts_is_unknown_when_the_file_is_damaged(service: Service, point: str) -> None:
    service.recover(point)
    file = kept_in(service)
    kept_before = file.read_bytes()
    for damage in (lambda: file.write_bytes(b"{}"), file.unlink):
        damage()
        (shown,) = service.points()
        assert shown.state == "unknown"
        assert "epochs.jsonl is damaged" in str(shown.error)
    file.write_bytes(kept_before)
    assert states(service) == {point: "superseded"}


def test_between_the_file_and_the_row(service: Service, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is written first; what was begun there is finished here, and not begun twice."""

    def gone(*_: object) -> None:
        raise MultisiteError("the database is gone")

    with monkeypatch.context() as patch:
        patch.setattr(ApplicationRepository, "change", gone)
        job, recovery = service.recover(point)
    assert job.state is JobState.PAUSED
    assert (service.application("mme").epoch, kept(service)) == (0, [(1, TARGET, False)])
    with pytest.raises(Conflict, match="epoch 1"):
        service.protect("mme")
    job, _ = service.resume(recovery.id)
    assert job.state is JobState.DONE
    assert (service.application("mme").epoch, kept(service)) == (1, [(1, TARGET, False)])


def test_a_store_that_knows_less_than_the_database(service: Service, point: str) -> None:
    """Removed, or put back from before: the old source is not the application again by that."""
    service.recover(point)
    file = kept_in(service)
    kept_aside = file.read_bytes()
    file.unlink()
    for ask in (
        lambda: service.protect("mme"),
        lambda: service.recoveries.preview(service.caller, point, TARGET, MAPPING),
    ):
        with pytest.raises(Conflict, match="ends with epoch 0, and epoch 1 has begun"):
            ask()
    file.write_bytes(kept_aside)
    with pytest.raises(Conflict, match="older copy"):
        service.protect("mme")
