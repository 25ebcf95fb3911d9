"""L3 paths over simulated sites: made on both sides or on none, and drift that is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from multisite.domain.errors import Invalid
from multisite.domain.l3_path import PathState
from multisite.jobs.model import JobState
from multisite.networks.members import MemberAsked
from multisite.networks.paths.service import PathService
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.model import Row
from tests.sim import deploy
from tests.sim.address_setup import OPERATOR, AddressSetup, address_setup


class Paths:
    def __init__(self, here: AddressSetup) -> None:
        self.here = here
        self.service = PathService(here.database, here.engine, here.clouds, listener=lambda *_: False)  # type: ignore[arg-type]

    def make(self, name: str = "sync") -> Any:
        ends = [MemberAsked(site, port) for site, port in self.here.ports.items()]
        made = self.service.create(OPERATOR, name, ends, "udp", 5000)
        return self.here.engine.rest(made.job_id), made.id

    def left(self) -> list[str]:
        """What a path is made of, wherever it is."""
        found = []
        for name, site in self.here.world.sites.items():
            state = site.settle().state
            found += [f"{name}: {f['floating_ip_address']}" for f in state.floatingips.values()]
            found += [
                f"{name}: {g['name']}" for g in state.security_groups.values() if g["name"] != "default"
            ]
            found += [
                f"{name}: port in {p['security_groups']}"
                for p in self.members(name)
                if len(p["security_groups"]) > 1
            ]
        return found

    def members(self, name: str) -> list[Row]:
        return [p for p in self.here.world.sites[name].sim.state.ports.values() if p["name"] == "member"]

    def kinds(self, id: str) -> list[tuple[str, str]]:
        return [(d.site, d.kind) for d in self.service.check(OPERATOR, id).findings]


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[Paths]:
    with address_setup(tmp_path) as here:
        yield Paths(here)


def test_made_checked_deleted(paths: Paths) -> None:
    job, id = paths.make()
    assert job.state is JobState.DONE, job.error
    path = paths.service.get(OPERATOR, id)
    assert path.state is PathState.READY
    rules = {
        name: [
            (r["protocol"], r["port_range_min"], r["remote_ip_prefix"])
            for g in site.sim.state.security_groups.values() if g["name"] == "multisite-path-sync"
            for r in g["security_group_rules"] if r["direction"] == "ingress"
        ]
        for name, site in paths.here.world.sites.items()
    }  # fmt: skip
    peers = {end.site: path.peer(end.site).address for end in path.ends}
    assert rules == {site: [("udp", 5000, f"{peer}/32")] for site, peer in peers.items()}
    found = paths.service.check(OPERATOR, id)
    assert (found.in_sync, found.findings) == (True, ())
    gone = paths.service.delete(OPERATOR, id)
    assert gone is not None
    assert paths.here.engine.rest(gone.job_id).state is JobState.UNDONE
    assert paths.left() == []
    assert paths.service.list(OPERATOR) == []


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/floatingips"), ("POST", "/security-groups"), ("PUT", "/ports")]
)
def test_one_side_refuses_and_nothing_is_left(paths: Paths, method: str, path: str) -> None:
    paths.here.world.sites["site2"].strike(Rule("error", "network", method, path, times=5, status=409))
    job, id = paths.make()
    assert job.state is JobState.UNDONE
    assert paths.service.get(OPERATOR, id).state is PathState.FAILED
    assert paths.left() == []
    assert paths.service.delete(OPERATOR, id) is None


def bare(paths: Paths) -> None:
    """The member of site 2 loses its port security."""
    (port,) = paths.members("site2")
    port |= {"port_security_enabled": False, "security_groups": []}


def test_a_port_where_no_rule_would_hold_is_refused(paths: Paths) -> None:
    bare(paths)
    with pytest.raises(Invalid, match="port security off"):
        paths.make()
    assert paths.service.list(OPERATOR) == []


def test_port_security_switched_off_meanwhile(paths: Paths) -> None:
    """It is undone, also on that side."""
    ends = [MemberAsked(site, port) for site, port in paths.here.ports.items()]
    made = paths.service.create(OPERATOR, "sync", ends, "udp", 5000)
    bare(paths)
    job = paths.here.engine.rest(made.job_id)
    assert job.state is JobState.UNDONE, job.error
    assert "port security off" in str(job.error)
    assert paths.left() == []


@pytest.mark.parametrize("die_at", [3, 9, 15, 22, 30, 38, 46])
def test_killed_anywhere_it_goes_on(paths: Paths, die_at: int) -> None:
    ends = [MemberAsked(site, port) for site, port in paths.here.ports.items()]
    made = paths.service.create(OPERATOR, "sync", ends, "udp", 5000)
    paths.here.engine.rest(made.job_id, die_at)
    job = paths.here.engine.rest(made.job_id)
    assert job.state is JobState.DONE, job.error
    assert paths.service.check(OPERATOR, made.id).in_sync is True
    assert len(paths.left()) == 6  # an address, a group and a port in it on each side: nothing twice


def test_drift_is_named(paths: Paths) -> None:
    _, id = paths.make()
    path = paths.service.get(OPERATOR, id)
    cloud, end = paths.here.clouds.open_for_service("site2"), path.end("site2")
    wide = {"security_group_id": end.group_id, "direction": "ingress", "ethertype": "IPv4", "protocol": "udp"}
    rule = deploy.ask(cloud.network, "POST", "/security-group-rules", {"security_group_rule": wide})
    assert paths.kinds(id) == [("site2", "rule too wide")]
    deploy.ask(cloud.network, "DELETE", f"/security-group-rules/{rule['security_group_rule']['id']}")
    assert paths.kinds(id) == []
    deploy.ask(cloud.network, "PUT", f"/ports/{end.port_id}", {"port": {"security_groups": []}})
    assert paths.kinds(id) == [("site2", "rule missing")]
    deploy.ask(cloud.network, "DELETE", f"/floatingips/{end.floating_ip_id}")
    assert ("site2", "address missing") in paths.kinds(id)
    paths.here.cut("site2")
    found = paths.service.check(OPERATOR, id)
    assert found.in_sync is None
    assert [(d.site, d.kind) for d in found.findings] == [("site2", "unknown")]


def test_reachable_from_outside_is_the_end_of_it(paths: Paths) -> None:
    paths.service._listen = lambda *_: True
    ends = [MemberAsked(site, port) for site, port in paths.here.ports.items()]
    made = paths.service.create(OPERATOR, "sync", ends, "tcp", 5000)
    job = paths.here.engine.rest(made.job_id)
    assert job.state is JobState.UNDONE
    assert "is reachable from outside the path" in job.error
    assert paths.left() == []


@pytest.mark.parametrize(
    ("ends", "protocol", "port", "words"),
    [
        ((MemberAsked("site1", "a"),), "udp", 1, "ends"),
        ((MemberAsked("site1", "a"), MemberAsked("site1", "b")), "udp", 1, "ends"),
        ((MemberAsked("site1", "a"), MemberAsked("site2", "b")), "gre", 1, "protocol"),
        ((MemberAsked("site1", "a"), MemberAsked("site2", "b")), "udp", None, "port"),
        ((MemberAsked("site1", "a"), MemberAsked("site2", "b")), "icmp", 7, "port"),
    ],
)
def test_what_is_no_path(
    paths: Paths, ends: tuple[MemberAsked, ...], protocol: str, port: int | None, words: str
) -> None:
    with pytest.raises(Invalid, match=words):
        paths.service.create(OPERATOR, "sync", ends, protocol, port)
