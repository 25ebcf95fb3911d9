"""An application's planes over two simulated sites: made in all or in none, found again, and taken away again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multisite.clouds import call, planes
from multisite.clouds.resources import lifecycle
from multisite.domain.errors import Conflict, Forbidden, Invalid, MultisiteError
from multisite.domain.planes import PlaneState
from multisite.jobs.model import JobState
from multisite.networks.members import MemberAsked
from multisite.networks.paths.service import PathService
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.model import Settings
from multisite_lab.sim.world import make_world
from tests.sim import deploy
from tests.sim.judge import wrong
from tests.sim.plane_setup import FOUR, OWN, SITES, PlaneSetup, plane_setup, planes_of
from tests.sim.service import running_service


@pytest.fixture
def here(tmp_path: Path) -> Iterator[PlaneSetup]:
    with plane_setup(tmp_path) as made:
        made.describe(*FOUR)
        yield made


@pytest.mark.parametrize(("name", "count"), [("ext", 2), ("mgmt", 2), ("copy", 5)])
def test_networks_of_its_own(here: PlaneSetup, name: str, count: int) -> None:
    """A network and a subnet; for l3 a router with its gateway's and its interface's port."""
    job = here.realize(name)
    assert job.state is JobState.DONE, job.error
    plane = here.plane(name)
    assert (plane.state, set(plane.made), plane.error) == (PlaneState.ACTIVE, set(SITES), None)
    assert {site: len(more) for site, more in here.left().items()} == dict.fromkeys(SITES, count)
    for site, made in plane.made.items():
        state = here.state(site)
        network, subnet = state.networks[made.network_id], state.subnets[made.subnet_id]
        assert network["name"] == subnet["name"] == f"mme-{name}"
        assert network["tags"] == [f"multisite:{job.id}:network:{site}"]
        assert network["project_id"] == here.clouds.open_for_service(site).project_id
        assert subnet["cidr"] == made.cidr == ("10.5.0.0/24" if name == "ext" else "10.64.0.0/24")
        assert (subnet["gateway_ip"] is None) == (name == "mgmt"), "a default route to nowhere helps no guest"
        assert (made.router_id is not None) == (name == "copy")
    assert here.world.problems({job.id}) == []
    gone = here.remove(name)
    assert gone is not None
    assert gone.state is JobState.UNDONE, gone.error
    assert here.left() == {}
    assert (here.plane(name).state, here.plane(name).made) == (PlaneState.DESCRIBED, {})
    assert here.remove(name) is None, "there is nothing to remove"
    assert here.realize(name).state is JobState.DONE, "it can be made again"


def test_members_of_an_l3_plane_are_connected_by_a_path(here: PlaneSetup) -> None:
    here.realize("copy")
    paths = PathService(here.database, here.engine, here.clouds, listener=lambda *_: False)  # type: ignore[arg-type]
    ends = [MemberAsked(site, here.guest(site, "copy")) for site in SITES]
    made = paths.create(here.caller, "sync", ends, "udp", 5000)
    assert here.engine.rest(made.job_id).state is JobState.DONE
    assert paths.check(here.caller, made.id).in_sync is True
    with pytest.raises(Conflict, match=r"plane copy is in use at site1: mme-1 \(compute:nova server-1\)"):
        here.remove("copy")


def test_a_stretched_plane_is_its_stretched_network(here: PlaneSetup) -> None:
    job = here.realize("hb")
    assert job.state is JobState.DONE, job.error
    plane, network = here.plane("hb"), here.networks.get(here.caller, "mme-hb")
    assert (plane.state, plane.stretched_network_id) == (PlaneState.ACTIVE, network.id)
    assert {site: made.network_id for site, made in plane.made.items()} == {
        m.site: m.network_id for m in network.members
    }
    port = here.guest("site2", "hb")
    with pytest.raises(Conflict, match=f"in use at site2: compute:nova {port}"):
        here.remove("hb")
    here.drop_port("site2", port)
    gone = here.remove("hb")
    assert gone is not None
    assert gone.state is JobState.DONE
    assert (here.left(), here.plane("hb").state) == ({}, PlaneState.DESCRIBED)


def test_its_state_is_never_a_copy(here: PlaneSetup) -> None:
    """Taken apart by the network's own commands, the plane is described only; and may be made again."""
    here.realize("hb")
    job_id = here.networks.unstretch(here.caller, "mme-hb")
    assert here.plane("hb").state is PlaneState.REMOVING
    here.engine.rest(str(job_id))
    assert (here.plane("hb").state, here.plane("hb").stretched_network_id) == (PlaneState.DESCRIBED, None)
    here.describe(*FOUR[:1])
    here.describe(*FOUR)
    assert here.realize("hb").state is JobState.DONE


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        ("mgmt", "POST", "/networks$"),
        ("mgmt", "POST", "/subnets$"),
        ("copy", "POST", "/routers$"),
        ("copy", "PUT", "/add_router_interface$"),
        ("hb", "POST", "/networks$"),
        ("hb", "POST", "/subnets$"),
    ],
)
def test_what_one_site_refuses_is_undone_in_all(here: PlaneSetup, name: str, method: str, path: str) -> None:
    here.world.sites["site2"].strike(Rule("error", "network", method, path, times=9, status=409))
    job = here.realize(name)
    assert job.state is JobState.UNDONE
    plane = here.plane(name)
    assert (plane.state, plane.made) == (PlaneState.FAILED, {})
    assert "site2" in (plane.error or "")
    assert here.left() == {}
    here.world.sites["site2"].script.forget()
    assert here.realize(name).state is JobState.DONE, "nothing is in the way of a second try"
    assert here.plane(name).error is None


