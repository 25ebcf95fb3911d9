"""Planes over the API: what a description may say, what is shown, what is recorded."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from api.conftest import MEMBER
from api.fakes import Services


@pytest.fixture
def url(services: Services) -> str:
    return f"/v1/applications/{services.of('applications').id}/planes"


def test_shown_with_what_it_means(client: FlaskClient, url: str) -> None:
    plane = client.get(f"{url}/mgmt", headers=MEMBER).json
    assert (plane["state"], plane["sentence"]) == ("active", "made in all its sites")
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
        ({"planes": [{"name": "a", "role": "backup", "realised": "l2"}]}, "planes.0.realised"),
        ({"planes": [{"name": "a", "role": "backup", "colour": "red"}]}, "planes.0.colour"),
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
    before = len(services.audit.intents)
    assert client.post(f"{url}/mgmt/preview", headers=MEMBER).json["startable"] is True
    assert len(services.audit.intents) == before
    started = client.post(f"{url}/mgmt/realise", headers=MEMBER)
    assert (started.status_code, started.json["job_id"]) == (202, started.json["plane"]["job_id"])
    removed = client.delete(f"{url}/mgmt/realisation", headers=MEMBER)
    assert (removed.status_code, client.delete(f"{url}/mgmt/realisation", headers=MEMBER).json) == (
        202,
        {"job_id": None},
    )
    paths = [intent.path.rpartition("/")[2] for intent in services.audit.intents[before:]]
    assert paths == ["realise", "realisation", "realisation"]
