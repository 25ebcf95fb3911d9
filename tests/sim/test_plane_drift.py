"""Planes that somebody meddles with: what is told of it, what a repair repairs, and what it never does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multisite.clouds import call
from multisite.clouds.resources import lifecycle
from multisite.domain.errors import Conflict
from multisite.domain.planes import PlaneState
from multisite.jobs.model import JobState
from multisite.networks.planes import repair as planes_repair
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.model import Settings
from multisite_lab.sim.world import make_world
from tests.sim import deploy
from tests.sim.judge import wrong
from tests.sim.manual_changes import CHANGES, ask
from tests.sim.plane_setup import FOUR, SITES, PlaneSetup, plane_setup, planes_of
from tests.sim.service import running_service

COUNT = {"ext": 2, "mgmt": 2, "copy": 5}
"""Resources of a plane in a site: for l3 a router with its gateway's and its interface's port besides."""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[PlaneSetup]:
    with plane_setup(tmp_path) as made:
        made.describe(*FOUR)
        yield made


def kinds(here: PlaneSetup, name: str) -> list[tuple[str, str]]:
    return [(d.site, d.kind) for d in here.service.check(here.caller, "mme", name).findings]


def in_sync(here: PlaneSetup, name: str) -> bool | None:
    found = here.service.check(here.caller, "mme", name)
    assert (found.in_sync is True) == (found.findings == ()), found
    return found.in_sync


@pytest.mark.parametrize("word", CHANGES)
def test_what_was_changed_by_hand_is_told_and_repaired(here: PlaneSetup, word: str) -> None:
    change = CHANGES[word]
    here.realize(change.plane)
    assert in_sync(here, change.plane) is True, "the negative control: nobody has meddled yet"
    untouched = here.there("site1")
    before = here.plane(change.plane)
    change.act(here, "site2", before.made["site2"])
    left_by_hand = here.there("site2")
    found = here.service.check(here.caller, "mme", change.plane)
    assert (found.in_sync, [(d.site, d.kind) for d in found.findings]) == (
        False,
        [("site2", kind) for kind in change.kinds],
    )
    assert all(
        d.repairable is change.repairable and d.what and d.consequence and d.remedy for d in found.findings
    )
    assert here.plane(change.plane) == before, "looking changes nothing"
    job = here.repair(change.plane)
    assert left_by_hand <= here.there("site2"), "a repair takes nothing away"
    assert here.there("site1") == untouched
    if not change.repairable:
        assert job is None, "there is nothing it may do"
        assert kinds(here, change.plane) == [("site2", kind) for kind in change.kinds]
        return
    assert job is not None
    assert job.state is JobState.DONE, job.error
    assert in_sync(here, change.plane) is True
    assert here.repair(change.plane) is None, "there is nothing left to do"
    assert here.world.problems({str(before.job_id), job.id}) == []
    assert here.plane(change.plane).made["site2"].cidr == before.made["site2"].cidr, (
        "with the addresses it had"
    )
    gone = here.remove(change.plane)
    assert gone is not None
    assert (gone.state, here.left()) == (JobState.UNDONE, {}), "what was repaired goes with the plane"


def test_a_site_that_is_away_is_unknown(here: PlaneSetup) -> None:
    here.realize("copy")
    here.world.cut("site2")
    found = here.service.check(here.caller, "mme", "copy")
    assert (found.in_sync, [(d.site, d.kind) for d in found.findings]) == (None, [("site2", "unknown")])
    assert here.repair("copy") is None, "what nobody sees, nobody repairs"
    CHANGES["router down"].act(here, "site1", here.plane("copy").made["site1"])
    assert (in_sync(here, "copy"), kinds(here, "copy")) == (
        False,
        [("site1", "router down"), ("site2", "unknown")],
    )
    job = here.repair("copy")
    assert job is not None
    assert (job.state, in_sync(here, "copy")) == (JobState.DONE, None), "the site that is there is repaired"


@pytest.mark.parametrize("path", ["/networks/", "/subnets", "/ports", "/routers/"])
def test_an_answer_that_is_missing_makes_it_unknown(here: PlaneSetup, path: str) -> None:
    """A site that tells a part only is not compared in part."""
    here.realize("copy")
    here.world.sites["site2"].strike(Rule("error", "network", "GET", path, times=9, status=503))
    assert (in_sync(here, "copy"), kinds(here, "copy")) == (None, [("site2", "unknown")])


def test_only_an_active_plane_is_compared(here: PlaneSetup) -> None:
    for act in (here.service.check, here.service.repair):
        with pytest.raises(Conflict, match="plane mgmt: it is described: only an active one"):
            act(here.caller, "mme", "mgmt")


def test_a_stretched_plane_is_compared_as_its_network_is(here: PlaneSetup) -> None:
    here.realize("hb")
    assert in_sync(here, "hb") is True
    with pytest.raises(Conflict, match="network reconcile"):
        here.service.repair(here.caller, "mme", "hb")
    made = here.plane("hb").made["site2"]
    ask(here, "site2", "PUT", f"/subnets/{made.subnet_id}", {"subnet": {"gateway_ip": "10.99.0.255"}})
    assert (in_sync(here, "hb"), kinds(here, "hb")) == (False, [("site2", "gateway")])
    ask(here, "site2", "DELETE", f"/networks/{made.network_id}")
    assert in_sync(here, "hb") is False
    assert "is gone" in here.service.check(here.caller, "mme", "hb").findings[0].what
    here.world.cut("site1")
    found = kinds(here, "hb")
    assert (in_sync(here, "hb"), ("site1", "unknown") in found) == (False, True)


def test_a_namesake_of_somebody_else_is_not_taken_for_it(here: PlaneSetup) -> None:
    """Administrators see every project's networks; two projects may have an application of the same name."""
    here.realize("mgmt")
    other = {"network": {"name": "mme-mgmt", "project_id": "another-project"}}
    ask(here, "site2", "POST", "/networks", other)
    CHANGES["network gone"].act(here, "site2", here.plane("mgmt").made["site2"])
    assert kinds(here, "mgmt") == [("site2", "network gone")]


