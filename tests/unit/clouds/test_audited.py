"""Every change is recorded before it goes out, and what came of it after; reads, logins and bodies never."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import requests

from multisite.clouds.audited import template
from multisite.clouds.call import call
from multisite.clouds.connect import CloudSite, open_site
from multisite.clouds.errors import SiteError
from multisite.domain import work
from multisite.domain.audit import AuditOutcome, Ending, Intent

from .conftest import FakeCloud

SERVER = "6f70656e-7374-4ac6-8b21-000000000001"


class Notes:
    """Trail that remembers, in order; refuses when told to."""

    def __init__(self) -> None:
        self.all: list[Intent | Ending] = []
        self.full = False

    def begin(self, intent: Intent) -> None:
        if self.full:
            raise OSError("no space left")
        self.all.append(intent)

    def finish(self, ending: Ending) -> None:
        self.all.append(ending)

    @property
    def pair(self) -> tuple[Intent, Ending]:
        intent, ending = self.all
        assert isinstance(intent, Intent)
        assert isinstance(ending, Ending)
        assert intent.key == ending.key
        return intent, ending


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def audited(fake: FakeCloud, clouds_yaml: Path, notes: Notes) -> CloudSite:
    return open_site("west", "west", clouds_yaml, trail=notes)


def create(site: CloudSite, **more: Any) -> Any:
    body = {"server": {"name": "db", "adminPass": "swordfish", "user_data": "swordfish"}}
    return call(site, "create server", lambda: site.compute.post("/servers", json=body), **more)


def test_who_for_what_where_and_what_came_of_it(fake: FakeCloud, audited: CloudSite, notes: Notes) -> None:
    seen_before: list[int] = []

    def answer(_request: Any, context: Any) -> dict[str, Any]:
        seen_before.append(len(notes.all))
        context.headers["x-openstack-request-id"] = "req-7"
        return {"server": {"id": SERVER, "adminPass": "swordfish"}}

    fake.json("POST", "compute", "/servers", answer, 202)
    doing = work.Work("olga", "p1", "req-ours", "j1", "r1", "make:db", 2)
    with work.doing(doing):
        create(audited)
    assert seen_before == [1]  # the intent was there when the request came
    intent, ending = notes.pair
    assert (intent.user, intent.project_id, intent.request_id) == ("olga", "p1", "req-ours")
    assert (intent.job_id, intent.subject, intent.step, intent.attempt) == ("j1", "r1", "make:db", 2)
    assert (intent.site, intent.service, intent.method, intent.path) == (
        "west",
        "compute",
        "POST",
        "/servers",
    )
    assert (ending.outcome, ending.status, ending.cloud_request_id) == (AuditOutcome.DONE, 202, "req-7")
    assert ending.resource_id == SERVER
    assert ending.seconds >= 0
    assert "swordfish" not in str([asdict(note) for note in notes.all])


def test_reads_and_logins_are_no_changes(fake: FakeCloud, audited: CloudSite, notes: Notes) -> None:
    fake.json("GET", "compute", "/servers", {"servers": []})
    call(audited, "list servers", lambda: audited.compute.get("/servers"))
    assert notes.all == []
    assert work.current() == work.Work()


def test_an_action_is_named_what_belongs_to_it_is_not(
    fake: FakeCloud, audited: CloudSite, notes: Notes
) -> None:
    fake.json("POST", "compute", f"/servers/{SERVER}/action", None, 202)
    body = {"changePassword": {"adminPass": "swordfish"}}
    call(audited, "act", lambda: audited.compute.post(f"/servers/{SERVER}/action", json=body))
    intent, _ = notes.pair
    assert (intent.path, intent.action) == ("/servers/{id}/action", "changePassword")
    assert intent.resource_id == SERVER
    assert "swordfish" not in str(notes.all)


@pytest.mark.parametrize(
    ("answer", "outcome", "status"),
    [
        ({"status_code": 204}, AuditOutcome.DONE, 204),
        ({"status_code": 409, "json": {}}, AuditOutcome.REFUSED, 409),
        ({"status_code": 500, "json": {}}, AuditOutcome.UNKNOWN, 500),
        ({"status_code": 503, "headers": {"x-openstack-request-id": "r"}}, AuditOutcome.UNKNOWN, 503),
        ({"status_code": 504}, AuditOutcome.UNKNOWN, 504),
        ({"status_code": 503}, AuditOutcome.NOT_SENT, 503),
        ({"exc": requests.exceptions.ReadTimeout}, AuditOutcome.UNKNOWN, None),
        ({"exc": requests.exceptions.ConnectionError("reset")}, AuditOutcome.UNKNOWN, None),
        ({"exc": requests.exceptions.ConnectTimeout}, AuditOutcome.NOT_SENT, None),
    ],
)
def test_outcomes(
    fake: FakeCloud,
    audited: CloudSite,
    notes: Notes,
    monkeypatch: pytest.MonkeyPatch,
    answer: dict[str, Any],
    outcome: AuditOutcome,
    status: int | None,
) -> None:
    monkeypatch.setattr("multisite.clouds.call.ATTEMPTS", 1)
    fake.mock.delete(f"{fake.base('block-storage')}/snapshots/{SERVER}", **answer)
    try:
        call(audited, "delete", lambda: audited.volume.delete(f"/snapshots/{SERVER}"))
    except SiteError:
        assert outcome is not AuditOutcome.DONE
    intent, ending = notes.pair
    assert (ending.outcome, ending.status) == (outcome, status)
    assert (intent.method, intent.path, intent.resource_id) == ("DELETE", "/snapshots/{id}", SERVER)


def test_each_repetition_is_a_change_of_its_own(fake: FakeCloud, audited: CloudSite, notes: Notes) -> None:
    fake.json("POST", "compute", "/servers", None, 504)
    with pytest.raises(SiteError):
        create(audited, idempotent=True)
    assert len(notes.all) == 2 * len(fake.sent("POST", "/servers")) > 2


def test_a_change_that_cannot_be_recorded_is_not_made(
    fake: FakeCloud, audited: CloudSite, notes: Notes
) -> None:
    notes.full = True
    fake.json("POST", "compute", "/servers", {"server": {"id": SERVER}}, 202)
    with pytest.raises(OSError, match="no space"):
        create(audited)
    assert fake.sent("POST", "/servers") == []


@pytest.mark.parametrize(
    ("path", "shown", "resource"),
    [
        ("/servers", "/servers", None),
        (f"/servers/{SERVER}/os-volume_attachments/7", "/servers/{id}/os-volume_attachments/{id}", "7"),
        ("/os-keypairs/olga", "/os-keypairs/{id}", "olga"),
        (f"/networks/{SERVER}/tags/blue", "/networks/{id}/tags/{id}", SERVER),
        ("/backups/import_record", "/backups/import_record", None),
        (f"/v3/{SERVER.replace('-', '')}/volumes", "/v3/{id}/volumes", SERVER.replace("-", "")),
    ],
)
def test_templates(path: str, shown: str, resource: str | None) -> None:
    assert template(path) == (shown, resource)
