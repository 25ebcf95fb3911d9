"""Stretching and unstretching over simulated sites, by the service and its jobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from multisite.clouds import call
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict
from multisite.domain.stretched import Gateway, StretchedNetwork, StretchState
from multisite.jobs.model import JobState
from multisite.networks.stretch.order import StretchOrder
from multisite.networks.stretch.reconcile import Reconciler
from multisite.networks.stretch.service import NetworkService
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.model import Settings
from multisite_lab.sim.world import World, make_world
from tests.sim.deploy import ask
from tests.sim.service import Service, running_service

SITES = ("site1", "site2", "site3")
ORDER = StretchOrder("hb", SITES, cidr="10.99.0.0/24", dhcp="none")


class Stage:
    def __init__(self, world: World, service: Service) -> None:
        self.world, self.service = world, service
        self.reconciler = Reconciler(service.database, service.clouds, patience=120)
        self.network_service = NetworkService(
            service.database, service.sites, service.clouds, service.jobs, self.reconciler
        )
        project = service.cloud("site1").project_id
        self.caller = Caller("o", "olga", project, "vnf", frozenset({"admin"}), "req-1")

    def stretch(self, order: StretchOrder = ORDER) -> tuple[Any, StretchedNetwork]:
        made = self.network_service.stretch(self.caller, order)
        job = self.service.rest(made.job_id or "")
        return job, self.network_service.get(self.caller, made.id)

    def networks(self, site: str) -> list[Any]:
        return list(self.world.sites[site].settle().state.networks.values())

    def port(self, network: StretchedNetwork, site: str) -> str:
        """A bound port, as of a guest."""
        host = next(iter(self.world.sites[site].sim.settings.vteps))
        body = {
            "network_id": network.member(site).network_id,
            "device_owner": "compute:nova",
            "binding:host_id": host,
        }
        return str(ask(self.service.cloud(site).network, "POST", "/ports", {"port": body})["port"]["id"])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("stretch")
    with make_world(SITES, settings=Settings(remote_port=True)) as world:
        for number, site in enumerate(SITES, start=1):
            world.sites[site].sim.settings.vteps = {f"{site}-1": f"172.31.{number}.1"}
        with running_service(folder, world) as service:
            yield Stage(world, service)


@pytest.fixture(autouse=True)
def _clean(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(call, "ATTEMPTS", 1)
    yield
    for site in SITES:
        stage.world.reconnect(site)
        stage.world.sites[site].script.forget()
        state = stage.world.sites[site].settle().state
        state.ports.clear()
        state.networks.clear()
        state.subnets.clear()
    for network in stage.network_service.list(stage.caller):
        stage.network_service._networks.delete(network.id)


def test_from_nothing_to_guests_in_step_and_back_to_nothing(stage: Stage) -> None:
    job, network = stage.stretch()
    assert (job.state, network.state, network.segmentation_id) == (JobState.DONE, StretchState.ACTIVE, 5000)
    for site in SITES:
        (row,) = stage.networks(site)
        assert (row["id"], row["mtu"]) == (network.member(site).network_id, network.mtu)
        assert row["provider:segmentation_id"] == 5000
    port = stage.port(network, "site1")
    drift = stage.network_service.reconcile(stage.caller, "hb")
    assert drift.counts == {"in-sync": 2}
    assert stage.network_service.check(stage.caller, "hb").findings == ()
    with pytest.raises(Conflict, match=f"in use at site1: compute:nova {port}"):
        stage.network_service.unstretch(stage.caller, "hb")
    ask(stage.service.cloud("site1").network, "DELETE", f"/ports/{port}")
    assert (
        stage.service.rest(stage.network_service.unstretch(stage.caller, "hb") or "").state == JobState.DONE
    )
    assert [stage.networks(site) for site in SITES] == [[], [], []]
    assert [p for s in SITES for p in stage.world.sites[s].sim.state.ports] == []
    assert stage.network_service.list(stage.caller) == []


@pytest.mark.parametrize("path", ["/networks$", "/subnets$"])
def test_what_one_site_refuses_is_undone_in_all(stage: Stage, path: str) -> None:
    stage.world.sites["site2"].strike(Rule("error", "network", "POST", path, status=409))
    job, network = stage.stretch()
    assert job.state == JobState.UNDONE
    assert network.state is StretchState.FAILED
    assert "site2" in (network.error or "")
    assert [stage.networks(site) for site in SITES] == [[], [], []]
    job, network = stage.stretch()
    assert network.state is StretchState.ACTIVE, "the same name may be used again"


def test_a_lost_answer_makes_no_second_network(stage: Stage) -> None:
    stage.world.sites["site2"].strike(Rule("lost", "network", "POST", "/networks$", status=504))
    job, _ = stage.stretch()
    assert job.state == JobState.DONE
    assert [len(stage.networks(site)) for site in SITES] == [1, 1, 1]


def test_all_get_the_least_mtu(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from multisite_lab.sim.neutron import networks

    made = networks.create_network

    def small(sim: Any, asked: Any) -> Any:
        answer = made(sim, asked)
        if sim.name == "site3":
            answer.body["network"]["mtu"] = 1400
            sim.state.networks[answer.body["network"]["id"]]["mtu"] = 1400
        return answer

    route = next(r for r in networks.ROUTES if (r.method, r.template) == ("POST", "/networks"))
    monkeypatch.setitem(route.__dict__, "handle", small)
    _, network = stage.stretch()
    assert network.mtu == 1400
    assert {row["mtu"] for site in SITES for row in stage.networks(site)} == {1400}


def test_an_adopted_network_stays(stage: Stage) -> None:
    cloud = stage.service.cloud("site1")
    net = ask(cloud.network, "POST", "/networks", {"network": {"name": "data"}})["network"]["id"]
    subnet = {
        "network_id": net,
        "cidr": "10.99.0.0/24",
        "ip_version": 4,
        "gateway_ip": None,
        "enable_dhcp": False,
    }
    subnet |= {"allocation_pools": [{"start": "10.99.0.1", "end": "10.99.0.254"}]}
    ask(cloud.network, "POST", "/subnets", {"subnet": subnet})
    order = replace(ORDER, cidr=None, adopt={"site1": "data"})
    plan = stage.network_service.preview(stage.caller, order)
    assert "pools: nothing is left" in " ".join(str(p) for p in plan.problems)
    narrow = replace(order, pools={"site1": ("10.99.0.1", "10.99.0.99")})
    job, network = stage.stretch(narrow)
    assert job.state == JobState.DONE
    pools = next(iter(stage.world.sites["site1"].sim.state.subnets.values()))["allocation_pools"]
    assert pools == [{"start": "10.99.0.1", "end": "10.99.0.99"}]
    assert network.member("site1").network_id == net
    assert (
        stage.service.rest(stage.network_service.unstretch(stage.caller, "hb") or "").state == JobState.DONE
    )
    assert [[row["id"] for row in stage.networks(site)] for site in SITES] == [[net], [], []]


def test_a_lost_site_is_left_out_when_asked_to(stage: Stage) -> None:
    _, network = stage.stretch()
    stage.port(network, "site1")
    stage.network_service.reconcile(stage.caller, "hb")
    stage.world.cut("site1")
    with pytest.raises(Conflict, match="say it is lost"):
        stage.network_service.unstretch(stage.caller, "hb")
    job_id = stage.network_service.unstretch(stage.caller, "hb", without=("site1",))
    assert stage.service.rest(job_id or "").state == JobState.DONE
    assert [len(stage.networks(site)) for site in SITES] == [1, 0, 0]


def test_undoing_the_job_takes_everything_back(stage: Stage) -> None:
    job, network = stage.stretch(replace(ORDER, gateway=Gateway.EACH))
    assert [m.gateway for m in network.members] == ["10.99.0.1", "10.99.0.2", "10.99.0.3"]
    stage.service.jobs.undo(job.id, "olga")
    assert stage.service.rest(job.id).state == JobState.UNDONE
    assert [stage.networks(site) for site in SITES] == [[], [], []]
    assert stage.network_service.unstretch(stage.caller, "hb") is None


def test_two_networks_never_get_one_vni(stage: Stage) -> None:
    _, one = stage.stretch()
    _, other = stage.stretch(replace(ORDER, name="other"))
    assert (one.segmentation_id, other.segmentation_id) == (5000, 5001)
