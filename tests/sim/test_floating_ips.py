"""Floating IPs of an application: made or used as the operator maps them, told of otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from multisite.clouds import floating_ips
from multisite.domain.findings import Finding, Severity
from multisite.jobs.model import JobState
from multisite_lab.sim.model import Row
from multisite_lab.sim.world import World, make_world
from tests.sim import deploy
from tests.sim.deploy import Deployed, ask
from tests.sim.judge import wrong
from tests.sim.service import MAPPING, SITE, TARGET, Service, running_service, state_of

POOL = "198.51.100.0/24"
"""Of the target; the source's is 203.0.113.0/24."""


@dataclass(frozen=True)
class Protected:
    """An application whose data port has the floating IP ``address``; both sites have an external network "public"."""

    world: World
    service: Service
    made: Deployed
    pool: str
    address: str = ""
    point: str = ""

    def again(self) -> Protected:
        job, point = self.service.protect("mme")
        assert job.state is JobState.DONE, job.error
        return replace(self, point=point.id)

    def notes(self) -> list[str]:
        return [note for note in self.service.manifests.read(self.point).notes if "floating" in note]

    def preview(self, to: str | None = None) -> Any:
        mapping = MAPPING | ({"floating_ips": {self.address: to}} if to else {})
        return self.service.recoveries.preview(self.service.caller, self.point, TARGET, mapping)

    def said(self, to: str | None = None) -> list[Finding]:
        kinds = (f"floating IP {self.address}", "quota floatingip")
        return [p for p in self.preview(to).problems if p.kind in kinds]

    def recover(self, to: str | None = None) -> str:
        self.world.lose(SITE)
        mapping = {"floating_ips": {self.address: to}} if to else {}
        job, recovery = self.service.recover(self.point, **mapping)
        assert job.state is JobState.DONE, job.error
        return recovery.id

    def leads_to(self, row: Row) -> str | None:
        """The port's name and its address."""
        if row["port_id"] is None:
            return None
        return f"{state_of(self.world).ports[row['port_id']]['name']} {row['fixed_ip_address']}"

    def theirs(self, **fields: Any) -> Row:
        """One that the project has at the target."""
        return floating(self.service, TARGET, self.pool, **fields)


def outside(service: Service, site: str, cidr: str, name: str = "public") -> str:
    subnet = {"gateway_ip": cidr.replace("0/24", "1"), "enable_dhcp": False}
    return deploy.network(service.cloud(site), name, cidr, subnet=subnet, **{"router:external": True})


def floating(service: Service, site: str, network: str, **fields: Any) -> Row:
    body = {"floatingip": {"floating_network_id": network, **fields}}
    row: Row = ask(service.cloud(site).network, "POST", "/floatingips", body)["floatingip"]
    return row


@pytest.fixture
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Protected]:
    with make_world() as world, running_service(tmp_path_factory.mktemp("floating"), world) as service:
        made = service.deploy("mme", servers=1)
        public, pool = outside(service, SITE, "203.0.113.0/24"), outside(service, TARGET, POOL)
        network = service.cloud().network
        (router,) = ask(network, "GET", "/routers?name=router-mme")["routers"]
        way_out = {"router": {"external_gateway_info": {"network_id": public}}}
        ask(network, "PUT", f"/routers/{router['id']}", way_out)
        named = {"dns_name": "mme", "dns_domain": "example."}
        row = floating(service, SITE, public, port_id=made.ports[0], description="seen from outside", **named)
        ask(network, "PUT", f"/floatingips/{row['id']}/tags", {"tags": ["red"]})
        yield Protected(world, service, made, pool, row["floating_ip_address"]).again()


def test_one_is_made_of_the_pool_it_is_mapped_to(protected: Protected) -> None:
    assert protected.notes() == []
    assert protected.said("public") == []
    (item,) = [i for i in protected.preview("public").items if i.kind == "floating IP"]
    assert (item.name, item.action) == (protected.address, "create")
    assert item.detail == "a new address of 'public' leads to port mme-1-data"
    recovery = protected.recover("public")
    (row,) = state_of(protected.world).floatingips.values()
    assert row["floating_network_id"] == protected.pool
    assert protected.leads_to(row) == "mme-1-data 10.31.0.11"
    assert (row["description"], row["dns_name"], row["dns_domain"]) == (
        "seen from outside",
        "mme",
        "example.",
    )
    assert [t for t in row["tags"] if not t.startswith("multisite:")] == ["red"]
    assert wrong(protected.world, protected.service) == []
    protected.service.undone(recovery)
    left = state_of(protected.world)
    assert (left.floatingips, left.routers, left.ports) == ({}, {}, {})


