"""What is asked of the API is in the audit trail, and who may read it."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from api.conftest import ADMIN, MEMBER, READER
from api.fakes import FOREIGN, MINE, Services
from multisite.domain import work
from multisite.domain.audit import AuditKind, AuditOutcome, Ending, Intent


def asked(services: Services) -> list[tuple[Intent, Ending]]:
    """What came through the API (the fakes hold two records of jobs)."""
    found = [i for i in services.audit.intents if i.kind is AuditKind.API]
    return [(i, services.audit.endings[i.key]) for i in found]


def test_a_change_is_recorded_before_and_after(client: FlaskClient, services: Services) -> None:
    body = {"name": "oslo", "cloud": "oslo1", "description": "swordfish"}
    made = client.post("/v1/sites", json=body, headers=ADMIN)
    ((intent, ending),) = asked(services)
    assert (intent.user, intent.user_id, intent.project_id) == ("olga", "u-1", MINE)
    assert (intent.method, intent.path, intent.site) == ("POST", "/v1/sites", "oslo")
    assert intent.request_id == made.headers["X-Openstack-Request-Id"]
    assert (ending.outcome, ending.status, ending.resource_id) == (AuditOutcome.DONE, 201, made.json["id"])
    assert "swordfish" not in f"{intent}{ending}"


def test_jobs_recoveries_and_deletions(client: FlaskClient, services: Services) -> None:
    job, app = services.of("jobs").id, services.of("applications").id
    point = services.of("restore_points").id
    client.post(f"/v1/jobs/{job}/cancel", headers=MEMBER)
    client.delete(f"/v1/applications/{app}", headers=MEMBER)
    start = {"restore_point": point, "target_site": "lyon", "confirm": "mme"}
    started = client.post("/v1/recoveries", json=start, headers=MEMBER).json
    cancelled, deleted, begun = asked(services)
    assert (cancelled[0].path, cancelled[0].job_id) == ("/v1/jobs/{id}/cancel", job)
    assert (deleted[0].method, deleted[0].subject, deleted[1].status) == ("DELETE", app, 204)
    assert (begun[0].site, begun[1].job_id) == ("lyon", started["job_id"])
    assert begun[1].resource_id == started["recovery"]["id"]


def test_reads_are_not_recorded(client: FlaskClient, services: Services) -> None:
    client.get("/v1/sites", headers=ADMIN)
    client.post("/v1/sites/paris/check", headers=ADMIN)
    client.post("/v1/sites", json={}, headers={})  # nobody: no token
    client.post("/v1/nothing", json={}, headers=ADMIN)
    assert asked(services) == []


def test_an_attempt_that_was_refused_is_recorded(client: FlaskClient, services: Services) -> None:
    assert client.delete("/v1/sites/paris", headers=READER).status_code == 403
    assert client.post("/v1/sites", json={"x": 1}, headers=ADMIN).status_code >= 400
    assert [e.outcome for _, e in asked(services)] == [AuditOutcome.REFUSED] * 2
    assert asked(services)[0][0].site == "paris"


def test_an_administrator_at_anothers_thing_is_seen_by_its_project(
    client: FlaskClient, services: Services
) -> None:
    client.post(f"/v1/jobs/{services.of('jobs', FOREIGN).id}/cancel", headers=ADMIN)
    ((intent, ending),) = asked(services)
    assert (intent.project_id, ending.project_id) == (MINE, FOREIGN)


def test_a_project_sees_its_own_an_administrator_all(client: FlaskClient) -> None:
    mine = client.get("/v1/audit", headers=MEMBER).json["audit"]
    assert {record["project_id"] for record in mine} == {MINE}
    everything = client.get("/v1/audit", headers=ADMIN).json["audit"]
    assert {record["project_id"] for record in everything} == {MINE, FOREIGN}
    assert mine[0]["outcome"] == "intended"


def test_filters_go_to_the_trail(client: FlaskClient, services: Services) -> None:
    query = "job=j&site=lyon&subject=mme&since=2026-11-21T03:00:00Z&limit=5&marker=9"
    assert client.get(f"/v1/audit?{query}", headers=MEMBER).status_code == 200
    filters = services.audit.asked[-1]
    assert (filters["job"], filters["site"], filters["subject"]) == ("j", "lyon", "mme")
    assert (filters["limit"], filters["marker"], filters["project_id"]) == (5, 9, MINE)
    assert filters["since"].isoformat() == "2026-11-21T03:00:00+00:00"


@pytest.mark.parametrize(
    "query", ["since=2026-11-21T03:00:00", "since=soon", "since=0.5", "limit=0", "marker=x", "who=me"]
)
def test_questions_that_mean_nothing(client: FlaskClient, query: str) -> None:
    assert client.get(f"/v1/audit?{query}", headers=MEMBER).status_code in (400, 422)


def test_a_thread_is_left_as_it_was(client: FlaskClient) -> None:
    client.get("/v1/sites", headers=ADMIN)
    assert work.current() == work.Work()
