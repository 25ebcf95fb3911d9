"""An L3 path between two real guests: the peer is let in, nobody else, and drift is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from address_guests import Member
from real_networks import Guest, make_edge, until

from multisite_lab import segments, sites
from multisite_lab.manager import CommandFailed, Manager

SITES = ("site1", "site2")
PORT = 5000


@pytest.fixture(scope="module")
def members(clouds: dict[str, Any], boot_at: Callable[..., Guest]) -> dict[str, Member]:
    """Guests whose own group lets nobody in: what comes in, the path let in."""
    found = {}
    for number, site in enumerate(SITES, start=1):
        edge = make_edge(clouds[site], f"10.9{number}.0.0/24", "networks-test-path")
        closed = clouds[site].network.create_security_group(name="networks-test-path-closed")
        guest = boot_at(site, sites.hosts(site)[0], edge.network, [closed.id], name="networks-test-path")
        found[site] = Member(site, guest, edge)
        guest.run(f"(while :; do echo heartbeat | nc -l -p {PORT}; done) >/dev/null 2>&1 &")
    return found


@pytest.fixture
def path(service: Manager, members: dict[str, Member]) -> Iterator[dict[str, Any]]:
    ends = [word for member in members.values() for word in ("--end", member.option)]
    made = service.cli("path", "create", "sync", *ends, "--allow", f"tcp:{PORT}")
    assert made["state"] == "ready", made
    yield made
    service.show("path", "delete", "sync")


def heard(guest: Guest, address: str) -> bool:
    return guest.run(f"nc -w 2 {address} {PORT} </dev/null")[1].strip() == "heartbeat"


def address_of(path: dict[str, Any], site: str) -> str:
    return next(str(end["address"]) for end in path["ends"] if end["site"] == site)


def test_the_peer_is_let_in_and_nobody_else(
    service: Manager, path: dict[str, Any], members: dict[str, Member]
) -> None:
    one, two = (members[site].guest for site in SITES)
    until("a heartbeat from 1 to 2", lambda: heard(one, address_of(path, "site2")), 60)
    until("a heartbeat from 2 to 1", lambda: heard(two, address_of(path, "site1")), 60)
    for site in SITES:
        assert segments.probe_from_core(address_of(path, site), PORT) is None, (
            "reachable from outside the path"
        )
        assert not members[site].guest.pings(address_of(path, next(s for s in SITES if s != site))), (
            "only tcp:5000"
        )
    assert service.cli("path", "check", "sync") == {"in_sync": True, "findings": []}


def test_drift_is_named(service: Manager, path: dict[str, Any], clouds: dict[str, Any]) -> None:
    group = next(end["group_id"] for end in path["ends"] if end["site"] == "site2")
    network = clouds["site2"].network
    wide = network.create_security_group_rule(
        security_group_id=group, direction="ingress", ether_type="IPv4", protocol="tcp", port_range_min=PORT,
        port_range_max=PORT,
    )  # fmt: skip
    until(
        "reachable from outside the path",
        lambda: segments.probe_from_core(address_of(path, "site2"), PORT) is not None,
        60,
    )
    with pytest.raises(CommandFailed) as answer:
        service.cli("path", "check", "sync")
    assert answer.value.code == 1
    assert "rule too wide" in answer.value.out
    network.delete_security_group_rule(wide)
    assert service.cli("path", "check", "sync")["in_sync"] is True


def in_sync(service: Manager) -> bool:
    try:
        return bool(service.cli("path", "check", "sync")["in_sync"])
    except CommandFailed:  # exit status 1 or 2: it is not, or not known to be
        return False


def test_a_site_that_is_away_is_unknown(service: Manager, path: dict[str, Any]) -> None:
    sites.cut("site1")  # people log in at site 2
    try:
        with pytest.raises(CommandFailed) as answer:
            service.cli("path", "check", "sync")
        assert answer.value.code == 2
        report = json.loads(answer.value.out)
        assert report["in_sync"] is None
        assert "no connection in time" in " ".join(
            f["what"] for f in report["findings"] if f["site"] == "site1"
        )
    finally:
        sites.reconnect("site1")
    until("in sync again", lambda: in_sync(service), 60)


def made_of(clouds: dict[str, Any]) -> dict[str, tuple[int, list[str]]]:
    """What there is of paths in each site: how many floating IPs, and the names of security groups."""
    return {
        site: (
            len(list(clouds[site].network.ips())),
            sorted(g.name for g in clouds[site].network.security_groups()),
        )
        for site in SITES
    }


def test_one_side_refuses_and_the_other_is_undone(
    service: Manager, members: dict[str, Member], clouds: dict[str, Any]
) -> None:
    """The second site's quota has no floating IP left."""
    before = made_of(clouds)
    network = clouds["site2"].network
    project = clouds["site2"].current_project_id
    network.update_quota(project, floating_ips=before["site2"][0])
    ends = [word for member in members.values() for word in ("--end", member.option)]
    try:
        with pytest.raises(CommandFailed, match="floatingip"):
            service.cli("path", "create", "half", *ends, "--allow", f"tcp:{PORT}")
    finally:
        network.delete_quota(project)
    assert made_of(clouds) == before
    assert [end["group_id"] for end in service.cli("path", "show", "half")["ends"]] == [None, None]
    service.show("path", "delete", "half")


def test_a_port_where_no_rule_would_hold_is_refused(
    service: Manager, members: dict[str, Member], clouds: dict[str, Any]
) -> None:
    before = made_of(clouds)
    network = clouds["site2"].network
    bare = network.create_port(
        name="networks-test-path-bare", network_id=members["site2"].edge.network, port_security_enabled=False,
        security_groups=[],
    )  # fmt: skip
    ends = ["--end", members["site1"].option, "--end", f"site2={bare.id}"]
    with pytest.raises(CommandFailed, match="port security off"):
        service.cli("path", "create", "half", *ends, "--allow", f"tcp:{PORT}")
    assert made_of(clouds) == before
    network.delete_port(bare)
