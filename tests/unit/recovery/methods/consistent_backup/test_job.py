"""The job that makes a restore point: complete or nothing, chains that can be restored."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multisite.clouds import volumes
from multisite.clouds.errors import OverQuota, Refused, UnknownOutcome, Unreachable
from multisite.domain.manifest import dump, load
from multisite.domain.model import Protection, RestorePoint, RestorePointState, Site
from multisite.jobs.model import JobState
from multisite.recovery.methods.base import ProtectDependencies, ProtectOrder, RunRequest
from multisite.recovery.methods.cinder_backups.payload import chain_of
from multisite.recovery.methods.table import METHODS
from multisite.recovery.protect.forget import forget_kind, forget_params
from multisite.recovery.protect.job import protect_kind
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.protections import ProtectionRepository
from multisite.store.recoveries import RecoveryRepository
from multisite.store.restore_points import RestorePointRepository
from multisite.store.sites import SiteRepository
from tests.manifest_store import store_in
from tests.unit.recovery.carry_out import Context, carry_out, undo
from tests.unit.recovery.demo_site import nothing, now, unreachable


class RunSetup:
    """An application with a protection, and everything a run touches."""

    def __init__(self, path, cloud, **options):
        path.mkdir(parents=True, exist_ok=True)
        self.cloud = cloud
        self.store = store_in(path)
        database = Database(f"sqlite:///{path}/multisite.db")
        database.upgrade()
        SiteRepository(database).add(Site("s1", "s1", "s1", "R", "http://keystone/v3"))
        ApplicationRepository(database).add(cloud.application)
        self.points, protections = RestorePointRepository(database), ProtectionRepository(database)
        self.protections = protections
        recoveries = RecoveryRepository(database)
        self.dependencies = ProtectDependencies(
            cloud.clouds, self.store, self.points, protections, recoveries, 2
        )
        self.kind = protect_kind(self.dependencies, METHODS)
        self.protection = protections.add(
            Protection(
                "prot-1",
                "app-1",
                "demo",
                "p1",
                "consistent-backup",
                "s1",
                None,
                {"freeze_timeout": 5, **options},
                created_at=now(),
            )
        )
        self.number = 0

    def plan(self, incremental=None):
        """The parameters of the next run's job."""
        self.number += 1
        id, at = f"rp-{self.number}", now() + timedelta(seconds=self.number)
        manifests = self.store.list().manifests
        application = self.cloud.application
        request = RunRequest(
            application, self.protection, manifests[0] if manifests else None, incremental, id, at
        )
        planned = METHODS["consistent-backup"].plan(self.cloud.site, request)
        self.points.save(
            RestorePoint(
                id, "app-1", "demo", "p1", "prot-1", "consistent-backup", RestorePointState.RUNNING,
                planned.incremental, planned.parent_id, at, job_id=f"job{self.number}",
            )
        )  # fmt: skip
        order = ProtectOrder(id, "prot-1", application, "consistent-backup", at, dict(planned.plan))
        return order.to_params()

    def run(self, incremental=None, **trouble):
        params = self.plan(incremental)
        return carry_out(self.kind, params, f"job{self.number}", **trouble)

    @property
    def last(self):
        return self.points.get(f"rp-{self.number}")

    def manifest(self):
        return self.store.read(f"rp-{self.number}")

    def things(self):
        return set(self.cloud.snapshots), set(self.cloud.saved), set(self.cloud.groups)


pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def cloud(demo_sites):
    with demo_sites.fresh(2).watched() as cloud:
        yield cloud


@pytest.fixture
def setup(tmp_path, cloud):
    return RunSetup(tmp_path, cloud)


def chains(manifest):
    return {v.id: [b.id for b in chain_of(v)] for v in manifest.volumes}


