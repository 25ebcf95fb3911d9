"""An address that moves between two real sites: outage, one owner at a time, and the worst day."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import pairwise
from typing import Any

import pytest
from address_guests import ADDRESS, Member, drop_floating_ip, followed, told
from real_networks import Guest, make_edge, until

from multisite_lab import segments, sites
from multisite_lab.manager import CommandFailed, Manager

GOAL = 10.0
"""Seconds an operator's move may be an outage."""
OLD, NEW = "site1", "site2"


@pytest.fixture(scope="module")
def members(clouds: dict[str, Any], boot_at: Callable[..., Guest]) -> dict[str, Member]:
    found = {}
    for number, site in enumerate((OLD, NEW), start=1):
        drop_floating_ip(clouds[site])
        edge = make_edge(clouds[site], f"10.8{number}.0.0/24", "networks-test-address")
        guest = boot_at(site, sites.hosts(site)[0], edge.network, [edge.group], name="networks-test-address")
        found[site] = Member(site, guest, edge)
    return found


@pytest.fixture
def address(service: Manager, members: dict[str, Member], clouds: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Held by the old site; it answers from the core."""
    options = [word for member in members.values() for word in ("--member", member.option)]
    made = service.cli("address", "create", "gw", "--address", ADDRESS, *options, "--active", OLD)
    assert made["state"] == "held", made
    assert segments.wait_answers(ADDRESS, icmp=True, limit=60) is not None
    yield made
    for site in (OLD, NEW):
        if not sites.is_alive(site):
            sites.start(site)
    service.show("address", "delete", "gw")
    for site in (OLD, NEW):
        assert not list(clouds[site].network.ips(floating_ip_address=ADDRESS)), f"{site}: something is left"


def move(service: Manager, *words: str) -> tuple[Any, float]:
    begun = time.monotonic()
    found = service.cli("address", "move", "gw", *words)
    return found, time.monotonic() - begun


def speaking(sniffer: Any) -> list[Any]:
    """Frames of whoever has the address: ARP that tells so, and answers to echo requests.

    Who still takes the old owner for the new one sends to its router; that router finds the address on the segment
    like anybody, sends the request there as its own, and passes the answer on.  That one it did not give.
    """
    frames = [f for f in sniffer.frames() if f.source == ADDRESS]
    answers = [f for f in frames if f.kind == "icmp-reply"]

    def passed_on(frame: Any) -> bool:
        return any(a.target_mac == frame.source_mac and 0 <= frame.at - a.at < 0.1 for a in answers)

    arp = [f for f in frames if f.kind in ("arp-reply", "garp")]
    return sorted([*arp, *(f for f in answers if not passed_on(f))], key=lambda f: f.at)


def owner(frame: Any) -> str:
    return str(frame.sender_mac or frame.source_mac)


def owners(sniffer: Any, since: float) -> set[str]:
    """The MAC addresses that answered for, or announced, the address on the external segment since then."""
    return {owner(frame) for frame in speaking(sniffer) if frame.at > since}


def test_a_move_and_back_never_two_owners(service: Manager, address: dict[str, Any]) -> None:
    """Both sites alive.  Sniffed: the owners' times do not overlap, and after the move only the new one speaks."""
    with segments.sniff("external") as sniffer, followed(ADDRESS) as figures:
        time.sleep(2)
        before = owners(sniffer, 0)
        assert len(before) == 1, before
        moved, seconds = move(service, "--to", NEW, "--why", "test")
        done = time.time()
        time.sleep(5)
        after = owners(sniffer, done)
        frames = speaking(sniffer)
    told(f"moved in {seconds:.1f} s", figures)
    assert (moved["state"], moved["active_site"], moved["epoch"]) == ("held", NEW, 2)
    assert len(after) == 1, f"after the move these speak for it: {after}"
    assert after != before
    last_old = max(f.at for f in frames if owner(f) in before)
    first_new = min(f.at for f in frames if owner(f) in after)
    print(f"the old owner spoke last {first_new - last_old:.2f} s before the new one began")
    around = [
        f"{f.at - first_new:+.3f} s {f.kind} {f.source} -> {f.target} by {f.source_mac} ({f.sender_mac})"
        for f in sniffer.frames()
        if ADDRESS in (f.source, f.target) and abs(f.at - first_new) < 0.3
    ]
    assert last_old < first_new, f"two owners at the same time, {before} and {after}: {around}"
    assert any(f.kind == "garp" for f in frames if f.at >= first_new - 0.01), "nobody announced it"
    assert figures["outage"] <= GOAL
    undone = service.cli("address", "undo", "gw")
    assert (undone["active_site"], undone["epoch"]) == (OLD, 3)
    assert service.cli("address", "check", "gw")["verdict"] == "one holder"


def never_both(sniffer: Any) -> None:
    """The times of those who spoke for the address, in the order they began, do not overlap."""
    spans: dict[str, tuple[float, float]] = {}
    for frame in speaking(sniffer):
        begun, _ = spans.get(owner(frame), (frame.at, 0.0))
        spans[owner(frame)] = (begun, frame.at)
    order = sorted(spans.items(), key=lambda item: item[1])
    for (one, (_, end)), (other, (begun, _)) in pairwise(order):
        assert end < begun, f"{one} and {other} at the same time: {order}"


@pytest.mark.parametrize("step", ["release-site1", "silence", "bind", "verify"])
def test_the_manager_is_killed_while_it_moves(service: Manager, address: dict[str, Any], step: str) -> None:
    """kill -9 in the middle of a step; a new process goes on, and there is one owner after the other, never two."""
    with segments.sniff("external") as sniffer, followed(ADDRESS) as figures:
        time.sleep(1)
        with ThreadPoolExecutor(1) as operator:
            asked = operator.submit(move, service, "--to", NEW)
            until(f"{step} is at work", lambda: at_work(service, step), 60, 0.02)
            service.kill()
            with suppress(CommandFailed, TimeoutError):  # it may also wait until the service is there again
                asked.result(1.0)
            time.sleep(1)
            service.start()
            until("the state is held", lambda: service.cli("address", "show", "gw")["state"] == "held", 120)
        time.sleep(2)
        never_both(sniffer)
    told(f"manager killed within {step}", figures)
    shown = service.cli("address", "show", "gw")
    assert (shown["active_site"], shown["epoch"]) == (NEW, 2)
    assert _verdict(service) == "one holder"


def at_work(service: Manager, step: str) -> bool:
    """Whether the move is in the middle of a step, by the manager's own database: asking it takes too long."""
    query = "SELECT 1 FROM step JOIN job ON job.id = step.job_id WHERE job.kind = 'move-address' AND step.name = ? AND "
    query += "step.state = 'running' AND job.settled = 0"
    with closing(sqlite3.connect(f"file:{service.folder}/multisite.sqlite?mode=ro", uri=True)) as database:
        return database.execute(query, (step,)).fetchone() is not None


def test_two_owners_would_be_seen(
    address: dict[str, Any], clouds: dict[str, Any], members: dict[str, Member]
) -> None:
    """The negative control: bound by hand in the second site as well, both speak on the segment."""
    (floating,) = clouds[NEW].network.ips(floating_ip_address=ADDRESS)
    with segments.sniff("external") as sniffer:
        begun = time.time()
        clouds[NEW].network.update_ip(floating, port_id=members[NEW].guest.port)
        try:
            found = sniffer.wait(lambda f: f.announces == ADDRESS, 60)
            assert found is not None
            sites.run_in_core(["ip", "neigh", "flush", "to", ADDRESS], check=False)
            until("two MAC addresses for it", lambda: _both(sniffer, begun), 60)
            print(f"\nby hand: {owners(sniffer, begun)} speak for it")
        finally:
            clouds[NEW].network.update_ip(floating, port_id=None)


def _both(sniffer: Any, since: float) -> bool:
    segments.probe_from_core(ADDRESS, icmp=True)
    sites.run_in_core(["ip", "neigh", "flush", "to", ADDRESS], check=False)
    return len(owners(sniffer, since)) > 1


def test_the_guard_ends_what_was_done_by_hand(
    service: Manager, address: dict[str, Any], clouds: dict[str, Any], members: dict[str, Member]
) -> None:
    (floating,) = clouds[NEW].network.ips(floating_ip_address=ADDRESS)
    clouds[NEW].network.update_ip(floating, port_id=members[NEW].guest.port)
    begun = time.monotonic()
    until("the second holder lets go", lambda: clouds[NEW].network.get_ip(floating.id).port_id is None, 120)
    print(f"\na second holder by hand was made to let go after {time.monotonic() - begun:.1f} s")
    until("one holder", lambda: _verdict(service) == "one holder", 60)


def _verdict(service: Manager) -> str:
    try:
        return str(service.cli("address", "check", "gw")["verdict"])
    except CommandFailed as answer:  # exit status 2: not as recorded
        return answer.out


def test_the_active_site_is_lost(service: Manager, address: dict[str, Any], clouds: dict[str, Any]) -> None:
    """Killed; the operator says so; it answers from the other site; the dead one comes back and lets go."""
    with followed(ADDRESS) as figures:
        time.sleep(2)
        sites.kill(OLD)
        with pytest.raises(CommandFailed, match="--fenced"):  # nobody's word, no move
            move(service, "--to", NEW)
        assert segments.probe_from_core(ADDRESS, icmp=True) is None
        decided = time.monotonic()
        moved, seconds = move(service, "--to", NEW, "--fenced", OLD, "--why", "killed")
        answered = segments.wait_answers(ADDRESS, icmp=True, limit=30)
        outage = time.monotonic() - decided
        time.sleep(2)
    told("killed, then moved", figures)
    print(f"from the operator's word to the answer: {outage:.1f} s (the command took {seconds:.1f} s)")
    assert answered is not None
    assert (moved["state"], moved["in_doubt"]) == ("may be active twice", [OLD])
    audit = service.cli("audit", "list")
    assert any("fenced" in str(line) for line in audit), "whose word it was is not in the audit trail"
    assert outage <= GOAL
    sites.start(OLD)
    begun = time.monotonic()
    until("the state is held", lambda: service.cli("address", "show", "gw")["state"] == "held", 180, 1.0)
    (floating,) = clouds[OLD].network.ips(floating_ip_address=ADDRESS)
    assert floating.port_id is None
    print(
        f"the site that came back was seen to have let go {time.monotonic() - begun:.1f} s after it was ready"
    )
    assert _verdict(service) == "one holder"


def test_a_fence_that_is_none_is_refused(service: Manager, address: dict[str, Any]) -> None:
    """The site's programs that answer the API stop; its data plane goes on: the address answers, and stays."""
    apis = [name for name in sites.programs(OLD) if name in ("neutron-api", "keystone")]
    for name in apis:
        sites.service(OLD, name, "pause")
    try:
        assert segments.probe_from_core(ADDRESS, icmp=True) is not None
        with pytest.raises(CommandFailed, match="not fenced"):
            move(service, "--to", NEW, "--fenced", OLD)
        assert segments.probe_from_core(ADDRESS, icmp=True) is not None
    finally:
        for name in apis:
            sites.service(OLD, name, "resume")
    until("held again", lambda: _verdict(service) == "one holder", 120, 2.0)
