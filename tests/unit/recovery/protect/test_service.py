"""The verbs operators use, on a real database and the real job engine, over a simulated site."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import Annotated

import pytest
from pydantic import Field

from multisite.applications.service import ApplicationService
from multisite.clouds.errors import Unreachable
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.domain.manifest import digest_of, dump
from multisite.domain.model import Capability, Known, RestorePointState, Site
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import JobState
from multisite.recovery.manifests import StoreUnavailable
from multisite.recovery.methods.consistent_backup.method import ConsistentBackup
from multisite.recovery.protect.service import ProtectionService
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.sites import SiteRepository
from tests.manifest_store import store_in
from tests.unit.recovery.demo_site import nothing, unreachable

ANN = Caller("u1", "ann", "p1", "vnf", frozenset({"member"}), "req-1")
BOB = Caller("u2", "bob", "p2", "other", frozenset({"member"}), "req-2")
ROOT = Caller("u0", "root", "p0", "admin", frozenset({"admin"}), "req-0")


class Sites:
    def __init__(self, repository):
        self.repository = repository

    def get(self, caller, name):
        return self.repository.by_name(name)


class ProtectionSetup:
    def __init__(self, path, cloud, *, launch=False, **options):
        self.path = path
        self.database = Database(f"sqlite:///{path}/multisite.db")
        self.database.upgrade()
        self.engine = JobEngine(self.database)
        store = path / "store"
        store.mkdir(exist_ok=True)
        self.store = store_in(store, state=path / "keys")
        self.cloud = cloud
        sites, applications = SiteRepository(self.database), ApplicationRepository(self.database)
        for name in ("s1", "s2"):
            if name not in {s.name for s in sites.list()}:
                sites.add(Site(name, name, name, "R", "http://keystone/v3"))
        if not applications.list():
            applications.add(self.cloud.application)
        self.service = ProtectionService(
            self.database, ApplicationService(applications, cloud.clouds), Sites(sites), self.store, self.engine,
            self.cloud.clouds, backups_per_site=2, **options,
        )  # fmt: skip
        if launch:
            self.engine.launch()

    def run(self, protection, caller=ANN, **wish):
        job = self.engine.wait(self.service.run(caller, protection.id, **wish), 30)
        assert job.settled
        return job

    def close(self):
        self.engine.shutdown()
        self.database.close()


pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def cloud(demo_sites):
    with demo_sites.fresh(2).watched() as cloud:
        yield cloud


@pytest.fixture
def setup(tmp_path, cloud):
    """Jobs are accepted but not carried out."""
    setup = ProtectionSetup(tmp_path, cloud)
    yield setup
    setup.close()


@pytest.fixture
def working(tmp_path, cloud):
    """Jobs are carried out."""
    setup = ProtectionSetup(tmp_path, cloud, launch=True)
    yield setup
    setup.close()


def test_create_remembers_the_decision(setup):
    made = setup.service.create(
        ANN,
        "demo",
        "consistent-backup",
        target_site="s2",
        options={"freeze_timeout": 30, "full_every": 3, "console_mark": "A.*"},
    )
    assert (made.application_id, made.site, made.project_id) == ("app-1", "s1", "p1")
    assert made.options == {
        "freeze_timeout": 30, "quiesce": True, "full_every": 3, "console_mark": "A.*", "snapshot_gap_seconds": 0.0,
        "standby_only": False,
    }  # fmt: skip
    assert setup.service.get(ANN, made.id) == made
    assert setup.service.list(ANN) == [made]
    assert setup.service.list(BOB) == []
    assert setup.service.list(ROOT) == [made]
    with pytest.raises(NotFound):
        setup.service.get(BOB, made.id)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"options": {"freeze_timeout": 4}}, "options.freeze_timeout: .* greater than or equal to 5"),
        ({"options": {"freeze_timeout": 601}}, "options.freeze_timeout: .* less than or equal to 600"),
        ({"options": {"freeze_timeout": "30"}}, "options.freeze_timeout: .* integer"),
        ({"options": {"full_every": 0}}, "options.full_every"),
        ({"options": {"snapshot_gap_seconds": -1}}, "options.snapshot_gap_seconds"),
        ({"options": {"snapshot_gap_seconds": 6}}, "options.snapshot_gap_seconds"),
        ({"options": {"console_mark": "("}}, "options.console_mark: '(' is not a regular expression"),
        (
            {"options": {"color": "red"}},
            "options.color: there is no such option of consistent-backup; there are: freeze_",
        ),
        ({"target_site": "s1"}, "target_site: 's1' is the site the application runs in"),
        ({"method": "magic"}, "method: 'magic' is not known; there are: consistent-backup"),
    ],
)
def test_create_names_the_wrong_field(setup, options, words):
    with pytest.raises(Invalid, match=words.replace("(", r"\(")):
        setup.service.create(ANN, "demo", options.pop("method", "consistent-backup"), **options)


@dataclass(frozen=True)
class OtherOptions:
    copies: Annotated[int, Field(ge=1)] = 2


class Other(ConsistentBackup):
    name, options = "other", OtherOptions


def test_another_method_has_options_of_its_own(tmp_path, cloud):
    """It takes no change of the service, the database or the API."""
    setup = ProtectionSetup(tmp_path, cloud, methods={"other": Other()})
    try:
        made = setup.service.create(ANN, "demo", "other", options={"copies": 3})
        assert setup.service.get(ANN, made.id).options == {"copies": 3}
        assert setup.service.create(ANN, "demo", "other").options == {"copies": 2}
        with pytest.raises(
            Invalid, match=r"options\.full_every: there is no such option of other; there are: copies"
        ):
            setup.service.create(ANN, "demo", "other", options={"full_every": 2})
    finally:
        setup.close()


def test_create_needs_an_application_and_a_target_that_exist(setup):
    with pytest.raises(NotFound):
        setup.service.create(ANN, "absent", "consistent-backup")
    with pytest.raises(NotFound):
        setup.service.create(BOB, "demo", "consistent-backup")
    with pytest.raises(NotFound, match="s9"):
        setup.service.create(ANN, "demo", "consistent-backup", target_site="s9")


def capability(name, present, detail="seen"):
    return Capability(name, present, detail)


def test_create_refuses_what_the_site_cannot_do(tmp_path, cloud):
    asked = [capability("quiesce", Known.NO, "install multisite-nova"), capability("backup", Known.UNKNOWN)]
    setup = ProtectionSetup(tmp_path, cloud, capabilities=lambda site: asked)
    try:
        with pytest.raises(
            Conflict, match=r"site s1: quiesce: install multisite-nova \(remedy: install multi"
        ):
            setup.service.create(ANN, "demo", "consistent-backup")
        setup.service.create(
            ANN, "demo", "consistent-backup", options={"quiesce": False}
        )  # needs no filter; unknown does not block
    finally:
        setup.close()


def test_create_does_not_need_the_site_to_answer(tmp_path, cloud):
    setup = ProtectionSetup(tmp_path, cloud, capabilities=unreachable)
    try:
        setup.service.create(ANN, "demo", "consistent-backup")
    finally:
        setup.close()


def test_run_accepts_a_job_and_a_restore_point_together(setup):
    protection = setup.service.create(ANN, "demo", "consistent-backup")
    job = setup.engine.get(setup.service.run(ANN, protection.id))
    assert (job.kind, job.state, job.subject, job.project_id) == ("protect", JobState.QUEUED, "app-1", "p1")
    assert job.title == "Protect demo: 4 full backups, 6 GiB"
    assert [s.name for s in job.steps][:3] == ["check", "capture", "backup:web1:vda"]
    (point,) = setup.service.restore_points(ANN)
    assert (point.state, point.job_id, point.application) == (RestorePointState.RUNNING, job.id, "demo")
    assert point.protection_id == protection.id


def test_a_second_run_at_the_same_time_is_refused_naming_the_job(setup):
    one, two = (
        setup.service.create(ANN, "demo", "consistent-backup"),
        setup.service.create(ANN, "demo", "consistent-backup"),
    )
    job_id = setup.service.run(ANN, one.id)
    for protection in (one, two):
        with pytest.raises(Conflict, match=job_id):
            setup.service.run(ANN, protection.id)
    with pytest.raises(Conflict, match=job_id):
        setup.service.delete(ANN, one.id)
    assert len(setup.service.restore_points(ANN)) == 1


def test_a_run_that_is_forbidden_says_everything_that_is_wrong(setup):
    protection = setup.service.create(ANN, "demo", "consistent-backup")
    setup.cloud.server("id1").status = "ERROR"
    setup.cloud.server("id2").status = "PAUSED"
    with pytest.raises(Conflict, match=r"web1: it is ERROR.*web2: it is PAUSED"):
        setup.service.run(ANN, protection.id)
    assert setup.service.restore_points(ANN) == []
    assert setup.engine.list() == []


def test_a_server_that_is_gone_or_boots_from_an_image_forbids_it(setup):
    protection = setup.service.create(ANN, "demo", "consistent-backup")
    gone = setup.cloud.state.servers.pop("id2")
    with pytest.raises(Conflict, match="application demo: Instance id2 could not be found"):
        setup.service.run(ANN, protection.id)
    setup.cloud.state.servers["id2"] = gone
    setup.cloud.server("id1").disks.clear()
    with pytest.raises(Conflict, match="web1: it does not boot from a volume"):
        setup.service.run(ANN, protection.id)


def test_a_site_that_is_down_is_said_to_be(setup):
    protection = setup.service.create(ANN, "demo", "consistent-backup")
    setup.cloud.trouble = lambda verb, thing: unreachable()
    with pytest.raises(Unreachable):
        setup.service.run(ANN, protection.id)


def test_without_the_backup_store_nothing_is_begun(setup):
    protection = setup.service.create(ANN, "demo", "consistent-backup")
    (setup.store.path / ".multisite-store").unlink()
    with pytest.raises(StoreUnavailable, match="not mounted"):
        setup.service.run(ANN, protection.id)
    with pytest.raises(StoreUnavailable):
        setup.service.rescan(ANN)
    assert setup.service.restore_points(ANN) == []


def test_runs_make_a_chain_of_restore_points(working):
    protection = working.service.create(ANN, "demo", "consistent-backup", target_site="s2")
    assert working.run(protection).state == JobState.DONE
    second = working.run(protection)
    assert second.state == JobState.DONE, second.error
    newest, oldest = working.service.restore_points(ANN)
    assert [p.state for p in (newest, oldest)] == [RestorePointState.AVAILABLE] * 2
    assert (newest.incremental, newest.parent_id) == (True, oldest.id)
    assert newest.digest
    assert newest.quiesced
    assert working.service.get(ANN, protection.id).last_restore_point == newest.id
    step = second.step("backup:web1:vdb")
    assert (step.done, step.total, step.unit) == (2.0, 2.0, "GiB")
    assert working.service.restore_points(ANN, "demo") == [newest, oldest]
    assert working.service.restore_points(ANN, "app-1") == [newest, oldest]
    assert working.service.restore_points(ANN, "other") == []
    assert working.service.restore_points(BOB) == []
    assert working.service.restore_point(ANN, oldest.id) == oldest
    with pytest.raises(NotFound):
        working.service.restore_point(BOB, oldest.id)
    full = working.run(protection, incremental=False)
    assert "full backups" in full.title


def test_a_failed_run_is_undone_and_says_why(working):
    protection = working.service.create(ANN, "demo", "consistent-backup")
    working.cloud.trouble = lambda verb, thing: (
        unreachable() if verb == "snapshot" and thing == "v2a" else None
    )
    job = working.run(protection)
    assert job.state == JobState.UNDONE
    assert working.cloud.frozen == set()
    assert (working.cloud.snapshots, working.cloud.saved) == ({}, {})
    (point,) = working.service.restore_points(ANN)
    assert point.state == RestorePointState.FAILED
    assert "no answer in time" in point.error
    assert working.service.get(ANN, protection.id).last_restore_point is None
    working.cloud.trouble = nothing
    assert working.run(protection).state == JobState.DONE


def test_the_store_outlives_the_database(tmp_path, cloud):
    first = ProtectionSetup(tmp_path, cloud, launch=True)
    protection = first.service.create(ANN, "demo", "consistent-backup")
    first.run(protection)
    (point,) = first.service.restore_points(ANN)
    first.close()
    for file in tmp_path.glob("*.db*"):
        file.unlink()
    second = ProtectionSetup(tmp_path, cloud)
    try:
        (found,) = second.service.restore_points(ANN)
        assert (found.id, found.application, found.state) == (point.id, "demo", RestorePointState.AVAILABLE)
        assert found.digest == point.digest
        assert found.frozen == point.frozen
        assert second.service.restore_points(BOB) == []
        assert second.service.restore_point(ANN, point.id) == found
        (kept,) = second.service.rescan(ANN)
        assert kept == found
        shutil.rmtree(second.store.path / "multisite")
        (lost,) = second.service.restore_points(ANN)
        assert lost.state == RestorePointState.MISSING
    finally:
        second.close()


def test_rescan_reports_what_is_missing_damaged_and_back_again(working):
    protection = working.service.create(ANN, "demo", "consistent-backup")
    working.run(protection)
    (point,) = working.service.restore_points(ANN)
    folder = working.store.path / "multisite" / "restore-points"
    manifest = folder / point.id / "manifest.json"
    good = manifest.read_bytes()
    manifest.write_bytes(good + b" ")
    (damaged,) = working.service.rescan(ANN)
    assert (damaged.state, "digest" in damaged.error) == (RestorePointState.MISSING, True)
    manifest.write_bytes(good)
    (back,) = working.service.rescan(ANN)
    assert (back.state, back.job_id, back.protection_id) == (
        RestorePointState.AVAILABLE, point.job_id, point.protection_id,
    )  # fmt: skip
    (folder / "strange").mkdir()
    assert [p.id for p in working.service.rescan(ANN)] == [point.id]
    assert [(p.id, p.state) for p in working.service.rescan(ROOT)] == [
        (point.id, RestorePointState.AVAILABLE), ("strange", RestorePointState.FAILED),
    ]  # fmt: skip


def test_a_forged_manifest_is_shown_to_administrators_alone(working):
    """Somebody who can write to the store makes ANN's application BOB's."""
    working.run(working.service.create(ANN, "demo", "consistent-backup"))
    (point,) = working.service.restore_points(ANN)
    folder = working.store.path / "multisite" / "restore-points"
    theirs = replace(working.store.read(point.id), id="forged", project_id=BOB.project_id)
    shutil.copytree(folder / point.id, folder / "forged")
    (folder / "forged" / "manifest.json").write_bytes(dump(theirs))
    (folder / "forged" / "manifest.json.sha256").write_text(digest_of(dump(theirs)))
    assert working.service.restore_points(BOB) == working.service.rescan(BOB) == []
    with pytest.raises(NotFound):
        working.service.restore_point(BOB, "forged")
    shown = {p.id: p for p in working.service.rescan(ROOT)}
    assert shown["forged"].state == RestorePointState.FAILED
    assert "is not of this content" in shown["forged"].error
    assert shown[point.id].state == RestorePointState.AVAILABLE
    (folder / "forged" / "manifest.json.sig").write_bytes(working.store.keys.sign(dump(theirs)))
    assert [p.id for p in working.service.restore_points(BOB)] == ["forged"], "the signature alone made it so"


def test_a_forged_manifest_deletes_nobodys_backup(working):
    """ANN's manifest names a backup of somebody else, then ANN deletes her restore point."""
    working.run(working.service.create(ANN, "demo", "consistent-backup"))
    (point,) = working.service.restore_points(ANN)
    (mine, *_) = before = set(working.cloud.saved)
    theirs = working.cloud.back_up("multisite:another-job:backup", "v1a").id
    folder = working.store.path / "multisite" / "restore-points" / point.id
    forged = (folder / "manifest.json").read_bytes().replace(mine.encode(), theirs.encode())
    assert theirs.encode() in forged
    (folder / "manifest.json").write_bytes(forged)
    (folder / "manifest.json.sha256").write_text(digest_of(forged))
    assert working.service.delete_restore_point(ANN, point.id) is None
    assert set(working.cloud.saved) == {*before, theirs}


