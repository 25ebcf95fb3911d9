"""What is refused, and that the refusal names the field; formats, versions, polling."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.conftest import ADMIN, MEMBER, persona
from api.jobs import job, step
from api.setup import Services
from multisite.domain.errors import Conflict
from multisite.jobs.model import JobState, StepState
from tests.sim import deploy

APP = {"name": "a", "site": "p"}
START = {"restore_point": "rp", "target_site": "lyon", "confirm": "mme"}

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("/v1/sites", {"cloud": "x"}, "name"),
    ("/v1/sites", {"name": "a b", "cloud": "x"}, "name"),
    ("/v1/sites", {"name": "a" * 65, "cloud": "x"}, "name"),
    ("/v1/sites", {"name": "a", "cloud": 7}, "cloud"),
    ("/v1/sites", {"name": "a", "cloud": "x", "password": "y"}, "password"),
    ("/v1/sites", {"name": "a", "cloud": "x", "description": "y" * 1025}, "description"),
    ("/v1/applications", {"name": "a", "site": "paris"}, "servers"),
    ("/v1/applications", {"name": "a", "site": "paris", "servers": []}, "servers"),
    ("/v1/applications", {"name": "a", "site": "paris", "metadata_tag": "vnf"}, "metadata_tag"),
    ("/v1/applications", {"name": "a", "site": "p", "servers": [{"id": "s"}, {"id": "s"}]}, "servers"),
    ("/v1/applications", {"name": "a", "site": "p", "servers": [{"id": "s", "order": 1}]}, "servers.0.order"),
    ("/v1/applications", APP | {"servers": [{"id": "s", "quiesce": "no"}]}, "servers.0.quiesce"),
    ("/v1/protections", {"application": "mme", "method": "magic"}, "method"),
    ("/v1/protections", {"application": "mme", "options": {"freeze_timeout": 0}}, "options.freeze_timeout"),
    ("/v1/protections", {"application": "mme", "options": {"freeze_timeout": 2.5}}, "options.freeze_timeout"),
    ("/v1/protections", {"application": "mme", "options": {"freeze_timeout": True}}, "options.freeze_timeout"),
    ("/v1/protections", {"application": "mme", "options": {"console_mark": "("}}, "options.console_mark"),
    ("/v1/protections", {"application": "mme", "options": {"full_every": 0}}, "options.full_every"),
    ("/v1/protections", {"application": "mme", "options": {"color": "red"}}, "options.color"),
    ("/v1/recoveries/preview", {"restore_point": "rp", "target_site": 1}, "target_site"),
    ("/v1/recoveries", {"restore_point": "rp", "target_site": "lyon"}, "confirm"),
    ("/v1/recoveries", START | {"mapping": {"networks": {"a": 1}}}, "mapping.networks.a"),
    ("/v1/recoveries", START | {"mapping": {"color": "red"}}, "mapping.color"),
    ("/v1/recoveries", START | {"mapping": {"ready_console": "["}}, "mapping.ready_console"),
    ("/v1/recoveries", START | {"mapping": {"ready_timeout": 0}}, "mapping.ready_timeout"),
    ("/v1/recoveries", START | {"mapping": None}, "mapping"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "field"), REFUSED)
def test_a_refusal_names_the_field(client: FlaskClient, path: str, body: dict[str, Any], field: str) -> None:
    answer = client.post(path, json=body, headers=ADMIN)
    assert answer.status_code == 400, answer.text
    assert answer.json["error"]["message"].startswith(field), answer.text


@pytest.mark.parametrize(
    "data", ["{", "", "null", "[]", '"x"', "[" * 50_000, '{"name": NaN', '{"name":"\\ud800"}']
)
def test_bodies_that_are_no_object(client: FlaskClient, data: str) -> None:
    answer = client.post("/v1/sites", data=data, content_type="application/json", headers=ADMIN)
    assert answer.status_code == 400
    assert set(answer.json["error"]) == {"code", "title", "message"}


def test_only_json_is_read(client: FlaskClient) -> None:
    answer = client.post(
        "/v1/sites", data="name=a", content_type="application/x-www-form-urlencoded", headers=ADMIN
    )
    assert answer.status_code == 415


def test_only_json_is_written(client: FlaskClient) -> None:
    assert client.get("/v1/sites", headers=ADMIN | {"Accept": "text/csv"}).status_code == 406
    assert client.get("/v1/sites", headers=ADMIN | {"Accept": "text/html,*/*;q=0.1"}).status_code == 200


def test_large_bodies_are_refused(client: FlaskClient) -> None:
    body = {"name": "a", "cloud": "b", "description": "x" * 300_000}
    assert client.post("/v1/sites", json=body, headers=ADMIN).status_code == 413


@pytest.mark.parametrize(("method", "path", "code"), [("GET", "/v1/nothing", 404), ("PUT", "/v1/sites", 405)])
def test_routing_errors_have_the_format(client: FlaskClient, method: str, path: str, code: int) -> None:
    answer = client.open(path, method=method, headers=ADMIN)
    assert answer.status_code == code
    assert answer.json["error"]["code"] == code
    assert path in answer.json["error"]["message"]


def test_a_fault_of_ours_shows_a_request_id_and_no_traceback(
    client: FlaskClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(caller: object) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(services.sites, "list", broken)
    answer = client.get("/v1/sites", headers=ADMIN)
    assert answer.status_code == 500
    assert answer.headers["x-openstack-request-id"] in answer.json["error"]["message"]
    assert "swordfish" not in answer.text
    assert "Traceback" not in answer.text


def test_errors_of_the_domain_keep_status_and_words(
    client: FlaskClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(caller: object, name: str) -> None:
        raise Conflict("site: paris is used by 2 applications; delete them first")

    monkeypatch.setattr(services.sites, "unregister", refuse)
    answer = client.delete("/v1/sites/paris", headers=ADMIN)
    assert answer.json == {
        "error": {
            "code": 409,
            "title": "Conflict",
            "message": "site: paris is used by 2 applications; delete them first",
        }
    }


VERSIONS = {
    "multisite 1.0": 200,
    "multisite latest": 200,
    "compute 2.1": 200,
    "multisite 1.1": 406,
    "multisite 0.9": 406,
    "multisite x": 406,
}


@pytest.mark.parametrize(("asked", "code"), VERSIONS.items())
def test_microversions(client: FlaskClient, asked: str, code: int) -> None:
    answer = client.get("/v1/sites", headers=MEMBER | {"OpenStack-API-Version": asked})
    assert answer.status_code == code
    assert answer.headers["OpenStack-API-Version"] == "multisite 1.0"
    assert "openstack-api-version" in answer.headers["Vary"].lower()


def test_versions_document(client: FlaskClient) -> None:
    (version,) = client.get("/").json["versions"]
    assert version["id"] == "v1.0"
    assert version["links"] == [{"rel": "self", "href": "http://localhost/v1"}]


def test_watching_an_unchanged_job_costs_nothing(client: FlaskClient, services: Services) -> None:
    running = services.put_job(
        job(state=JobState.RUNNING, ended_at=None, steps=(step("backup", StepState.RUNNING, elapsed=1.0),))
    )
    first = client.get(f"/v1/jobs/{running.id}", headers=MEMBER)
    etag = first.headers["ETag"]
    services.put_job(replace(running, steps=(step("backup", StepState.RUNNING, elapsed=5.0),)))
    again = client.get(f"/v1/jobs/{running.id}", headers=MEMBER | {"If-None-Match": etag})
    assert (again.status_code, again.data) == (304, b"")
    services.put_job(replace(running, steps=(step("backup", StepState.RUNNING, done=0.5, total=1.0),)))
    changed = client.get(f"/v1/jobs/{running.id}", headers=MEMBER | {"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.json["steps"][0]["done"] == 0.5


def test_lists_of_jobs_filter_and_leave_the_journal_out(client: FlaskClient, services: Services) -> None:
    services.put_job(job("other", state=JobState.PAUSED))
    jobs = client.get("/v1/jobs?state=paused&limit=5", headers=MEMBER).json["jobs"]
    assert [j["state"] for j in jobs] == ["paused"]
    assert "journal" not in jobs[0]
    assert client.get("/v1/jobs?color=red", headers=MEMBER).status_code == 400
    assert client.get("/v1/jobs?state=tired", headers=MEMBER).json["error"]["message"].startswith("state")


def test_work_is_accepted_with_its_job(client: FlaskClient, services: Services) -> None:
    protection = services.of("protections")
    for body, incremental in (({}, True), ({"incremental": None}, True), ({"incremental": False}, False)):
        answer = client.post(f"/v1/protections/{protection.id}/run", json=body, headers=MEMBER)
        assert answer.status_code == 202
        assert services.jobs.get(answer.json["job_id"]).subject == protection.application_id
        assert services.carry_out(answer.json["job_id"]).state == JobState.DONE
        assert services.of("restore_points").incremental is incremental


def test_the_mapping_reaches_the_service_as_it_was_said(client: FlaskClient, services: Services) -> None:
    point = services.of("restore_points")
    deploy.network(services.cloud("lyon"), "lan0", deploy.NETWORKS["data"])
    mapping = {"networks": {"vnf-data": "lan0"}, "create_missing_flavors": True, "source_is_fenced": True}
    body = {"restore_point": point.id, "target_site": "lyon", "mapping": mapping}
    preview = client.post("/v1/recoveries/preview", json=body, headers=MEMBER).json
    assert preview["startable"] is True, preview["problems"]
    (item,) = [one for one in preview["items"] if (one["kind"], one["name"]) == ("network", "vnf-data")]
    assert (item["action"], "'lan0': mapped" in item["detail"]) == ("use", True)
    assert client.post("/v1/recoveries", json=body | {"confirm": "hss"}, headers=MEMBER).status_code == 400
    started = client.post("/v1/recoveries", json=body | {"confirm": "mme"}, headers=MEMBER)
    assert started.json["recovery"]["mapping"] == mapping


def test_acts_on_jobs_carry_who(client: FlaskClient, services: Services) -> None:
    mine = services.of("running jobs")
    assert client.post(f"/v1/jobs/{mine.id}/cancel", headers=MEMBER).status_code == 202
    told = services.jobs.get(mine.id)
    assert (told.cancel_requested, told.journal[-1].who, told.journal[-1].message) == (
        True,
        "olga",
        "cancel requested",
    )
    again = client.post(f"/v1/jobs/{mine.id}/resume", headers=MEMBER)
    assert (again.status_code, again.json["error"]["message"]) == (
        409,
        f"job: {mine.id} is running and cannot be resumed; only a job that is paused can",
    )


def test_jobs_of_the_service_itself_are_for_administrators(client: FlaskClient, services: Services) -> None:
    own = services.put_job(job(project=None))
    assert client.get(f"/v1/jobs/{own.id}", headers=MEMBER).status_code == 404
    assert client.get(f"/v1/jobs/{own.id}", headers=persona("member", project=None)).status_code in (403, 404)
    assert client.get(f"/v1/jobs/{own.id}", headers=ADMIN).status_code == 200