def test_a_router_of_the_tenants_own_is_no_drift(here: PlaneSetup) -> None:
    """Of the role ``external`` a router of theirs is expected at the gateway's address."""
    here.realize("ext")
    made = here.plane("ext").made["site1"]
    router = ask(here, "site1", "POST", "/routers", {"router": {"name": "theirs"}})["router"]["id"]
    ask(here, "site1", "PUT", f"/routers/{router}/add_router_interface", {"subnet_id": made.subnet_id})
    assert in_sync(here, "ext") is True


def test_a_gateway_a_router_is_at_is_not_changed(here: PlaneSetup) -> None:
    here.realize("mgmt")
    made = here.plane("mgmt").made["site1"]
    CHANGES["gateway come"].act(here, "site1", made)
    router = ask(here, "site1", "POST", "/routers", {"router": {"name": "theirs"}})["router"]["id"]
    ask(here, "site1", "PUT", f"/routers/{router}/add_router_interface", {"subnet_id": made.subnet_id})
    (drift,) = here.service.check(here.caller, "mme", "mgmt").findings
    assert (drift.kind, drift.repairable) == ("gateway changed", False)
    assert "so Neutron keeps it the gateway: detach that" in drift.remedy
    assert here.repair("mgmt") is None


def boundaries(here: PlaneSetup) -> int:
    """How many there are in repairing everything: what a death can be tried at."""
    CHANGES["all"].act(here, "site2", here.plane("copy").made["site2"])
    here.repair("copy", 10**6)
    return 10**6 - int(here.engine.last_left or 0)


def test_killed_anywhere_a_repair_goes_on(here: PlaneSetup) -> None:
    """Every boundary.  Nothing twice, nothing orphaned; and removing the plane waits for it."""
    here.realize("copy")
    most = boundaries(here)
    assert most > 20, "a repair takes requests"
    for die_at in range(most):
        CHANGES["all"].act(here, "site2", here.plane("copy").made["site2"])
        dead = here.repair("copy", die_at)
        assert dead is not None
        assert not dead.settled, "the negative control: it did die"
        with pytest.raises(Conflict, match="is at work on it"):
            here.service.remove(here.caller, "mme", "copy")
        if not in_sync(here, "copy"):
            with pytest.raises(Conflict, match="is at work on it"):
                here.service.repair(here.caller, "mme", "copy")
        job = here.engine.rest(dead.id)
        assert job.state is JobState.DONE, job.error
        assert in_sync(here, "copy") is True
        assert {site: len(more) for site, more in here.left().items()} == dict.fromkeys(SITES, 5), die_at
        assert here.world.problems({str(here.plane("copy").job_id)}) == []
    here.remove("copy")
    assert here.left() == {}


