"""Routers of an application: made again with interfaces, routes and gateway, or one at the target is used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from multisite.clouds import resources, routers
from multisite.domain.errors import Conflict
from multisite.domain.findings import Finding, Severity
from multisite.jobs.model import JobState
from multisite_lab.sim.model import Row
from multisite_lab.sim.world import World, make_world
from tests.sim import deploy
from tests.sim.deploy import Deployed, ask
from tests.sim.judge import wrong
from tests.sim.service import MAPPING, SITE, TARGET, Service, running_service, state_of

ROUTER, INTERFACE = "router-mme", "network:router_interface"
ROUTE = {"destination": "10.98.0.0/16", "nexthop": "10.31.0.11"}


@dataclass(frozen=True)
class Protected:
    """A full application whose router has its gateway in the external network "public" of its site."""

    world: World
    service: Service
    made: Deployed
    point: str

    def again(self) -> Protected:
        job, point = self.service.protect("mme")
        assert job.state is JobState.DONE, job.error
        return Protected(self.world, self.service, self.made, point.id)

    def lose(self) -> None:
        self.world.lose(SITE)

    def notes(self) -> tuple[str, ...]:
        return self.service.manifests.read(self.point).notes

    def found(self, **mapping: Any) -> list[Finding]:
        """What a preview says of the router."""
        preview = self.service.recoveries.preview(self.service.caller, self.point, TARGET, MAPPING | mapping)
        return [p for p in preview.problems if p.kind == f"router {ROUTER}" or p.kind == "quota router"]

    def recover(self, **mapping: Any) -> str:
        job, recovery = self.service.recover(self.point, **mapping)
        assert job.state is JobState.DONE, job.error
        return recovery.id

    def router(self, name: str = ROUTER) -> Row:
        return next(row for row in state_of(self.world).routers.values() if row["name"] == name)

    def addresses(self, router: Row) -> list[str]:
        at = [p for p in state_of(self.world).ports.values() if p["device_id"] == router["id"]]
        return sorted(ip["ip_address"] for p in at if p["device_owner"] == INTERFACE for ip in p["fixed_ips"])


def outside(service: Service, site: str, name: str = "public") -> str:
    gateway = {"gateway_ip": "203.0.113.1", "enable_dhcp": False}
    return deploy.network(
        service.cloud(site), name, "203.0.113.0/24", subnet=gateway, **{"router:external": True}
    )


@pytest.fixture
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Protected]:
    with make_world() as world, running_service(tmp_path_factory.mktemp("routers"), world) as service:
        made = service.deploy("mme", servers=1)
        way_out = {"external_gateway_info": {"network_id": outside(service, SITE)}}
        ask(service.cloud().network, "PUT", f"/routers/{source(service)['id']}", {"router": way_out})
        yield Protected(world, service, made, "").again()


def source(service: Service) -> Row:
    row: Row = ask(service.cloud().network, "GET", f"/routers?name={ROUTER}")["routers"][0]
    return row


def test_a_router_comes_back_and_an_undo_takes_it_away(protected: Protected) -> None:
    public = outside(protected.service, TARGET)
    assert protected.notes() == ()
    protected.lose()
    assert protected.found() == []
    recovery = protected.recover()
    row = protected.router()
    assert protected.addresses(row) == ["10.31.0.1", "10.32.0.254"]
    assert (row["routes"], row["description"], row["admin_state_up"]) == ([ROUTE], "mme leaves here", False)
    assert row["external_gateway_info"]["network_id"] == public
    assert row["external_gateway_info"]["enable_snat"] is True
    assert {t for t in row["tags"] if not t.startswith("multisite:")} == {"red", "green"}
    assert wrong(protected.world, protected.service) == []
    protected.service.undone(recovery)
    left = state_of(protected.world)
    assert (left.routers, left.ports, list(left.networks)) == ({}, {}, [public])


def test_what_is_lost_of_a_router_is_seen(protected: Protected, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the judge, for a step that does nothing."""
    outside(protected.service, TARGET)
    protected.lose()
    monkeypatch.setattr(routers, "add_routes", lambda *_args: None)
    protected.recover()
    (said,) = wrong(protected.world, protected.service)
    assert f"/routers/{ROUTER}/routes" in said


