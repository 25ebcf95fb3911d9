"""Freezing and thawing through the filter of nova-api: what is sent, what an answer means."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import requests

from multisite.clouds import quiesce
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import ConflictInSite, NotFoundInSite, UnknownOutcome, Unreachable, Unsupported

from .conftest import FakeCloud

ACTION = "/servers/s1/action"
RECORD = "/servers/s1/os-multisite-quiesce"
T = "2026-11-21T03:00:00.250Z"
AT = datetime(2026, 11, 21, 3, 0, 0, 250000, tzinfo=UTC)


def test_freeze_says_until_when(fake: FakeCloud, site: CloudSite) -> None:
    answer = {"server_id": "s1", "frozen_at": T, "thaw_at": T, "timeout": 30}
    fake.json("POST", "compute", ACTION, {"quiesce": answer})
    assert quiesce.freeze(site, "s1", 30) == quiesce.Frozen("s1", AT, AT, 30)
    (sent,) = fake.sent("POST", ACTION)
    assert sent.json() == {"quiesce": {"timeout": 30}}
    assert sent.timeout == (3.0, 45.0)


def test_a_freeze_may_be_given_less_time_to_answer(fake: FakeCloud, site: CloudSite) -> None:
    fake.json("POST", "compute", ACTION, {"quiesce": {}})
    quiesce.freeze(site, "s1", 30, within=1.5)
    (sent,) = fake.sent("POST", ACTION)
    assert sent.timeout == (1.5, 1.5)


def test_a_dead_agent_is_a_conflict_in_its_own_words(fake: FakeCloud, site: CloudSite) -> None:
    fault = {"conflictingRequest": {"code": 409, "message": "QEMU guest agent is not connected"}}
    fake.json("POST", "compute", ACTION, fault, 409)
    with pytest.raises(ConflictInSite, match="QEMU guest agent is not connected"):
        quiesce.freeze(site, "s1", 30)


def test_a_freeze_whose_answer_is_lost_is_not_repeated(fake: FakeCloud, site: CloudSite) -> None:
    fake.mock.post(f"{fake.base('compute')}{ACTION}", exc=requests.exceptions.ReadTimeout)
    with pytest.raises(UnknownOutcome):
        quiesce.freeze(site, "s1", 30)
    assert len(fake.sent("POST", ACTION)) == 1


def test_stock_nova_has_no_such_action(fake: FakeCloud, site: CloudSite) -> None:
    fault = {"badRequest": {"code": 400, "message": "There is no such action: quiesce."}}
    fake.json("POST", "compute", ACTION, fault, 400)
    for verb in (lambda: quiesce.freeze(site, "s1", 30), lambda: quiesce.thaw(site, "s1")):
        with pytest.raises(Unsupported, match="install multisite-nova"):
            verb()


def test_thaw_tells_how_the_freeze_ended(fake: FakeCloud, site: CloudSite) -> None:
    answer = {"server_id": "s1", "frozen_at": T, "thawed_at": T, "expired": True, "state": "thawed"}
    fake.json("POST", "compute", ACTION, {"unquiesce": answer})
    found = quiesce.thaw(site, "s1")
    assert found == quiesce.Thawed("s1", AT, AT, True, "thawed")
    assert found.done
    assert fake.sent("POST", ACTION)[0].json() == {"unquiesce": None}


def test_thaw_of_what_was_never_frozen(fake: FakeCloud, site: CloudSite) -> None:
    answer = {"server_id": "s1", "frozen_at": None, "thawed_at": T, "expired": False, "state": "thawed"}
    fake.json("POST", "compute", ACTION, {"unquiesce": answer})
    assert quiesce.thaw(site, "s1").frozen_at is None


def test_a_thaw_whose_connection_is_lost_is_repeated(fake: FakeCloud, site: CloudSite) -> None:
    lost = {"exc": requests.exceptions.ConnectionError("reset")}
    fake.mock.post(f"{fake.base('compute')}{ACTION}", [lost, {"json": {"unquiesce": {"state": "thawed"}}}])
    assert quiesce.thaw(site, "s1").done


def test_a_thaw_that_is_not_confirmed_is_a_conflict(fake: FakeCloud, site: CloudSite) -> None:
    fault = {"conflictingRequest": {"code": 409, "message": "Not thawed for certain yet"}}
    fake.json("POST", "compute", ACTION, fault, 409)
    with pytest.raises(ConflictInSite, match="Not thawed"):
        quiesce.thaw(site, "s1")


def test_state(fake: FakeCloud, site: CloudSite) -> None:
    record = {"server_id": "s1", "state": "frozen", "frozen_at": T, "thaw_at": T, "expired": False}
    fake.json("GET", "compute", RECORD, {"quiesce": record})
    assert quiesce.state(site, "s1") == quiesce.QuiesceRecord("s1", "frozen", AT, AT)


def test_without_the_filter_the_path_is_unknown_but_the_server_is_there(
    fake: FakeCloud, site: CloudSite
) -> None:
    fake.json("GET", "compute", RECORD, {"itemNotFound": {"message": "no such path"}}, 404)
    fake.json("GET", "compute", "/servers/s1", {"server": {"id": "s1"}})
    with pytest.raises(Unsupported, match="install multisite-nova"):
        quiesce.state(site, "s1")


def test_a_server_that_is_gone(fake: FakeCloud, site: CloudSite) -> None:
    gone = {"itemNotFound": {"message": "Instance s1 could not be found."}}
    fake.json("GET", "compute", RECORD, gone, 404)
    fake.json("GET", "compute", "/servers/s1", gone, 404)
    with pytest.raises(NotFoundInSite):
        quiesce.state(site, "s1")


def test_a_dead_nova(fake: FakeCloud, site: CloudSite) -> None:
    fake.mock.get(f"{fake.base('compute')}{RECORD}", exc=requests.exceptions.ConnectTimeout)
    with pytest.raises(Unreachable):
        quiesce.state(site, "s1")