def test_a_full_run_leaves_a_manifest_and_the_backups_and_nothing_else(setup):
    run = setup.run()
    assert run.error is None
    manifest = setup.manifest()
    assert {v.id: len(chain_of(v)) for v in manifest.volumes} == {"v1a": 1, "v1b": 1, "v2a": 1, "v2b": 1}
    assert not manifest.incremental
    assert manifest.parent_id is None
    assert manifest.quiesced
    assert [w.server_name for w in manifest.frozen] == ["web1", "web2"]
    assert manifest.frozen[0].frozen_at <= manifest.consistent_at <= manifest.frozen[0].thawed_at
    assert all(v.payload.data["snapshot_id"] for v in manifest.volumes)
    assert setup.cloud.snapshots == {}
    assert {b for chain in chains(manifest).values() for b in chain} == set(setup.cloud.saved)
    point = setup.last
    assert point.state == RestorePointState.AVAILABLE
    assert point.size_gib == 6
    assert point.digest == run.results["manifest"]["digest"]
    assert point.consistent_at == manifest.consistent_at
    assert (point.protection_id, point.job_id) == ("prot-1", "job1")
    json.dumps(point.frozen)
    assert setup.protections.get("prot-1").last_restore_point == "rp-1"


def test_the_second_run_is_incremental_with_the_whole_chain_in_its_manifest(setup):
    setup.run()
    first = chains(setup.manifest())
    setup.run()
    second = setup.manifest()
    assert second.incremental
    assert second.parent_id == "rp-1"
    for volume in second.volumes:
        assert [b.incremental for b in chain_of(volume)] == [False, True]
        assert chain_of(volume)[0].id == first[volume.id][0]
        assert chain_of(volume)[0].record["backup_url"]
        assert setup.cloud.saved[chain_of(volume)[1].id].parent_id == chain_of(volume)[0].id


def test_a_resized_volume_starts_a_new_chain(setup):
    setup.run()
    setup.cloud.state.volumes["v1b"].size = 7
    setup.run()
    assert {k: len(c) for k, c in chains(setup.manifest()).items()} == {
        "v1a": 2,
        "v1b": 1,
        "v2a": 2,
        "v2b": 2,
    }


def test_a_foreign_backup_that_came_in_between_gives_a_full_backup(setup):
    setup.run()
    params = setup.plan()
    foreign = setup.cloud.back_up("multisite:other:step", "v1a")
    run = carry_out(setup.kind, params, "job2")
    assert run.error is None
    assert {k: len(c) for k, c in chains(setup.manifest()).items()} == {
        "v1a": 1,
        "v1b": 2,
        "v2a": 2,
        "v2b": 2,
    }
    assert any("Cinder built on backup" in e for e in run.events)
    left = [s for s in setup.cloud.saved.values() if s.parent_id == foreign.id]
    assert left == []


@pytest.mark.parametrize(
    "words",
    ["Hash block size has changed. Do a full backup.", "No backups available to do an incremental backup."],
)
def test_a_refused_incremental_becomes_a_full_one(setup, words):
    setup.run()
    refused = []

    def refuse(verb, thing):
        if (verb, thing) == ("create_backup", "v2a") and not refused:
            refused.append(1)
            raise Refused("s1", "back up", words)

    setup.cloud.trouble = refuse
    run = setup.run()
    assert run.error is None
    assert len(chains(setup.manifest())["v2a"]) == 1
    assert setup.manifest().incremental


@pytest.mark.parametrize(
    "error", [OverQuota("s1", "back up", "backup quota exceeded"), Unreachable("s1", "x", "no answer")]
)
def test_other_troubles_fail_the_run_and_leave_nothing(setup, error):
    setup.run()
    before = setup.things()

    def refuse(verb, thing):
        if (verb, thing) == ("create_backup", "v2a"):
            raise error

    setup.cloud.trouble = refuse
    run = setup.run()
    assert run.state == JobState.UNDONE
    assert run.left == []
    assert setup.things() == before
    assert setup.last.state == RestorePointState.FAILED
    assert setup.last.error == run.error
    assert setup.store.ids() == ("rp-1",)
    assert setup.protections.get("prot-1").last_restore_point == "rp-1"