def test_a_point_of_the_store_may_be_the_parent_after_the_database_was_lost(tmp_path, cloud):
    first = ProtectionSetup(tmp_path, cloud, launch=True)
    first.run(first.service.create(ANN, "demo", "consistent-backup"))
    (point,) = first.service.restore_points(ANN)
    first.close()
    for file in tmp_path.glob("*.db*"):
        file.unlink()
    second = ProtectionSetup(tmp_path, cloud, launch=True)
    try:
        second.run(second.service.create(ANN, "demo", "consistent-backup"))
        newest = second.service.restore_points(ANN)[0]
        assert newest.parent_id == point.id
    finally:
        second.close()


def test_deleting_goes_from_the_newest(working):
    protection = working.service.create(ANN, "demo", "consistent-backup")
    working.run(protection)
    working.run(protection)
    newest, oldest = working.service.restore_points(ANN)
    with pytest.raises(Conflict, match=newest.id):
        working.service.delete_restore_point(ANN, oldest.id)
    with pytest.raises(NotFound):
        working.service.delete_restore_point(BOB, newest.id)
    for point in (newest, oldest):
        job = working.engine.wait(working.service.delete_restore_point(ANN, point.id), 30)
        assert job.state == JobState.DONE, job.error
    assert working.service.restore_points(ANN) == []
    assert working.cloud.saved == {}
    assert working.store.ids() == ()