def test_an_end_that_is_told_twice_is_the_same(here: PlaneSetup) -> None:
    """A service may die after its kind was told that a job has ended, and before that is noted."""
    here.world.sites["site2"].strike(Rule("error", "network", "POST", "/networks$", status=409))
    for _ in range(2):
        job = here.realize("mgmt")
        told = here.plane("mgmt")
        assert job.kind.outcome is not None
        job.kind.outcome.apply(job.ended)
        assert here.plane("mgmt") == told
    here.remove("mgmt")
    assert job.state is JobState.UNDONE
    job.kind.outcome.apply(job.ended)
    assert here.plane("mgmt").state is PlaneState.DESCRIBED


def test_a_failure_is_forgotten_when_removed(here: PlaneSetup) -> None:
    for name, path in (("mgmt", "/networks$"), ("hb", "/networks$")):
        here.world.sites["site2"].strike(Rule("error", "network", "POST", path, status=409))
        here.realize(name)
        assert here.remove(name) is None
        assert (here.plane(name).state, here.plane(name).error) == (PlaneState.DESCRIBED, None)


@pytest.mark.parametrize("kind", ["lost", "late"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/networks$"),
        ("POST", "/subnets$"),
        ("POST", "/routers$"),
        ("PUT", "/add_router_interface$"),
        ("PUT", "/tags$"),
    ],
)
def test_a_lost_answer_makes_nothing_twice(here: PlaneSetup, kind: Any, method: str, path: str) -> None:
    rule = Rule(kind, "network", method, path, status=504, seconds=0.1)
    here.world.sites["site2"].strike(rule)
    job = here.realize("copy")
    assert (job.state, rule.struck) == (JobState.DONE, 1), job.error
    assert {site: len(more) for site, more in here.left().items()} == dict.fromkeys(SITES, 5)
    assert here.world.problems({job.id}) == []


@pytest.mark.parametrize("looks", [True, False])
def test_who_does_not_look_first_makes_it_twice(
    here: PlaneSetup, monkeypatch: pytest.MonkeyPatch, looks: bool
) -> None:
    """The negative control of the deaths and lost answers here: without finding by token there is a second one."""
    if not looks:
        monkeypatch.setattr(lifecycle, "_known", lambda *_: None)
    found: list[str] = []
    for die_at in range(2, 12):
        job = here.engine.rest(here.realize("mgmt", die_at).id)
        found += here.world.problems({job.id})
        here.remove("mgmt")
    assert (found == []) is looks, found