def test_a_name_that_is_lost_of_an_interface_is_seen(
    protected: Protected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control, for the ports of the router."""
    outside(protected.service, TARGET)
    protected.lose()
    monkeypatch.setattr(routers, "describe_interface", lambda *_args: None)
    protected.recover()
    said = wrong(protected.world, protected.service)
    assert said
    assert all(f"/routers/{ROUTER}/interfaces" in line for line in said)


def test_what_of_an_interface_is_not_carried_is_told_of(protected: Protected) -> None:
    ports = protected.world.sites[SITE].settle().state.ports.values()
    one, other = sorted((p for p in ports if p["device_owner"] == INTERFACE), key=lambda p: p["name"])
    one["mac_address"], other["admin_state_up"] = "02:00:00:00:00:01", False
    mac, state = [note for note in protected.again().notes() if note.startswith("router interface ")]
    assert f"10.31.0.1 of router {ROUTER}: its MAC address 02:00:00:00:00:01 is not carried" in mac
    assert f"10.32.0.254 of router {ROUTER}: its admin_state_up is not carried" in state


@pytest.mark.parametrize("names", [("wan",), ("wan", "public", "public")])
def test_which_external_network_is_asked_for_where_the_name_does_not_tell(
    protected: Protected, names: tuple[str, ...]
) -> None:
    ids = [outside(protected.service, TARGET, name) for name in names]
    protected.lose()
    (said,) = protected.found()
    assert said.severity is Severity.BLOCKING
    assert "its gateway is in external network public" in said.what
    assert "--map external-network:public=..." in said.remedy
    assert f"wan ({ids[0]})" in said.remedy
    recovery = protected.recover(external_networks={"public": "wan"})
    assert protected.router()["external_gateway_info"]["network_id"] == ids[0]
    protected.service.undone(recovery)
    assert set(state_of(protected.world).networks) == set(ids)


def test_where_there_is_no_external_network_it_is_told(protected: Protected) -> None:
    protected.lose()
    (said,) = protected.found()
    assert said.severity is Severity.NOTE
    assert said.what == (
        "it comes back without its gateway in external network public: site2 has no external network"
    )
    protected.recover()
    assert protected.router()["external_gateway_info"] is None


def test_source_nat_that_is_off_stays_off(protected: Protected) -> None:
    service, row = protected.service, source(protected.service)
    network = row["external_gateway_info"]["network_id"]
    off = {"external_gateway_info": {"network_id": network, "enable_snat": False}}
    ask(service.cloud().network, "PUT", f"/routers/{row['id']}", {"router": off})
    protected = protected.again()
    outside(service, TARGET)
    protected.lose()
    protected.recover()
    assert protected.router()["external_gateway_info"]["enable_snat"] is False
    assert wrong(protected.world, service) == []


def theirs(service: Service, cidr: str = "10.50.0.0/24") -> Row:
    """A router "edge" at the target with an interface, a gateway and a route of its own."""
    site = service.cloud(TARGET)
    way_out = {"external_gateway_info": {"network_id": outside(service, TARGET)}}
    made = ask(site.network, "POST", "/routers", {"router": {"name": "edge", **way_out}})["router"]["id"]
    inside = deploy.network(site, "edge", cidr, subnet={"gateway_ip": cidr.replace("0/24", "1")})
    (subnet,) = ask(site.network, "GET", f"/networks/{inside}")["network"]["subnets"]
    ask(site.network, "PUT", f"/routers/{made}/add_router_interface", {"subnet_id": subnet})
    route = {"destination": "192.0.2.0/24", "nexthop": cidr.replace("0/24", "9")}
    ask(site.network, "PUT", f"/routers/{made}", {"router": {"routes": [route]}})
    row: Row = ask(site.network, "GET", f"/routers/{made}")["router"]
    return row


def plain(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "revision_number"}


def test_a_router_it_is_mapped_to_gets_interfaces_and_routes_and_keeps_the_rest(protected: Protected) -> None:
    before = theirs(protected.service)
    protected.lose()
    assert protected.found(routers={ROUTER: "edge"}) == []
    recovery = protected.recover(routers={ROUTER: "edge"})
    (row,) = state_of(protected.world).routers.values()
    assert protected.addresses(row) == ["10.31.0.1", "10.32.0.254", "10.50.0.1"]
    assert row["routes"] == [*before["routes"], ROUTE]
    assert plain(row | {"routes": before["routes"]}) == plain(before)
    protected.service.undone(recovery)
    (row,) = state_of(protected.world).routers.values()
    assert plain(row) == plain(before)
    assert protected.addresses(row) == ["10.50.0.1"]


def test_a_mapped_router_in_an_overlapping_subnet_is_in_the_way(protected: Protected) -> None:
    theirs(protected.service, "10.31.0.0/24")
    protected.lose()
    (said,) = protected.found(routers={ROUTER: "edge"})
    assert said.severity is Severity.BLOCKING
    assert "has an interface in 10.31.0.0/24, which overlaps 10.31.0.0/24 of subnet mme-data" in said.what


def test_a_router_of_this_name_is_asked_about(protected: Protected) -> None:
    outside(protected.service, TARGET)
    body = {"router": {"name": ROUTER}}
    there = ask(protected.service.cloud(TARGET).network, "POST", "/routers", body)["router"]["id"]
    protected.lose()
    (said,) = protected.found()
    assert said.severity is Severity.BLOCKING
    assert f"--map router:{ROUTER}={there}" in said.remedy
    assert f"--map router-name:{ROUTER}={ROUTER}-recovered" in said.remedy
    protected.recover(router_names={ROUTER: "another"})
    assert protected.addresses(protected.router("another")) == ["10.31.0.1", "10.32.0.254"]
    assert protected.addresses(protected.router()) == []


def test_of_mapped_networks_no_router_is_made(protected: Protected) -> None:
    outside(protected.service, TARGET)
    site = protected.service.cloud(TARGET)
    for name in ("data", "mgmt"):
        deploy.network(site, f"their-{name}", deploy.NETWORKS[name], subnet={"enable_dhcp": False})
    protected.lose()
    at, route = sorted(f.what for f in protected.found(networks={"mme-data": "their-data"}))
    assert at.startswith("it gets no interface at 10.31.0.1: the network there is mapped")
    assert route.startswith("routes 10.98.0.0/16 via 10.31.0.11 are not set")
    both = {"networks": {"mme-data": "their-data", "mme-mgmt": "their-mgmt"}}
    (said,) = protected.found(**both)
    assert (said.severity, said.what.partition(":")[0]) == (Severity.NOTE, "it is not made")
    protected.recover(**both)
    assert state_of(protected.world).routers == {}


def test_what_else_hangs_on_it_is_told_and_routes_through_it_are_not_set(protected: Protected) -> None:
    service, row = protected.service, source(protected.service)
    other = deploy.network(service.cloud(), "billing", "10.60.0.0/24", subnet={"gateway_ip": "10.60.0.1"})
    (subnet,) = ask(service.cloud().network, "GET", f"/networks/{other}")["network"]["subnets"]
    ask(service.cloud().network, "PUT", f"/routers/{row['id']}/add_router_interface", {"subnet_id": subnet})
    more = {"routes": [ROUTE, {"destination": "10.97.0.0/16", "nexthop": "10.60.0.9"}]}
    ask(service.cloud().network, "PUT", f"/routers/{row['id']}", {"router": more})
    protected = protected.again()
    outside(service, TARGET)
    (note,) = protected.notes()
    assert note.startswith(
        f"router {ROUTER} has interfaces in other networks, too: billing: these are not carried"
    )
    protected.lose()
    (said,) = protected.found()
    assert (
        said.what == "routes 10.97.0.0/16 via 10.60.0.9 are not set: no network that is made has the next hop"
    )
    protected.recover()
    assert protected.router()["routes"] == [ROUTE]
    assert protected.addresses(protected.router()) == ["10.31.0.1", "10.32.0.254"]


@pytest.mark.parametrize("whose", ["another project's", "a plane's"])
def test_a_router_that_is_not_the_applications_to_make_is_told_of(protected: Protected, whose: str) -> None:
    state = protected.world.sites[SITE].settle().state
    row = state.routers[source(protected.service)["id"]]
    if whose == "a plane's":
        row["tags"].append("multisite:7c1a:router:site1")
    else:
        for one in (row, *(p for p in state.ports.values() if p["device_id"] == row["id"])):
            one["project_id"] = one["tenant_id"] = "another"
    protected = protected.again()
    manifest = protected.service.manifests.read(protected.point)
    assert manifest.routers == ()
    (note,) = manifest.notes
    assert note.startswith(f"router {ROUTER} of network mme-data, mme-mgmt is of ")
    assert "it is not carried over" in note
    protected.lose()
    protected.recover()
    assert state_of(protected.world).routers == {}


def test_a_list_that_lost_the_router_is_not_believed(
    protected: Protected, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = resources.list_all

    def loses(site: Any, kind: Any, *args: Any, **filters: Any) -> Any:
        return [] if kind == "router" else listed(site, kind, *args, **filters)

    monkeypatch.setattr(resources, "list_all", loses)
    with pytest.raises(Conflict, match="is in use but not visible to us"):
        protected.service.protect("mme")


def test_one_that_a_recovery_made_is_carried_again(protected: Protected) -> None:
    """Its token does not make it a plane's."""
    outside(protected.service, TARGET)
    protected.lose()
    protected.recover()
    service = protected.service
    servers = [{"id": s.id} for s in state_of(protected.world).servers.values()]
    service.applications.create(service.owner(TARGET), "again", TARGET, servers)
    service.protections.create(
        service.caller, "again", "consistent-backup", target_site=SITE, options={"freeze_timeout": 30}
    )
    job, point = service.protect("again")
    assert job.state is JobState.DONE, job.error
    manifest = service.manifests.read(point.id)
    assert [r.name for r in manifest.routers] == [ROUTER]
    assert [n for n in manifest.notes if "router" in n] == []


def test_a_used_up_quota_of_routers_is_in_the_way(protected: Protected) -> None:
    outside(protected.service, TARGET)
    protected.world.sites[TARGET].sim.quotas["router"] = 0
    protected.lose()
    (said,) = protected.found()
    assert said.what == "the recovery needs 1, site2 has 0 left (0 of 0 used)"


def test_a_site_without_routers_is_said_to_be_one(protected: Protected) -> None:
    sim = protected.world.sites[TARGET].sim
    sim.settings.lacks = ("router",)
    protected.lose()
    (said,) = protected.found()
    assert (said.severity, said.what) == (
        Severity.NOTE, "it is not made: Neutron at site2 lacks the extension router"
    )  # fmt: skip
    protected.recover()
    assert state_of(protected.world).routers == {}


def test_two_applications_of_one_router_share_it_again(protected: Protected) -> None:
    """The second one is asked which it is; neither undo takes anything from the other."""
    service, row = protected.service, source(protected.service)
    second = deploy.network(service.cloud(), "sgw", "10.33.0.0/24", subnet={"gateway_ip": "10.33.0.1"})
    (subnet,) = ask(service.cloud().network, "GET", f"/networks/{second}")["network"]["subnets"]
    ask(service.cloud().network, "PUT", f"/routers/{row['id']}/add_router_interface", {"subnet_id": subnet})
    site = service.cloud()
    disk = deploy.volume(site, "sgw", image=deploy.image(site))
    server = deploy.server(site, "sgw", deploy.flavor(site), [disk], [deploy.port(site, "sgw", second)])
    deploy.working(site, server)
    service.applications.create(service.owner(), "sgw", SITE, [{"id": server}])
    protected = protected.again()
    _, other = service.protect("sgw")
    outside(service, TARGET)
    protected.lose()
    first = protected.recover()
    preview = service.recoveries.preview(service.caller, other.id, TARGET, MAPPING)
    (said,) = [p for p in preview.problems if p.severity is Severity.BLOCKING]
    assert "a router of this name is at site2 already" in said.what
    job, joined = service.recover(other.id, routers={ROUTER: ROUTER})
    assert job.state is JobState.DONE, job.error
    assert protected.addresses(protected.router()) == ["10.31.0.1", "10.32.0.254", "10.33.0.1"]
    job, _ = service.undo(first)
    assert job.state is JobState.UNDO_FAILED
    assert "still has ports" in (job.error or "")
    assert protected.addresses(protected.router()) == ["10.33.0.1"]
    protected.service.undone(joined.id)
    protected.service.undone(first)
    assert state_of(protected.world).routers == {}