def test_a_deletion_that_cannot_reach_the_site_can_be_resumed(working):
    working.run(working.service.create(ANN, "demo", "consistent-backup"))
    (point,) = working.service.restore_points(ANN)
    working.cloud.trouble = lambda verb, thing: unreachable() if verb == "delete_backup" else None
    job = working.engine.wait(working.service.delete_restore_point(ANN, point.id), 30)
    assert job.state == JobState.PAUSED
    (half,) = working.service.restore_points(ANN)
    assert (half.state, half.error) == (RestorePointState.FAILED, "it is being deleted")
    with pytest.raises(Conflict, match=f"resume job {job.id}"):
        working.service.delete_restore_point(ANN, point.id)
    working.cloud.trouble = nothing
    working.engine.resume(job.id, "ann")
    assert working.engine.wait(job.id, 30).state == JobState.DONE
    assert working.service.restore_points(ANN) == []


def test_what_never_became_a_restore_point_is_just_forgotten(working):
    protection = working.service.create(ANN, "demo", "consistent-backup")
    working.cloud.trouble = lambda verb, thing: unreachable() if verb == "freeze" else None
    working.run(protection)
    (point,) = working.service.restore_points(ANN)
    assert working.service.delete_restore_point(ANN, point.id) is None
    assert working.service.restore_points(ANN) == []
    working.service.delete(ANN, protection.id)
    assert working.service.list(ANN) == []


