"""Which servers are of earlier copies, and what it means when they are active."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from multisite.domain.epoch import Epoch, Epochs
from multisite.domain.findings import Severity
from multisite.domain.model import Application, Member
from multisite.domain.old_copy import (
    GONE,
    MOST_EVENTS,
    OldCopy,
    OldCopyState,
    OldServer,
    earlier_servers,
    following,
    judged,
    shown_status,
    stop_commands,
)
from tests.unit.recovery.recover_samples import manifest

AT = datetime(2026, 1, 1, tzinfo=UTC)


def epoch(number: int, site: str, *servers: str, withdrawn: bool = False) -> Epoch:
    return Epoch(number, site, f"r{number}", servers, AT, withdrawn)


def epochs(*begun: Epoch) -> Epochs:
    return Epochs("a1", begun)


def application(site: str, *servers: str) -> Application:
    members = tuple(Member(id, f"name-{id}", order) for order, id in enumerate(servers, start=1))
    return Application("a1", "mme", "p1", site, members)


def copy(*servers: OldServer, **more: object) -> OldCopy:
    base = OldCopy("a1", "mme", "p1", "r1", 1, "east", OldCopyState.UNKNOWN, servers, created_at=AT)
    return replace(base, **more)  # type: ignore[arg-type]


def server(id: str, order: int, status: str | None, site: str = "west", number: int = 0) -> OldServer:
    return OldServer(id, f"mme-{order}", order, site, number, status=status)


def ids(found: tuple[OldServer, ...]) -> list[tuple[str, str, int]]:
    return [(one.site, one.id, one.epoch) for one in found]


def test_what_the_application_names_and_what_it_was_recovered_from() -> None:
    """Members that the restore point does not have (the active ones of pairs) are of the old copy, too."""
    source = replace(manifest(2), epoch=0)
    known = [one.id for one in source.servers]
    described = application(source.source.name, *known, "active-one")
    now = epochs(epoch(1, "east", "n1", "n2"))
    found = earlier_servers(None, now, described, source, {})
    assert sorted(one.id for one in found) == sorted([*known, "active-one"])
    assert {(one.site, one.epoch) for one in found} == {(source.source.name, 0)}
    assert earlier_servers(None, now, None, source, {}) != (), "an application that was forgotten"


def test_the_application_itself_is_no_old_copy() -> None:
    now = epochs(epoch(1, "east", "n1"))
    assert earlier_servers(None, now, application("east", "n1"), None, {}) == ()
    assert earlier_servers(None, epochs(), application("west", "o1"), None, {}) == ()
    undone = epochs(epoch(1, "east", "n1", withdrawn=True))
    assert earlier_servers(None, undone, application("west", "o1"), None, {}) == ()


def test_every_earlier_copy_is_watched_also_the_one_that_only_is_remembered() -> None:
    known = copy(server("o1", 1, "SHUTOFF"), server("gone", 2, GONE))
    now = epochs(epoch(1, "east", "n1"), epoch(2, "north", "x1", withdrawn=True), epoch(3, "west", "b1"))
    found = earlier_servers(known, now, None, None, {"n1": "mme-1"})
    assert ids(found) == [("east", "n1", 1), ("west", "o1", 0), ("west", "gone", 0)]
    assert {one.id: one.status for one in found} == {"n1": None, "o1": "SHUTOFF", "gone": GONE}
    assert found[0].name == "mme-1"


def test_an_undone_recovery_makes_the_copy_before_the_application_again() -> None:
    known = copy(server("o1", 1, "SHUTOFF"), server("n1", 1, "ACTIVE", "east", 1))
    now = epochs(epoch(1, "east", "n1"), epoch(2, "west", "b1", withdrawn=True))
    assert ids(earlier_servers(known, now, None, None, {})) == [("west", "o1", 0)]


@pytest.mark.parametrize(
    "status", ["ACTIVE", "PAUSED", "SUSPENDED", "ERROR", "SHUTOFF (powering-on)", "RESCUE"]
)
def test_whatever_is_not_off_is_told_with_the_command(status: str) -> None:
    found = judged(copy(server("o1", 1, status), server("o2", 2, "ACTIVE"), server("o3", 3, GONE)), {}, AT)
    assert found.state is OldCopyState.ACTIVE
    (finding,) = found.findings
    assert (finding.site, finding.kind, finding.severity) == ("west", "old copy", Severity.DIFFERS)
    assert f"mme-1 (o1) is {status}" in finding.what
    assert finding.consequence == "the same MACs and addresses are active twice"
    assert "openstack multisite recovery stop-source r1 --yes-stop mme" in finding.remedy
    assert "openstack server stop o2 o1" in finding.remedy, "last booted first, and nothing that is gone"
    elsewhere = judged(found, {}, AT, known_here=False).findings[0].remedy
    assert elsewhere == "at site west: openstack server stop o2 o1"


@pytest.mark.parametrize("status", ["SHUTOFF", "SHELVED_OFFLOADED", "SOFT_DELETED", GONE])
def test_what_is_off_is_not_told(status: str) -> None:
    """The negative control."""
    found = judged(copy(server("o1", 1, status)), {}, AT)
    assert (found.state, found.findings, found.looked_at) == (OldCopyState.OFF, (), AT)
    assert stop_commands(found, "west") == "openstack server stop "


def test_a_site_that_does_not_tell_is_unknown_never_off() -> None:
    found = judged(copy(server("o1", 1, None), server("n1", 1, "SHUTOFF", "east", 1)), {"west": "silent"}, AT)
    assert found.state is OldCopyState.UNKNOWN
    assert [(one.site, one.severity) for one in found.findings] == [("west", Severity.UNKNOWN)]
    both = judged(copy(server("o1", 1, None), server("n1", 1, "ACTIVE", "east", 1)), {"west": "silent"}, AT)
    assert both.state is OldCopyState.ACTIVE, "one that is seen active outweighs one that is not seen"


def test_an_event_is_a_change() -> None:
    off, active = (judged(copy(server("o1", 1, status)), {}, AT) for status in ("SHUTOFF", "ACTIVE"))
    first = following(None, off)
    assert [(one.state, one.reason) for one in first.events] == [("off", "every server of it is off or gone")]
    assert following(first, off).events == first.events
    second = following(first, replace(active, looked_at=AT + timedelta(minutes=1)))
    assert [one.state for one in second.events] == ["off", "active"]
    assert "stop-source" in second.events[-1].reason
    many = first
    for number in range(2 * MOST_EVENTS):
        many = following(many, active if number % 2 else off)
    assert len(many.events) <= MOST_EVENTS


def test_a_server_that_is_being_started_is_not_off() -> None:
    assert shown_status("SHUTOFF", "powering-on") == "SHUTOFF (powering-on)"
    assert shown_status("SHUTOFF", None) == shown_status("SHUTOFF", "deleting") == "SHUTOFF"
