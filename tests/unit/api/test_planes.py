"""Planes over the API: what a description may say, what is shown, what is recorded."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from api.conftest import MEMBER
from api.fakes import Services
from multisite.domain.findings import Finding
from multisite.domain.plane_drift import unknown


@pytest.fixture
def url(services: Services) -> str:
    return f"/v1/applications/{services.of('applications').id}/planes"


def test_shown_with_what_it_means(client: FlaskClient, url: str) -> None:
    plane = client.get(f"{url}/mgmt", headers=MEMBER).json
    sentence = "was made in all its sites; check tells whether it is still so"
    assert (plane["state"], plane["sentence"]) == ("active", sentence)
    assert plane["explained"].startswith("mgmt (management): a network of its own in each of paris, lyon")
    assert plane["made"][0] == {
        "site": "paris", "network_id": "net-paris", "subnet_id": "sub-paris", "cidr": "10.64.0.0/24", "router_id": None,
    }  # fmt: skip
    assert {p["name"] for p in client.get(url, headers=MEMBER).json["planes"]} == {"mgmt", "hb"}
    assert client.get(f"{url}/x", headers=MEMBER).status_code == 404


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "planes"),
        ({"planes": [{"name": "a"}]}, "planes.0.role"),
        ({"planes": [{"name": "a", "role": "data"}]}, "planes.0.role"),
        ({"planes": [{"name": "a", "role": "backup", "realized": "l2"}]}, "planes.0.realized"),
        ({"planes": [{"name": "a", "role": "backup", "color": "red"}]}, "planes.0.color"),
        ({"planes": [{"name": "a/b", "role": "backup"}]}, "planes.0.name"),
        ({"planes": [{"name": "a", "role": "backup", "sites": []}]}, "planes.0.sites"),
        ({"planes": [{"name": "a", "role": "backup", "cidr": "10.0.0.1/24"}]}, r"planes[0] (a): cidr"),
        ({"planes": [{"name": "a", "role": "inter-component"}]}, r"planes[0] (a): cidr"),
        ({"planes": [{"name": "a", "role": "backup", "sites": ["rome"]}]}, r"planes[0] (a): sites: rome"),
    ],
)
def test_what_is_wrong_is_named(
    client: FlaskClient, services: Services, url: str, body: dict[str, Any], words: str
) -> None:
    answer = client.put(url, json=body, headers=MEMBER)
    assert answer.status_code == 400
    assert words in answer.json["error"]["message"]
    assert services.planes.items[services.of("applications").id, "mgmt"].state == "active", (
        "nothing was changed"
    )


def test_changes_are_recorded_and_looks_are_not(client: FlaskClient, services: Services, url: str) -> None:
    before = len(services.audit.list())
    assert client.post(f"{url}/mgmt/preview", headers=MEMBER).json["startable"] is True
    assert len(services.audit.list()) == before
    started = client.post(f"{url}/mgmt/realize", headers=MEMBER)
    assert (started.status_code, started.json["job_id"]) == (202, started.json["plane"]["job_id"])
    removed = client.delete(f"{url}/mgmt/realization", headers=MEMBER)
    assert (removed.status_code, client.delete(f"{url}/mgmt/realization", headers=MEMBER).json) == (
        202,
        {"job_id": None},
    )
    assert services.planes.removed == [("mgmt", (), False)] * 2
    paths = [record.path.rpartition("/")[2] for record in services.audit.list()[::-1][before:]]
    assert paths == ["realize", "realization", "realization"]


DRIFT = Finding("lyon", "router gone", "router r is gone", "cut off", "plane repair", repairable=True)
AWAY = unknown("lyon", "no route")


@pytest.mark.parametrize(
    ("drift", "in_sync"), [([], True), ([DRIFT], False), ([AWAY], None), ([AWAY, DRIFT], False)]
)
def test_check_tells_what_differs(
    client: FlaskClient, services: Services, url: str, drift: list[Finding], in_sync: bool | None
) -> None:
    services.planes.drift = drift
    before = len(services.audit.list())
    answer = client.post(f"{url}/mgmt/check", headers=MEMBER).json
    assert (answer["in_sync"], [d["kind"] for d in answer["findings"]]) == (in_sync, [d.kind for d in drift])
    assert len(services.audit.list()) == before, "a look is not recorded"
    assert client.post(f"{url}/hb/check", headers=MEMBER).status_code == 409, "it is only described"


def test_repair_begins_a_job_or_none(client: FlaskClient, services: Services, url: str) -> None:
    assert client.post(f"{url}/mgmt/repair", headers=MEMBER).json == {"job_id": None}
    services.planes.drift = [DRIFT]
    answer = client.post(f"{url}/mgmt/repair", headers=MEMBER)
    assert (answer.status_code, services.jobs.get(answer.json["job_id"]).settled) == (202, True)


def test_removed_without_a_lost_site(client: FlaskClient, services: Services, url: str) -> None:
    where = f"{url}/mgmt/realization"
    for wrong in ("without=", "without=a,,b", "without=a/b", "left=maybe", "color=red"):
        answer = client.delete(f"{where}?{wrong}", headers=MEMBER)
        assert (answer.status_code, wrong.partition("=")[0] in answer.json["error"]["message"]) == (
            400,
            True,
        ), wrong
    assert client.delete(f"{where}?without=lyon", headers=MEMBER).status_code == 202
    assert services.planes.removed == [("mgmt", ("lyon",), False)]
    assert client.get(f"{url}/mgmt", headers=MEMBER).json["left"] == ["lyon"]
    client.delete(f"{where}?left=true&without=lyon,oslo", headers=MEMBER)
    assert services.planes.removed[-1] == ("mgmt", ("lyon", "oslo"), True)
    assert client.post(f"{url}/mgmt/forget", json={"sites": ["lyon"]}, headers=MEMBER).json["left"] == []