@pytest.mark.parametrize("step", ["check", "capture", "backup:web1:vda", "backup:web2:vdb", "manifest"])
def test_a_failure_after_any_step_leaves_nothing(setup, step):
    setup.run()
    before = setup.things()
    run = setup.run(fail_after=step)
    assert run.state == JobState.UNDONE
    assert run.left == []
    assert setup.things() == before
    assert setup.cloud.frozen == set()
    assert setup.store.ids() == ("rp-1",)
    assert not (setup.store.path / "multisite" / "restore-points" / "rp-2").exists()


@pytest.mark.parametrize("step", ["check", "backup:web1:vda", "manifest", "cleanup"])
def test_a_worker_that_dies_in_a_step_makes_nothing_twice(setup, step):
    setup.run()
    run = setup.run(interrupted=step)
    assert run.error is None
    assert len(setup.cloud.saved) == 8
    assert {len(c) for c in chains(setup.manifest()).values()} == {2}
    assert setup.cloud.snapshots == {}


def test_a_worker_that_dies_in_the_capture_loses_the_consistency_point(setup):
    run = setup.run(interrupted="capture")
    assert "interrupted while frozen" in run.error
    assert run.state == JobState.UNDONE
    assert setup.things() == (set(), set(), set())
    assert setup.cloud.frozen == set()


def test_cleanup_that_fails_does_not_cost_the_restore_point_and_the_next_run_sweeps(setup):
    setup.cloud.trouble = lambda verb, thing: unreachable() if verb == "delete_snapshot" else None
    run = setup.run()
    assert run.error is None
    assert len(run.results["cleanup"]["left"]) == 4
    assert any("the next run tries again" in e for e in run.events)
    assert setup.last.state == RestorePointState.AVAILABLE
    setup.cloud.trouble = nothing
    setup.run()
    assert setup.cloud.snapshots == {}


def test_a_list_that_lost_the_snapshots_does_not_keep_them(setup, monkeypatch):
    monkeypatch.setattr(volumes, "snapshots_by_token", lambda site, tokens: [])
    params = setup.plan()
    run = carry_out(setup.kind, params, "job1")
    assert (setup.cloud.snapshots, run.results["cleanup"]) == ({}, {"left": []})
    for volume in ("v1a", "v1b"):
        volumes.create_snapshot(setup.cloud.site, "multisite:job1:capture", volume, "x", 1)
    run.results["capture"]["snapshots"] = {s.volume_id: k for k, s in setup.cloud.snapshots.items()}
    undo(run, setup.kind.build(params))
    assert (setup.cloud.snapshots, run.left) == ({}, [])


def test_cleanup_leaves_the_snapshots_of_others_alone(setup):
    volumes.create_snapshot(setup.cloud.site, "multisite:other:capture", "v1a", "x", 1)
    setup.run()
    assert [s.token for s in setup.cloud.snapshots.values()] == ["multisite:other:capture"]


def test_a_backup_a_failed_run_left_goes_with_the_next_one(setup):
    setup.cloud.trouble = lambda verb, thing: unreachable() if verb == "export_record" else None
    failed = setup.run()
    assert (failed.state, setup.cloud.saved) == (JobState.UNDONE, {})
    late = setup.cloud.back_up(f"multisite:{failed.job_id}:backup:late", "v1a")
    others = setup.cloud.back_up("multisite:other:backup", "v1a")
    setup.cloud.trouble = lambda verb, thing: unreachable() if verb == "backups_of_jobs" else None
    assert "could not be looked for" in setup.run().results["cleanup"]["left"][0]
    assert late.id in setup.cloud.saved
    setup.cloud.trouble = nothing
    assert setup.run().results["cleanup"] == {"left": []}
    assert late.id not in setup.cloud.saved
    assert others.id in setup.cloud.saved
    assert {b.id for v in setup.manifest().volumes for b in chain_of(v)} <= set(setup.cloud.saved)