@pytest.mark.parametrize("kind", ["lost", "late"])
@pytest.mark.parametrize(
    ("word", "method", "path"),
    [
        ("all", "POST", "/networks$"),
        ("all", "POST", "/subnets$"),
        ("all", "POST", "/routers$"),
        ("all", "PUT", "/add_router_interface$"),
        ("network down", "PUT", "/networks/"),
        ("no external gateway", "PUT", "/routers/"),
        ("gateway gone", "PUT", "/subnets/"),
    ],
)
def test_a_lost_answer_repairs_nothing_twice(
    here: PlaneSetup, kind: Any, word: str, method: str, path: str
) -> None:
    name = CHANGES[word].plane
    here.realize(name)
    CHANGES[word].act(here, "site2", here.plane(name).made["site2"])
    rule = Rule(kind, "network", method, path, status=504, seconds=0.1)
    here.world.sites["site2"].strike(rule)
    job = here.repair(name)
    assert job is not None
    assert (job.state, rule.struck) == (JobState.DONE, 1), job.error
    assert in_sync(here, name) is True
    assert {site: len(more) for site, more in here.left().items()} == dict.fromkeys(SITES, COUNT[name])
    assert here.world.problems({str(here.plane(name).job_id)}) == []


@pytest.mark.parametrize("looks", [True, False])
def test_who_does_not_read_first_repairs_it_twice(
    here: PlaneSetup, monkeypatch: pytest.MonkeyPatch, looks: bool
) -> None:
    """The negative control of the deaths here: without finding by token there is a second one."""
    here.realize("mgmt")
    if not looks:
        monkeypatch.setattr(lifecycle, "_known", lambda *_: None)
    wrong: list[str] = []
    for die_at in range(5, 14):
        CHANGES["network gone"].act(here, "site2", here.plane("mgmt").made["site2"])
        dead = here.repair("mgmt", die_at)
        assert dead is not None
        here.engine.rest(dead.id)
        wrong += here.world.problems({str(here.plane("mgmt").job_id)})
    assert (wrong == []) is looks, wrong


def test_what_a_site_refuses_pauses_the_repair(here: PlaneSetup) -> None:
    """The other site is repaired; going on later repairs the rest; undoing takes nothing back, and says so."""
    here.realize("copy")
    for site in SITES:
        CHANGES["all"].act(here, site, here.plane("copy").made[site])
    here.world.sites["site2"].strike(Rule("error", "network", "POST", "/routers$", times=9, status=409))
    job = here.repair("copy")
    assert job is not None
    assert job.state is JobState.PAUSED
    assert "site2" in (job.error or "")
    assert here.plane("copy").state is PlaneState.ACTIVE
    assert {site for site, _ in kinds(here, "copy")} == {"site2"}
    here.engine.undo(job.id, "olga")
    assert here.engine.rest(job.id).state is JobState.UNDO_FAILED
    assert "is the plane's and stays" in (job.error or "")
    here.world.sites["site2"].script.forget()
    again = here.repair("copy")
    assert again is not None
    assert (again.state, in_sync(here, "copy")) == (JobState.DONE, True)
    here.remove("copy")
    assert here.left() == {}


