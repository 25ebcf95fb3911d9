"""Protecting by images that Nova makes, of a server that boots from a volume and of one that does not."""

from __future__ import annotations

import pytest

from multisite.clouds import images, resources
from multisite.domain.errors import Conflict
from multisite.domain.model import RestorePoint
from multisite.jobs.model import JobState
from multisite.jobs.view import Job
from multisite.recovery.methods.cinder_backups.payload import chain_of
from multisite_lab.guest.console import FREEZE_MARK
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.model import Sim
from multisite_lab.sim.world import World
from tests.sim import deploy
from tests.sim.judge import wrong
from tests.sim.outcome import compare_data, site_facts
from tests.sim.service import SITE, TARGET, Service

METHOD = "instance-snapshot"


def deployed(service: Service, name: str = "mme") -> None:
    members = [{"id": id} for id in deploy.deploy_for_images(service.cloud(), name)]
    service.applications.create(service.owner(), name, SITE, members)
    protection(service, name)


def protection(service: Service, name: str, **options: object) -> None:
    wanted = {"console_mark": FREEZE_MARK, **options}
    service.protections.create(service.caller, name, METHOD, target_site=TARGET, options=wanted)


def run(service: Service, name: str = "mme") -> tuple[Job, RestorePoint]:
    found = next(p for p in service.protections.list(service.caller) if p.application == name)
    job = service.rest(service.protections.run(service.caller, found.id))
    return job, next(point for point in service.points() if point.job_id == job.id)


def left(sim: Sim) -> dict[str, list[str]]:
    """What a run makes for itself, and must not leave."""
    state = sim.state
    return {
        "images": [row["name"] for row in state.images.values() if row["name"].startswith("multisite:")],
        "snapshots": [snapshot.name for snapshot in state.snapshots.values()],
        "volumes": [volume.name for volume in state.volumes.values() if volume.name.startswith("multisite:")],
    }


NOTHING: dict[str, list[str]] = {"images": [], "snapshots": [], "volumes": []}


def test_a_lost_site_is_recovered_with_the_data_of_the_images(world: World, service: Service) -> None:
    deployed(service)
    job, first = run(service)
    assert (job.state, first.incremental, first.quiesced) == (JobState.DONE, False, True), job.error
    job, second = run(service)
    assert (job.state, second.incremental) == (JobState.DONE, True), job.error
    assert left(world.sites[SITE].settle()) == NOTHING
    assert wrong(world, service) == []
    manifest = service.manifests.read(second.id)
    chains = {v.name: len(chain_of(v)) for v in manifest.volumes}
    assert chains == {"mme-1-root": 2, "mme-1-data": 2, "mme-local-root": 1}, (
        "a copied root disk is always full"
    )
    said = " ".join(manifest.notes)
    assert "mme-local is booted from a volume at the target" in said
    assert "not consistent across its servers" in said
    assert "make it boot from a volume" not in said, "its disk is backed up"
    preview = service.recoveries.preview(service.caller, second.id, TARGET, {"create_missing_flavors": True})
    assert any("booted from a volume at the target" in str(problem) for problem in preview.problems)
    world.lose(SITE)
    job, _ = service.recover(second.id)
    assert job.state == JobState.DONE, job.error
    sim = world.sites[TARGET].settle()
    assert compare_data(sim, manifest) == {"mme-1": "as marked", "mme-local": "as marked"}
    booted = next(server for server in sim.state.servers.values() if server.name == "mme-local")
    assert (booted.image, [disk.device for disk in booted.disks]) == ("", ["/dev/vda"])
    root = sim.state.volumes[booted.disks[0].volume_id]
    assert (root.name, root.bootable, booted.disks[0].delete_on_termination) == ("mme-local-root", True, True)
    assert wrong(world, service) == []
    log = [seen for site in world.sites.values() for seen in site.script.log]
    assert [seen.call for seen in log if not seen.known] == [], "the simulation lacks these calls"