def test_what_is_lost_of_one_is_seen(protected: Protected, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the judge, for a reader or step that forgets."""
    honest = floating_ips.ensure

    def forgets(site: Any, token: str, record: Any, *args: Any, **more: Any) -> str:
        return honest(site, token, replace(record, description=""), *args, **more)

    monkeypatch.setattr(floating_ips, "ensure", forgets)
    protected.recover("public")
    (said,) = wrong(protected.world, protected.service)
    assert "/floating_ips/mme-1-data 10.31.0.11/description" in said


def test_without_a_mapping_it_is_told_with_what_to_type(protected: Protected) -> None:
    (said,) = protected.said()
    assert said.severity is Severity.NOTE
    assert said.what.startswith("it leads to port mme-1-data and is not made")
    assert f"--map floating-ip:{protected.address}=... (site2 has public)" in said.remedy
    protected.recover()
    assert state_of(protected.world).floatingips == {}
    assert wrong(protected.world, protected.service) == []


@pytest.mark.parametrize("by", ["address", "id"])
def test_one_that_is_there_is_used_and_stays_after_an_undo(protected: Protected, by: str) -> None:
    before = protected.theirs(description="reserved")
    recovery = protected.recover(before["floating_ip_address" if by == "address" else "id"])
    (row,) = state_of(protected.world).floatingips.values()
    assert (row["id"], row["description"]) == (before["id"], "reserved")
    assert protected.leads_to(row) == "mme-1-data 10.31.0.11"
    protected.service.undone(recovery)
    (row,) = state_of(protected.world).floatingips.values()
    assert (row["id"], row["port_id"], row["description"], row["tags"]) == (
        before["id"],
        None,
        "reserved",
        [],
    )


def test_one_that_leads_elsewhere_by_then_is_not_taken_from_there(protected: Protected) -> None:
    """Neither by the step, nor by its undo."""
    before = protected.theirs()
    network = deploy.network(protected.service.cloud(TARGET), "else", "10.70.0.0/24")
    other = deploy.port(protected.service.cloud(TARGET), "other", network)
    protected.world.lose(SITE)
    mapping = {"floating_ips": {protected.address: before["floating_ip_address"]}}
    started = protected.service.recoveries.start(
        protected.service.caller, protected.point, TARGET, {**MAPPING, **mapping}, confirm="mme"
    )
    path = f"/floatingips/{before['id']}"
    ask(protected.service.cloud(TARGET).network, "PUT", path, {"floatingip": {"port_id": other}})
    job = protected.service.rest(started.job_id)
    assert job.state is JobState.PAUSED
    assert f"leads to port {other} meanwhile" in (job.error or "")
    protected.service.undone(started.id)
    assert state_of(protected.world).floatingips[before["id"]]["port_id"] == other


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("nowhere", "mapping.floating_ips maps it to 'nowhere', which is not at site2"),
        ("192.0.2.9", "and 0 external networks there have it"),
    ],
)
def test_a_wrong_right_side_is_in_the_way(protected: Protected, to: str, words: str) -> None:
    (said,) = protected.said(to)
    assert said.severity is Severity.BLOCKING
    assert words in said.what


def test_one_that_is_in_use_is_in_the_way(protected: Protected) -> None:
    network = deploy.network(protected.service.cloud(TARGET), "else", "10.70.0.0/24")
    port = deploy.port(protected.service.cloud(TARGET), "other", network)
    there = protected.theirs(port_id=port)
    (said,) = protected.said(there["floating_ip_address"])
    assert said.severity is Severity.BLOCKING
    assert f"which leads to port {port} at site2" in said.what


def test_an_address_is_asked_of_its_network_by_who_may_choose_one(protected: Protected) -> None:
    protected.recover("198.51.100.77")
    (row,) = state_of(protected.world).floatingips.values()
    assert row["floating_ip_address"] == "198.51.100.77"
    assert protected.leads_to(row) == "mme-1-data 10.31.0.11"


def test_a_network_no_router_leads_to_is_in_the_way(protected: Protected) -> None:
    outside(protected.service, TARGET, "192.0.2.0/24", "another")
    (said,) = protected.said("another")
    assert said.severity is Severity.BLOCKING
    assert said.what == "no router leads from network mme-data to external network another at site2"


def test_a_used_up_quota_is_in_the_way(protected: Protected) -> None:
    protected.world.sites[TARGET].sim.quotas["floatingip"] = 0
    (said,) = protected.said("public")
    assert said.what == "the recovery needs 1, site2 has 0 left (0 of 0 used)"
    assert protected.said() != [said], "one that is not made needs none"


@pytest.mark.parametrize("mark", ["tag", "description"])
def test_one_of_a_moving_address_or_a_path_is_told_of(protected: Protected, mark: str) -> None:
    """Multisite itself keeps those, in both sites."""
    (row,) = protected.world.sites[SITE].settle().state.floatingips.values()
    if mark == "tag":
        row["tags"].append("multisite:7c1a:address-site1")
    else:
        row["description"] = "multisite address a1 epoch 3 bound"
    protected = protected.again()
    (note,) = protected.notes()
    assert note.startswith(
        f"floating IP {protected.address} leads to port mme-1-data: it is of a moving address"
    )
    assert protected.service.manifests.read(protected.point).floating_ips == ()


def test_one_that_a_recovery_made_is_carried_again(protected: Protected) -> None:
    protected.recover("public")
    service = protected.service
    servers = [{"id": s.id} for s in state_of(protected.world).servers.values()]
    service.applications.create(service.owner(TARGET), "again", TARGET, servers)
    service.protections.create(
        service.caller, "again", "consistent-backup", target_site=SITE, options={"freeze_timeout": 30}
    )
    job, point = service.protect("again")
    assert job.state is JobState.DONE, job.error
    manifest = service.manifests.read(point.id)
    assert [f.fixed_address for f in manifest.floating_ips] == ["10.31.0.11"]
    assert [n for n in manifest.notes if "floating" in n] == []