def test_a_backup_that_a_manifest_names_stays_whatever_it_carries(setup):
    setup.run()
    point = setup.last
    setup.points.save(replace(point, state=RestorePointState.FAILED))
    setup.run()
    assert {b.id for v in setup.store.read(point.id).volumes for b in chain_of(v)} <= set(setup.cloud.saved)


def test_user_data_is_in_the_manifest_only(setup):
    run = setup.run()
    assert setup.manifest().servers[0].user_data == "c2VjcmV0"
    assert "c2VjcmV0" not in json.dumps(run.results)
    assert "c2VjcmV0" not in json.dumps(setup.plan())


def test_an_application_that_changes_before_the_run_is_not_captured(setup):
    params = setup.plan()
    setup.cloud.server("id2").status = "SHUTOFF"
    run = carry_out(setup.kind, params, "job1")
    assert "have changed" in run.error
    assert setup.cloud.verbs("freeze", "snapshot") == []


def test_undoing_a_finished_run_spares_the_parent(setup):
    setup.run()
    params = setup.plan()
    run = carry_out(setup.kind, params, "job2")
    undo(run, setup.kind.build(params))
    assert run.left == []
    assert len(setup.cloud.saved) == 4
    assert setup.store.ids() == ("rp-1",)


def test_undoing_a_run_others_build_on_is_refused_and_harms_nothing(setup):
    params = setup.plan()
    run = carry_out(setup.kind, params, "job1")
    setup.run()
    undo(run, setup.kind.build(params))
    assert re.search(r"restore points rp-2 build on it", run.left[0])
    assert setup.store.ids() == ("rp-1", "rp-2")
    assert len(setup.cloud.saved) == 8


def test_marks_are_the_newest_matching_console_line_of_frozen_servers(tmp_path, cloud):
    setup = RunSetup(tmp_path, cloud, console_mark="APP-MARK")
    setup.cloud.server("id1").console = [
        "APP-MARK seq=1", "APP-MARK seq=7 sum=9", "GUEST-THAW seq=7"
    ]  # fmt: skip
    setup.cloud.server("id2").console = ["x"]
    run = setup.run()
    assert [(m.server_name, m.text) for m in setup.manifest().marks] == [("web1", "APP-MARK seq=7 sum=9")]
    assert any("web2 matches" in e for e in run.events)
    assert setup.last.marks == ({"server_id": "id1", "server_name": "web1", "text": "APP-MARK seq=7 sum=9"},)
    verbs = [verb for verb, _ in setup.cloud.log]
    assert verbs.index("console") > len(verbs) - 1 - verbs[::-1].index("thaw")


def test_a_console_that_cannot_be_read_costs_only_the_mark(tmp_path, cloud):
    setup = RunSetup(tmp_path, cloud, console_mark="GUEST-FREEZE")
    setup.cloud.trouble = lambda verb, thing: unreachable() if verb == "console" else None
    assert setup.run().error is None
    assert setup.manifest().marks == ()


def test_without_quiesce_it_says_crash_consistent(tmp_path, cloud):
    setup = RunSetup(tmp_path, cloud, quiesce=False, snapshot_gap_seconds=0.01)
    setup.run()
    manifest = setup.manifest()
    assert not manifest.quiesced
    assert not setup.last.quiesced
    assert manifest.frozen == ()
    assert len([n for n in manifest.notes if "crash-consistent at best" in n]) == 2


def test_progress_is_told_in_gib(setup):
    params = setup.plan()
    run = carry_out(setup.kind, params, "job1")
    step = next(s for s in setup.kind.build(params) if s.name == "backup:web1:vdb")
    context = Context("job1", step.name, run.results)
    step.run(context)
    assert context.steps[-1] == (2.0, 2.0, "GiB", "backup available")


