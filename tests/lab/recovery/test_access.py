"""The running service and the real Keystone: who gets in, and what a fuzzer makes of the API.

Everything the API can name is there (application, protection, restore point, recovery, job), so a refusal is never
a mere "not found" of a made-up id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import openstack
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from multisite_lab import vnf
from multisite_lab.manager import Manager

EXAMPLES = 30
NOWHERE = "00000000-0000-4000-8000-000000000000"
"""The id of a kind of which nothing is there."""
MAKERS = (
    *("/v1/applications", "/v1/addresses", "/v1/paths", "/v1/policies", "/v1/recovery-plans"),
    *("/v1/image-replications", "/v1/resource-syncs", "/v1/resource-syncs/export"),
)
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def things(service: Manager, application: vnf.Vnf) -> Iterator[dict[str, str]]:
    """Ids by the collection they are in; all belong to the project of ``site2``."""
    name = application.name
    made = service.cli("application", "create", name, "--site", "site1", "--metadata-tag", f"vnf={name}")
    protection = service.cli(
        "protection", "create", name, "--method", "consistent-backup", "--target-site", "site2"
    )
    point = service.cli("protection", "run", protection["id"], "--full")
    recovery = service.cli(
        "recovery", "start", point["id"], "--target-site", "site2", "--create-missing-flavors",
        "--source-is-fenced", "--yes-recover", name, "--no-wait",
    )  # fmt: skip
    service.cli("job", "cancel", recovery["job_id"])
    yield {
        "sites": "site1",
        "applications": made["id"],
        "protections": protection["id"],
        "restore-points": point["id"],
        "recoveries": recovery["id"],
        "jobs": recovery["job_id"],
    }
    service.cli("recovery", "undo", recovery["id"])
    service.cli("restore", "point", "delete", point["id"])
    service.show("protection", "delete", protection["id"])
    service.show("application", "delete", made["id"])


@pytest.fixture(scope="module")
def document(service: Manager) -> dict[str, Any]:
    found: dict[str, Any] = ask(service, "GET", "/v1/openapi.json").json()
    return found


def token(cloud: str) -> str:
    """A fresh token of the Keystone the service trusts."""
    with openstack.connect(cloud, load_yaml_config=True) as conn:
        return str(conn.session.get_token())


def ask(service: Manager, method: str, path: str, token: str | None = None, body: Any = None) -> Any:
    headers = {} if token is None else {"X-Auth-Token": token}
    if method in ("POST", "PATCH") and body is None:
        body = {}
    return requests.request(method, service.url + path, headers=headers, json=body, timeout=60)


def routes(document: dict[str, Any], things: dict[str, str]) -> list[tuple[str, str]]:
    """Every described route but the version list, with ids of things that are there."""
    found = []
    for path, operations in document["paths"].items():
        for method in operations if path != "/" else ():
            collection = path.split("/")[2]
            found.append((method.upper(), re.sub(r"{\w+}", things.get(collection, NOWHERE), path)))
    assert len(found) > 25
    return found


def test_nobody_gets_in_without_a_token(
    service: Manager, document: dict[str, Any], things: dict[str, str]
) -> None:
    stale = token("site1")  # good, but of a Keystone this service does not trust
    for method, path in routes(document, things):
        for bad in (None, "", "nonsense", stale):
            answer = ask(service, method, path, bad)
            assert answer.status_code == 401, (method, path, bad, answer.text)
            assert things["jobs"] not in answer.text


def test_a_member_of_another_project_finds_nothing(
    service: Manager, document: dict[str, Any], things: dict[str, str], application: vnf.Vnf
) -> None:
    other = token("site2-other")
    target = {"target_site": "site2"}
    point = {"restore_point": things["restore-points"], **target}
    bodies = {
        "/v1/sites": {"name": "mine", "cloud": "site1"},
        "/v1/project-grants": {"project_id": "mine", "site": "site1", "site_project_id": "theirs"},
        "/v1/protections": {"application": things["applications"], **target},
        "/v1/protections/preview": {"application": things["applications"], **target},
        "/v1/quotas": {"project_id": "mine", "sites": ["site1"], "limits": {"cores": 1}},
        "/v1/recoveries/preview": point,
        "/v1/drills": point,
        "/v1/recoveries": {**point, "confirm": application.name},
    }
    stretch = {"name": "mine", "sites": ["site1", "site2"], "cidr": "10.99.0.0/24"}
    bodies |= {"/v1/stretched-networks": stretch, "/v1/stretched-networks/preview": stretch}
    bodies |= {"/v1/probes": {"address": "192.0.2.1"}}
    ends = {
        "move": {"to": "site1"},
        "forget": {"sites": ["site1"]},
        "stop-source": {"confirm": application.name},
        "answer": {"text": "yes"},
    }
    before = service.cli("job", "show", things["jobs"])
    refused = 0
    for method, path in routes(document, things):
        body = bodies.get(path, ends.get(path.rpartition("/")[2])) if method == "POST" else None
        if method == "PUT" and path.endswith("/planes"):
            body = {"planes": [{"name": "mine", "role": "management"}]}
        if method == "POST" and path in MAKERS:
            continue  # what they may make there, the next tests ask
        answer = ask(service, method, path, other, body)
        if method == "GET" and (path.count("/") == 2 or path.startswith("/v1/sites/")):
            assert answer.status_code == 200, (path, answer.text)
            if path == "/v1/audit":  # what they asked for themselves, our ids in it
                assert {record["user"] for record in answer.json()["audit"]} == {"other"}
                continue
            assert not any(id in answer.text for name, id in things.items() if name != "sites"), path
        else:
            assert answer.status_code in (403, 404), (method, path, answer.status_code, answer.text)
            refused += 1
    assert refused > 18
    assert service.cli("job", "show", things["jobs"]) == before


def test_a_member_of_another_project_cannot_take_our_servers(service: Manager, application: vnf.Vnf) -> None:
    ours = {"servers": [{"id": s.id} for s in application.servers]}
    for servers in (ours, {"metadata_tag": f"vnf={application.name}"}):
        body = {"name": "stolen", "site": "site1", **servers}
        answer = ask(service, "POST", "/v1/applications", token("site2-other"), body)
        assert answer.status_code in (400, 403), answer.text
        assert not any(s.name in answer.text for s in application.servers)
    assert service.cli("application", "list", cloud="site2-other") == []


def test_a_member_of_another_project_cannot_use_our_ports(service: Manager, application: vnf.Vnf) -> None:
    with openstack.connect("site1", load_yaml_config=True) as conn:
        port = next(conn.network.ports(device_id=application.servers[0].id)).id
    members = [{"site": "site1", "port": port}, {"site": "site2", "port": port}]
    address = {"name": "stolen", "address": "192.0.2.1", "members": members, "active": "site1"}
    path = {"name": "stolen", "ends": members, "protocol": "udp", "port": 5000}
    for asked, body in (("/v1/addresses", address), ("/v1/paths", path)):
        answer = ask(service, "POST", asked, token("site2-other"), body)
        assert answer.status_code in (400, 403, 409), answer.text
        assert ask(service, "GET", asked, token("site2-other")).json()[asked.split("/")[2]] == []


def test_a_fuzzer_meets_no_server_error(
    service: Manager, document: dict[str, Any], things: dict[str, str]
) -> None:
    """As an administrator, with ids of real things where an operation only looks."""
    schema = schemathesis.openapi.from_dict(document)
    headers = {"X-Auth-Token": token("site2")}
    asked: dict[int, int] = {}
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]  # raises what is wrong with the document

        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
            phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def fuzz(case: Any) -> None:
            if case.method == "GET" and case.path_parameters:
                name = case.path.split("/")[2]
                case.path_parameters = dict.fromkeys(case.path_parameters, things.get(name, NOWHERE))
            answer = case.call_and_validate(base_url=service.url, headers=headers, checks=CHECKS)
            asked[answer.status_code] = asked.get(answer.status_code, 0) + 1

        fuzz()
    print(f"answers by status: {dict(sorted(asked.items()))}")
    assert service.answers()
    assert {200, 400, 404} <= asked.keys()
    assert [row["Name"] for row in service.cli("site", "list")] == ["site1", "site2"]
