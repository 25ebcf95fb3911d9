"""Protect, lose the site, recover, undo: the whole service over two simulated sites."""

from __future__ import annotations

import time

import pytest

from multisite.jobs.model import JobState
from multisite.recovery.methods.cinder_backups.payload import chain_of
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.world import World
from tests.sim.deploy import until
from tests.sim.judge import wrong
from tests.sim.outcome import compare_data, outcome, site_facts
from tests.sim.service import SITE, TARGET, Service


def test_lost_site_is_recovered_with_the_data_of_the_incremental(world: World, service: Service) -> None:
    begun = time.monotonic()
    service.deploy("mme")
    job, first = service.protect("mme")
    assert (job.state, first.incremental) == (JobState.DONE, False), job.error
    assert wrong(world, service) == []
    job, second = service.protect("mme")
    assert (job.state, second.incremental) == (JobState.DONE, True), job.error
    assert wrong(world, service) == []
    manifest = service.manifests.read(second.id)
    assert {len(chain_of(v)) for v in manifest.volumes} == {2}
    world.lose(SITE)
    job, recovery = service.recover(second.id)
    assert job.state == JobState.DONE, job.error
    sim = world.sites[TARGET].settle()
    assert compare_data(sim, manifest) == {"mme-1": "as marked", "mme-2": "as marked"}
    assert [s["console"] for s in recovery.servers if "GUEST-READY" in s["console"]]
    assert wrong(world, service) == []
    log = [seen for site in world.sites.values() for seen in site.script.log]
    assert [seen.call for seen in log if not seen.known] == [], "the simulation lacks these calls"
    print(f"\n{len(log)} requests in {time.monotonic() - begun:.1f} s")


def test_undo_leaves_nothing_but_the_records(world: World, service: Service) -> None:
    service.deploy("mme")
    before = site_facts(world.sites[TARGET].settle())
    _, point = service.protect("mme")
    world.lose(SITE)
    _, recovery = service.recover(point.id)
    job, recovery = service.undo(recovery.id)
    assert job.state == JobState.UNDONE, job.error
    after = site_facts(world.sites[TARGET].settle())
    assert {status for status, *_ in after.pop("backups")} == {"available"}
    before.pop("backups")
    assert after == before
    assert wrong(world, service) == []


def test_unfrozen_the_disks_are_of_different_moments(world: World, service: Service) -> None:
    """The negative control: without quiescing the same proof fails."""
    service.deploy("mme")
    job, point = service.protect("mme", quiesce=False, snapshot_gap_seconds=0.3)
    assert job.state == JobState.DONE, job.error
    assert not point.quiesced
    world.lose(SITE)
    job, _ = service.recover(point.id)
    assert job.state == JobState.DONE, job.error
    found = compare_data(world.sites[TARGET].settle(), service.manifests.read(point.id))
    assert set(found.values()) == {"its disks are of different moments"}
    assert wrong(world, service) == []


@pytest.mark.parametrize(
    "rule",
    [
        Rule("error", "volume", "POST", "^/backups$", nth=2, times=9, status=500),
        Rule("error", "compute", "POST", "/action#quiesce$", nth=2, status=500),
        Rule("error", "volume", "POST", "^/snapshots$", nth=3, status=500),
    ],
    ids=["backup", "freeze", "snapshot"],
)
def test_a_protection_that_fails_leaves_nothing(world: World, service: Service, rule: Rule) -> None:
    service.deploy("mme")
    before = site_facts(world.sites[SITE].settle())
    world.sites[SITE].strike(rule)
    job, point = service.protect("mme")
    assert rule.struck
    assert (job.state, point.state) == (JobState.UNDONE, "failed"), job.error
    assert wrong(world, service) == []
    assert site_facts(world.sites[SITE].settle()) == before


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/action#quiesce$"), ("POST", "^/snapshots$"), ("POST", "^/backups$")]
)
def test_what_takes_effect_after_its_answer_was_lost_is_undone_too(
    world: World, service: Service, method: str, path: str
) -> None:
    """The proxy gives up on the request, and the service carries it out a second later."""
    service.deploy("mme", servers=1)
    before = site_facts(world.sites[SITE].settle())
    rule = world.sites[SITE].strike(Rule("late", "", method, path, status=504, seconds=1.0))
    job, _ = service.protect("mme")
    assert rule.struck
    assert wrong(world, service) == []
    if job.state == JobState.UNDONE:
        assert site_facts(world.sites[SITE].settle()) == before
    else:
        assert job.state == JobState.DONE, job.error
    assert {s.freeze.state for s in world.sites[SITE].settle().state.servers.values()} == {"thawed"}


def test_a_snapshot_taken_after_the_undo_goes_with_the_next_run(
    world: World, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup cannot come that late: its snapshot is gone by then, and Cinder refuses."""
    monkeypatch.setattr("multisite.recovery.methods.consistent_backup.capture.SEARCH_AGAIN_SECONDS", 0.1)
    service.deploy("mme", servers=1)
    world.sites[SITE].strike(Rule("late", "", "POST", "^/snapshots$", status=504, seconds=3.0))
    job, _ = service.protect("mme")
    assert job.state == JobState.UNDONE, job.error
    until(lambda: world.sites[SITE].settle().state.snapshots or None, "the late effect", 10)
    assert wrong(world, service) != []
    job, _ = service.protect("mme")
    assert job.state == JobState.DONE, job.error
    assert wrong(world, service) == []


def test_a_recovery_that_fails_pauses_and_is_undone(world: World, service: Service) -> None:
    service.deploy("mme")
    _, point = service.protect("mme")
    world.lose(SITE)
    rule = Rule("error", "compute", "POST", "^/servers$", nth=2, status=403)
    world.sites[TARGET].strike(rule)
    job, recovery = service.recover(point.id)
    assert (job.state, recovery.state) == (JobState.PAUSED, "paused")
    assert wrong(world, service) == []
    job, recovery = service.undo(recovery.id)
    assert job.state == JobState.UNDONE, job.error
    assert wrong(world, service) == []
    assert not world.sites[TARGET].settle().state.servers


@pytest.mark.parametrize(
    ("kind", "method", "path"),
    [
        ("network", "POST", "^/security-group-rules$"),
        ("network", "PUT", "^/subnets/[^/]+$"),
        ("compute", "PUT", "/os-volume_attachments/"),
    ],
    ids=["rules", "dhcp", "disk"],
)
def test_what_is_refused_stops_a_recovery_and_resumed_it_is_whole(
    world: World, service: Service, kind: str, method: str, path: str
) -> None:
    service.deploy("mme", servers=1)
    _, point = service.protect("mme")
    world.lose(SITE)
    rule = world.sites[TARGET].strike(Rule("error", kind, method, path, status=403))
    job, recovery = service.recover(point.id)
    assert (rule.struck, job.state) == (1, JobState.PAUSED), job.error
    job, recovery = service.resume(recovery.id)
    assert job.state == JobState.DONE, job.error
    assert wrong(world, service) == []


def test_outcomes_of_equal_runs_are_equal(world: World, service: Service) -> None:
    service.deploy("mme")
    service.protect("mme")
    assert outcome(world, service) == outcome(world, service)