def test_at_most_so_many_backups_of_a_site_at_once(setup):
    steps = setup.kind.build(setup.plan())
    limits = [s.limit for s in steps if s.name.startswith("backup:")]
    assert limits == ["backup:s1:0", "backup:s1:1", "backup:s1:0", "backup:s1:1"]
    assert not {*limits} & set(setup.kind.limits)  # unknown limits mean one at a time


def test_deleting_a_restore_point_removes_only_its_own_backups(setup):
    setup.run()
    setup.run()
    kind = forget_kind(setup.dependencies, METHODS)
    run = carry_out(kind, forget_params(setup.manifest(), METHODS), "job3")
    assert run.error is None
    assert setup.store.ids() == ("rp-1",)
    assert {s.parent_id for s in setup.cloud.saved.values()} == {None}
    assert "rp-2" not in setup.points.ids()
    carry_out(kind, forget_params(setup.store.read("rp-1"), METHODS), "job4")
    assert setup.cloud.saved == {}


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ({"project_id": "another"}, "not of the restore point's project"),
        ({"volume_id": "v2a"}, "a backup of volume v2a, not of v1a"),
        ({"metadata": {}}, "Multisite did not make it"),
        ({}, None),
    ],
)
def test_a_backup_that_is_not_the_applications_is_not_deleted(setup, change, left):
    """Whoever wrote the manifest that names it; the last one is the negative control."""
    setup.run()
    manifest = setup.manifest()
    mine = chain_of(manifest.volume("v1a"))[-1].id
    theirs = setup.cloud.back_up("multisite:another-job:backup", "v1a")
    for name, value in change.items():
        setattr(theirs, name, value)
    named = load(dump(manifest).replace(mine.encode(), theirs.id.encode()))
    run = carry_out(forget_kind(setup.dependencies, METHODS), forget_params(named, METHODS), "job3")
    assert run.state == JobState.DONE, run.error
    assert set(setup.cloud.saved) == ({mine} if left is None else {mine, theirs.id})
    said = [line for line in run.events if "left alone" in line]
    assert [left is not None and left in line for line in said] == [True] * (left is not None)


VERBS = [
    "look", "warm", "freeze", "snapshot", "snapshots_named", "thaw", "create_backup", "wait_backup",
    "export_record", "backups_by_token", "snapshots_by_token",
]  # fmt: skip


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(verb=st.sampled_from(VERBS), number=st.integers(0, 7), before=st.booleans(), second=st.booleans())
def test_whatever_call_fails_once_the_run_is_whole_or_nothing(
    tmp_path_factory, demo_sites, verb, number, before, second
):
    with demo_sites.fresh(2).watched() as cloud:
        fails_once(RunSetup(tmp_path_factory.mktemp("setup"), cloud), verb, number, before, second)


def fails_once(setup, verb, number, before, second):
    if second:
        setup.run()
    earlier = setup.things()
    params = setup.plan()
    seen = []

    def fail(this, thing):
        if this == verb:
            seen.append(thing)
            if len(seen) == number + 1:
                raise UnknownOutcome("s1", this, "the answer was lost")

    if before:
        setup.cloud.trouble = fail
    else:
        setup.cloud.late = fail
    run = carry_out(setup.kind, params, f"job{setup.number}")
    setup.cloud.trouble = setup.cloud.late = nothing
    assert setup.cloud.frozen == set()
    if run.state == JobState.DONE:
        manifest = setup.manifest()
        assert {b for c in chains(manifest).values() for b in c} == set(setup.cloud.saved)
        for volume in manifest.volumes:
            parents = [setup.cloud.saved[b.id].parent_id for b in chain_of(volume)]
            assert parents == [None, *(b.id for b in chain_of(volume)[:-1])]
    else:
        if run.left:  # the undo met the failure: it is asked again
            undo(replace(run, left=[]), setup.kind.build(params))
        assert setup.things() == earlier
        assert setup.last.state == RestorePointState.FAILED
