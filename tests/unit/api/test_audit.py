"""What is asked of the API is in the audit trail, and who may read it."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from api.conftest import ADMIN, MEMBER, READER, asked
from api.setup import FOREIGN, MINE, Services
from multisite.domain import work
from multisite.domain.audit import AuditKind, AuditOutcome, Intent


def test_a_change_is_recorded_before_and_after(client: FlaskClient, services: Services) -> None:
    body = {"name": "oslo", "cloud": "oslo1", "description": "swordfish"}
    made = client.post("/v1/sites", json=body, headers=ADMIN)
    (record,) = asked(services)
    assert (record.user, record.user_id, record.project_id) == ("olga", "u-1", MINE)
    assert (record.method, record.path, record.site) == ("POST", "/v1/sites", "oslo")
    assert record.request_id == made.headers["X-Openstack-Request-Id"]
    assert (record.outcome, record.status, record.resource_id) == (AuditOutcome.DONE, 201, made.json["id"])
    assert "swordfish" not in f"{record}"


def test_the_intent_is_kept_before_the_change_is_made(
    client: FlaskClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[AuditOutcome] = []

    def look(*_given: object) -> None:
        seen.extend(record.outcome for record in asked(services))

    monkeypatch.setattr(services.sites, "unregister", look)
    assert client.delete("/v1/sites/lyon", headers=ADMIN).status_code == 204
    assert seen == [AuditOutcome.INTENDED]


def test_jobs_recoveries_and_deletions(client: FlaskClient, services: Services) -> None:
    job, app = services.of("running jobs").id, services.of("unused applications").id
    point = services.of("restore_points").id
    client.post(f"/v1/jobs/{job}/cancel", headers=MEMBER)
    client.delete(f"/v1/applications/{app}", headers=MEMBER)
    start: dict[str, Any] = {"restore_point": point, "target_site": "lyon", "confirm": "mme"}
    start["mapping"] = {"source_is_fenced": True, "create_missing_flavors": True}
    started = client.post("/v1/recoveries", json=start, headers=MEMBER).json
    cancelled, deleted, begun = asked(services)
    assert (cancelled.path, cancelled.job_id) == ("/v1/jobs/{id}/cancel", job)
    assert (deleted.method, deleted.subject, deleted.status) == ("DELETE", app, 204)
    assert (begun.site, begun.job_id) == ("lyon", started["job_id"])
    assert begun.resource_id == started["recovery"]["id"]


def test_reads_are_not_recorded(client: FlaskClient, services: Services) -> None:
    client.get("/v1/sites", headers=ADMIN)
    client.post("/v1/sites/paris/check", headers=ADMIN)
    client.post("/v1/sites", json={}, headers={})  # nobody: no token
    client.post("/v1/nothing", json={}, headers=ADMIN)
    assert asked(services) == []


def test_an_attempt_that_was_refused_is_recorded(client: FlaskClient, services: Services) -> None:
    assert client.delete("/v1/sites/paris", headers=READER).status_code == 403
    assert client.post("/v1/sites", json={"x": 1}, headers=ADMIN).status_code >= 400
    assert [record.outcome for record in asked(services)] == [AuditOutcome.REFUSED] * 2
    assert asked(services)[0].site == "paris"


def test_an_administrator_at_anothers_thing_is_seen_by_its_project(
    client: FlaskClient, services: Services
) -> None:
    client.post(f"/v1/jobs/{services.of('running jobs', FOREIGN).id}/cancel", headers=ADMIN)
    (record,) = asked(services)
    assert (record.user_id, record.project_id) == ("u-1", MINE)
    for project, sees in ((FOREIGN, True), (MINE, True), ("p-third", False)):
        assert (record.id in {found.id for found in services.audit.list(project)}) is sees


def test_a_project_sees_its_own_an_administrator_all(client: FlaskClient) -> None:
    mine = client.get("/v1/audit", headers=MEMBER).json["audit"]
    assert {record["project_id"] for record in mine} == {MINE}
    everything = client.get("/v1/audit", headers=ADMIN).json["audit"]
    assert {record["project_id"] for record in everything} == {MINE, FOREIGN}
    assert mine[0]["outcome"] == "intended"


FILTERS = {"job": "j", "site": "lyon", "subject": "mme", "since": "2026-11-21T03:00:00Z", "marker": "999"}


@pytest.mark.parametrize(("name", "other"), [
    ("job", "k"), ("site", "paris"), ("subject", "hss"), ("since", "2099-01-01T00:00:00Z"), ("marker", "1"),
])  # fmt: skip
def test_filters_go_to_the_trail(client: FlaskClient, services: Services, name: str, other: str) -> None:
    made = Intent(
        AuditKind.CLOUD, "olga", "POST", "/x", project_id=MINE, job_id="j", site="lyon", subject="mme"
    )
    services.audit.begin(made)

    def found(**query: str) -> list[str]:
        return [r["path"] for r in client.get("/v1/audit", query_string=query, headers=MEMBER).json["audit"]]

    assert found(**FILTERS, limit="5") == ["/x"]
    assert found(**FILTERS | {name: other}) == []
    assert len(found(limit="1")) == 1


@pytest.mark.parametrize(
    "query",
    [
        "since=2026-11-21T03:00:00",
        "since=0001-01-01T00:00:00%2B14:00",
        "since=soon",
        "since=0.5",
        "limit=0",
        "marker=x",
        "who=me",
    ],
)
def test_questions_that_mean_nothing(client: FlaskClient, query: str) -> None:
    assert client.get(f"/v1/audit?{query}", headers=MEMBER).status_code in (400, 422)


def test_a_thread_is_left_as_it_was(client: FlaskClient) -> None:
    client.get("/v1/sites", headers=ADMIN)
    assert work.current() == work.Work()