def test_what_a_short_list_does_not_show_is_removed_all_the_same(world: World, service: Service) -> None:
    deployed(service)
    site = world.sites[SITE]
    rules = [
        site.strike(Rule("partial", "image", "GET", "^/v2/images$", times=999)),
        site.strike(Rule("partial", "volume", "GET", "^/snapshots/detail$", nth=3, times=999)),
    ]
    job, _ = run(service)
    assert job.state is JobState.DONE, job.error
    assert all(rule.struck for rule in rules), "the negative control: they were asked"
    assert left(site.settle()) == NOTHING


def test_a_server_whose_image_promises_nothing_is_crash_consistent_and_told(
    world: World, service: Service
) -> None:
    """The negative control: without Nova's freeze the guest's disks are not at a record it stood on."""
    for row in world.sites[SITE].settle().state.images.values():
        del row["hw_qemu_guest_agent"], row["os_require_quiesce"]
    deployed(service)
    job, point = run(service)
    assert (job.state, point.quiesced) == (JobState.DONE, False), job.error
    manifest = service.manifests.read(point.id)
    assert manifest.marks == ()
    said = " ".join(manifest.notes)
    assert said.count("Nova does not freeze it, its disks are crash-consistent") == 2
    assert wrong(world, service) == []


def test_where_nova_does_not_say_whether_it_froze_it_is_not_called_quiesced(
    world: World, service: Service
) -> None:
    for row in world.sites[SITE].settle().state.images.values():
        del row["os_require_quiesce"]
    deployed(service)
    job, point = run(service)
    assert (job.state, point.quiesced) == (JobState.DONE, False), job.error
    assert "does not tell whether it did" in " ".join(service.manifests.read(point.id).notes)


def test_a_dead_agent_fails_the_run_and_nothing_is_left(world: World, service: Service) -> None:
    deployed(service)
    sim = world.sites[SITE].settle()
    before = site_facts(sim)
    next(s for s in sim.state.servers.values() if s.name == "mme-local").agent = "dead"
    job, point = run(service)
    assert (job.state, point.state) == (JobState.UNDONE, "failed"), job.error
    sim = world.sites[SITE].settle()
    assert (left(sim), site_facts(sim)) == (NOTHING, before)
    assert wrong(world, service) == []


def test_a_member_that_must_not_be_frozen_is_refused(service: Service) -> None:
    made = deploy.deploy_for_images(service.cloud(), "mme")
    service.applications.create(service.owner(), "mme", SITE, [{"id": id, "quiesce": False} for id in made])
    protection(service, "mme")
    with pytest.raises(Conflict, match="must not be frozen"):
        run(service)


@pytest.mark.parametrize(
    "rule",
    [
        Rule("error", "compute", "POST", "/action#createImage$", nth=2, status=500),
        Rule("error", "volume", "POST", "^/volumes$", nth=1, status=500),
        Rule("error", "volume", "POST", "^/backups$", nth=3, times=9, status=500),
        Rule("late", "compute", "POST", "/action#createImage$", status=504, seconds=1.0),
        Rule("lost", "compute", "POST", "/action#createImage$", nth=1, status=504),
    ],
    ids=["image", "copy", "backup", "late-image", "lost-image"],
)
def test_a_run_that_meets_a_fault_leaves_nothing(world: World, service: Service, rule: Rule) -> None:
    deployed(service)
    before = site_facts(world.sites[SITE].settle())
    world.sites[SITE].strike(rule)
    job, point = run(service)
    assert rule.struck
    sim = world.sites[SITE].settle()
    assert left(sim) == NOTHING
    assert wrong(world, service) == []
    if job.state == JobState.UNDONE:
        assert (point.state, site_facts(sim)) == ("failed", before)
    else:
        assert job.state == JobState.DONE, job.error


def test_restore_points_of_both_methods_build_on_each_other(world: World, service: Service) -> None:
    service.deploy("mme", servers=1, full=False)
    _, first = service.protect("mme")
    service.protections.delete(service.caller, service.protection("mme").id)
    protection(service, "mme")
    job, second = run(service)
    assert (job.state, second.parent_id) == (JobState.DONE, first.id), job.error
    found = [row["name"] for row in resources.list_all(service.cloud(), "image")]
    assert not [name for name in found if name.startswith("multisite:")], "Glance's own answer"
    assert images.snapshots_of(service.cloud(), {"multisite:none:none"}) == []