def test_cancelling_leaves_nothing(working):
    protection = working.service.create(ANN, "demo", "consistent-backup")
    started = []

    def cancel(verb, thing):
        if verb == "create_backup" and not started:
            started.append(thing)
            working.engine.cancel(working.engine.list()[0].id, "ann")

    working.cloud.trouble = cancel
    job = working.run(protection)
    assert job.state == JobState.UNDONE
    assert (working.cloud.snapshots, working.cloud.saved) == ({}, {})
    (point,) = working.service.restore_points(ANN)
    assert point.state == RestorePointState.FAILED
    assert "cancelled" in point.error


def test_undoing_a_finished_run_takes_its_restore_point_back(working):
    protection = working.service.create(ANN, "demo", "consistent-backup")
    first = working.run(protection)
    second = working.run(protection)
    working.engine.undo(first.id, "ann")
    assert working.engine.wait(first.id, 30).state == JobState.UNDO_FAILED
    assert len(working.store.ids()) == 2
    assert {p.state for p in working.service.restore_points(ANN)} == {RestorePointState.AVAILABLE}
    working.engine.undo(second.id, "ann")
    assert working.engine.wait(second.id, 30).state == JobState.UNDONE
    states = {p.job_id: p.state for p in working.service.restore_points(ANN)}
    assert states[second.id] == RestorePointState.FAILED
    assert states[first.id] == RestorePointState.AVAILABLE