def test_who_does_not_ask_for_guests_takes_their_way_out(
    here: PlaneSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the refusal: Neutron itself only keeps the networks, not the router."""
    here.realize("copy")
    here.guest("site2", "copy")
    monkeypatch.setattr(planes, "guests", lambda *_: [])
    job = here.remove("copy")
    assert job is not None
    assert job.state is JobState.UNDO_FAILED
    assert here.state("site2").routers == {}


@pytest.mark.parametrize("path", ["/networks/", "/subnets/", "/routers/[^/]*$", "/remove_router_interface$"])
def test_a_lost_answer_while_removing(here: PlaneSetup, path: str) -> None:
    here.realize("copy")
    method = "PUT" if path.startswith("/remove") else "DELETE"
    rule = Rule("lost", "network", method, path, status=504)
    here.world.sites["site1"].strike(rule)
    job = here.remove("copy")
    assert job is not None
    assert (job.state, rule.struck, here.left()) == (JobState.UNDONE, 1, {}), job.error


def boundaries(here: PlaneSetup) -> int:
    """How many there are in making the l3 plane: what a death can be tried at."""
    here.realize("copy", 10**6)
    passed = 10**6 - int(here.engine.last_left or 0)
    here.remove("copy")
    return passed


def test_killed_anywhere_it_goes_on(here: PlaneSetup) -> None:
    """Every boundary: before each request to a site, and each step.  Nothing twice, nothing orphaned."""
    most = boundaries(here)
    assert most > 30, "a plane takes requests"
    for die_at in range(most):
        dead = here.realize("copy", die_at)
        assert not dead.settled, "the negative control: it did die"
        job = here.engine.rest(dead.id)
        assert job.state is JobState.DONE, job.error
        assert {site: len(more) for site, more in here.left().items()} == dict.fromkeys(SITES, 5), die_at
        assert here.world.problems({job.id}) == []
        job_id = here.service.remove(here.caller, "mme", "copy")
        here.engine.rest(str(job_id), die_at)
        assert here.engine.rest(str(job_id)).state is JobState.UNDONE
        assert here.left() == {}, die_at


def test_refused_while_guests_are_in_it(here: PlaneSetup) -> None:
    here.realize("mgmt")
    port = here.guest("site2", "mgmt")
    with pytest.raises(Conflict, match=r"mgmt is in use at site2: mme-1 \(compute:nova server-1\)"):
        here.remove("mgmt")
    assert here.plane("mgmt").state is PlaneState.ACTIVE
    here.engine.undo(str(here.plane("mgmt").job_id), "olga")  # past the service, by `job undo`
    job = here.engine.rest(str(here.plane("mgmt").job_id))
    assert job.state is JobState.UNDO_FAILED
    plane = here.plane("mgmt")
    assert plane.state is PlaneState.REMOVING
    assert "in use at site2" in (plane.error or "")
    assert {site: len(more) for site, more in here.left().items()} == {"site1": 2, "site2": 3}, "all is there"
    here.drop_port("site2", port)
    assert here.remove("mgmt") is not None
    assert (here.left(), here.plane("mgmt").state) == ({}, PlaneState.DESCRIBED)


def test_a_site_that_is_away_keeps_its_plane(here: PlaneSetup) -> None:
    here.realize("mgmt")
    here.world.cut("site2")
    with pytest.raises(Conflict, match="site2 cannot be asked who is in it"):
        here.remove("mgmt")
    with pytest.raises(Conflict, match="site2: unknown: it does not tell"):
        here.realize("ext")
    here.world.reconnect("site2")
    assert here.remove("mgmt") is not None
    assert here.left() == {}


def test_no_address_is_known(here: PlaneSetup) -> None:
    pools = here.state("site2").subnetpools
    pools.clear()
    with pytest.raises(
        Invalid, match="cidr: plane mgmt has none, and site2 has no default subnet pool: give"
    ):
        here.realize("mgmt")
    found = here.service.preview(here.caller, "mme", "mgmt")
    assert (found.startable, [p.site for p in found.problems]) == (False, ["site2"])
    assert here.plane("mgmt").state is PlaneState.DESCRIBED
    assert here.left() == {}


def test_an_l3_plane_needs_one_way_out(here: PlaneSetup) -> None:
    network = here.clouds.open_for_service("site1").network
    other = {"network": {"name": "other", "router:external": True}}
    made = deploy.ask(network, "POST", "/networks", other)["network"]["id"]
    with pytest.raises(Conflict, match=r"site1: external network: there are several.*set --default"):
        here.realize("copy")
    here.state("site1").networks[made]["is_default"] = True
    (action,) = [
        a for a in here.service.preview(here.caller, "mme", "copy").actions if "router" in a and "site1" in a
    ]
    assert made in action


def test_preview_of_each_changes_nothing(here: PlaneSetup) -> None:
    for name in (*OWN, "hb"):
        found = here.service.preview(here.caller, "mme", name)
        assert (found.startable, found.problems) == (True, ())
        assert [a for a in found.actions if f"create network mme-{name} at site1" in a]
    assert here.left() == {}


def test_what_is_realized_stays_described(here: PlaneSetup) -> None:
    for name in ("mgmt", "hb"):
        here.realize(name)
        rest = [one for one in FOUR if one["name"] != name]
        with pytest.raises(Conflict, match=f"plane {name}: it is active and would vanish"):
            here.describe(*rest)
        changed = [{**one, "cidr": "10.77.0.0/24"} if one["name"] == name else one for one in FOUR]
        with pytest.raises(Conflict, match=f"plane {name}: it is active and would change"):
            here.describe(*changed)
        with pytest.raises(Conflict, match="already"):
            here.realize(name)
    assert [p.name for p in here.describe(FOUR[1], FOUR[3])] == ["hb", "mgmt"], "the others may go"
    with pytest.raises(MultisiteError, match="realized planes"):
        here.rows.delete(here.application.id)
    here.remove("mgmt")
    here.remove("hb")
    here.rows.delete(here.application.id)
    assert here.rows.list() == []


def test_the_project_is_the_applications(here: PlaneSetup) -> None:
    """Somebody of a project that site 2 does not know gets nothing there."""
    other = replace(here.caller, project_name="nobody", project_domain_name="")
    with pytest.raises(Forbidden, match="site2"):
        here.service.realize(other, "mme", "mgmt")
    assert (here.left(), here.plane("mgmt").state) == ({}, PlaneState.DESCRIBED)


@pytest.mark.parametrize("name", OWN)
def test_credentials_without_admin_are_enough(here: PlaneSetup, name: str) -> None:
    """For planes that are not stretched, in the project the credentials are of."""
    plane_service = here.by_others("member")
    job = here.engine.rest(str(plane_service.realize(here.caller, "mme", name).job_id))
    assert job.state is JobState.DONE, job.error
    job = here.engine.rest(str(plane_service.remove(here.caller, "mme", name)))
    assert (job.state, here.left()) == (JobState.UNDONE, {})


def test_with_the_engine_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of both sites at the same time, durable, as it runs in the service."""
    monkeypatch.setattr(call, "ATTEMPTS", 1)
    with make_world(SITES, settings=Settings(dhcp=0.0)) as world, running_service(tmp_path, world) as service:
        plane_service, owner = planes_of(service)
        world.sites["site2"].strike(Rule("error", "network", "PUT", "/add_router_interface$", status=409))
        job = service.rest(str(plane_service.realize(owner, "mme", "copy").job_id))
        assert (job.state, plane_service.get(owner, "mme", "copy").state) == (
            JobState.UNDONE,
            PlaneState.FAILED,
        )
        assert wrong(world, service) == []
        job = service.rest(str(plane_service.realize(owner, "mme", "copy").job_id))
        assert (job.state, plane_service.get(owner, "mme", "copy").state) == (
            JobState.DONE,
            PlaneState.ACTIVE,
        )
        assert wrong(world, service) == []
        with pytest.raises(Conflict, match="realized planes"):
            service.applications.delete(owner, "mme")
        job = service.rest(str(plane_service.remove(owner, "mme", "copy")))
        assert (job.state, plane_service.get(owner, "mme", "copy").state) == (
            JobState.UNDONE,
            PlaneState.DESCRIBED,
        )
        assert wrong(world, service) == []
        assert [world.sites[name].settle().state.routers for name in SITES] == [{}, {}]