def test_who_undoes_all_the_time_is_told(here: PlaneSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    here.realize("mgmt")
    CHANGES["network down"].act(here, "site2", here.plane("mgmt").made["site2"])
    monkeypatch.setattr(planes_repair.plane_state, "enable", lambda *_: None)
    job = here.repair("mgmt")
    assert job is not None
    assert job.state is JobState.PAUSED
    assert "stop the other writer" in (job.error or "")


def test_a_repair_that_comes_late_makes_nothing(here: PlaneSetup) -> None:
    """Paused, and the plane removed meanwhile: resumed it sees that, and orphans nothing."""
    here.realize("copy")
    CHANGES["router gone"].act(here, "site2", here.plane("copy").made["site2"])
    here.world.sites["site2"].strike(Rule("error", "network", "POST", "/routers$", times=9, status=409))
    job = here.repair("copy")
    assert job is not None
    here.world.sites["site2"].script.forget()
    here.remove("copy")
    here.engine.resume(job.id, "olga")
    assert here.engine.rest(job.id).state is JobState.PAUSED
    assert "it is described now" in (job.error or "")
    assert here.left() == {}
    here.realize("copy")
    here.engine.resume(job.id, "olga")
    assert "not what was to be repaired" in (here.engine.rest(job.id).error or ""), "it is another one"


def test_the_planes_job_is_not_undone_under_a_repair(here: PlaneSetup) -> None:
    """By ``job undo``, past the service."""
    here.realize("copy")
    CHANGES["router gone"].act(here, "site2", here.plane("copy").made["site2"])
    dead = here.repair("copy", 12)
    assert dead is not None
    realized = str(here.plane("copy").job_id)
    here.engine.undo(realized, "olga")
    assert here.engine.rest(realized).state is JobState.UNDO_FAILED
    assert f"job {dead.id} is at work on it" in (here.plane("copy").error or "")


def test_what_was_not_noted_is_not_compared(here: PlaneSetup) -> None:
    """Planes realized by an earlier release have no MTU and no external network noted."""
    here.realize("copy")
    record = here.plane("copy")
    bare = {s: replace(m, mtu=None, external_id=None, project_id=None) for s, m in record.made.items()}
    here.service._rows.update(replace(record, made=bare))
    CHANGES["mtu"].act(here, "site1", record.made["site1"])
    assert in_sync(here, "copy") is True
    CHANGES["router gone"].act(here, "site1", record.made["site1"])
    job = here.repair("copy")
    assert job is not None
    assert (job.state, in_sync(here, "copy")) == (JobState.DONE, True), job.error


def test_with_the_engine_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Repaired, and removed without a lost site, as it runs in the service: durable, sites at the same time."""
    monkeypatch.setattr(call, "ATTEMPTS", 1)
    with make_world(SITES, settings=Settings(dhcp=0.0)) as world, running_service(tmp_path, world) as service:
        plane_service, owner = planes_of(service)
        assert service.rest(str(plane_service.realize(owner, "mme", "copy").job_id)).state is JobState.DONE
        assert plane_service.check(owner, "mme", "copy").in_sync is True
        for site, made in plane_service.get(owner, "mme", "copy").made.items():
            network, path = service.cloud(site).network, f"/routers/{made.router_id}"
            deploy.ask(network, "PUT", f"{path}/remove_router_interface", {"subnet_id": made.subnet_id})
            deploy.ask(network, "DELETE", path)
            deploy.ask(network, "DELETE", f"/networks/{made.network_id}")
        assert plane_service.check(owner, "mme", "copy").in_sync is False
        job = service.rest(str(plane_service.repair(owner, "mme", "copy")))
        assert (job.state, plane_service.check(owner, "mme", "copy").in_sync) == (JobState.DONE, True), (
            job.error
        )
        assert wrong(world, service) == []
        world.cut("site2")
        job = service.rest(str(plane_service.remove(owner, "mme", "copy", without=("site2",))))
        plane = plane_service.get(owner, "mme", "copy")
        assert (job.state, plane.state) == (JobState.DONE, PlaneState.DESCRIBED), job.error
        assert [part.site for part in plane.left] == ["site2"]
        world.reconnect("site2")
        job = service.rest(str(plane_service.remove(owner, "mme", "copy")))
        assert (job.state, plane_service.get(owner, "mme", "copy").left) == (JobState.DONE, ()), job.error
        assert wrong(world, service) == []
        assert [world.sites[name].settle().state.routers for name in SITES] == [{}, {}]


@pytest.mark.parametrize("word", ["all", "network gone", "gateway gone", "no external gateway"])
def test_credentials_without_admin_are_enough(here: PlaneSetup, word: str) -> None:
    plane_service, name = here.by_others("member"), CHANGES[word].plane
    assert (
        here.engine.rest(str(plane_service.realize(here.caller, "mme", name).job_id)).state is JobState.DONE
    )
    CHANGES[word].act(here, "site2", here.plane(name).made["site2"])
    job = here.engine.rest(str(plane_service.repair(here.caller, "mme", name)))
    assert job.state is JobState.DONE, job.error
    assert plane_service.check(here.caller, "mme", name).in_sync is True
