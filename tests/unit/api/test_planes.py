"""Planes over the API: what a description may say, what is shown, what is recorded."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from api.conftest import MEMBER, asked
from api.setup import Services
from multisite_lab.sim.model import State


@pytest.fixture
def url(services: Services) -> str:
    return f"/v1/applications/{services.of('applications').id}/planes"


def _state(services: Services, site: str) -> State:
    return services.world.sites[site].settle().state


def _network(services: Services, site: str) -> dict[str, Any] | None:
    """Of the plane mgmt."""
    found = [n for n in _state(services, site).networks.values() if n["name"] == "mme-mgmt"]
    return found[0] if found else None


def test_shown_with_what_it_means(client: FlaskClient, services: Services, url: str) -> None:
    plane = client.get(f"{url}/mgmt", headers=MEMBER).json
    sentence = "was made in all its sites; check tells whether it is still so"
    assert (plane["state"], plane["sentence"]) == ("active", sentence)
    assert plane["explained"].startswith("mgmt (management): a network of its own in each of paris, lyon")
    network = _network(services, "paris")
    assert network is not None
    assert plane["made"][0] == {
        "site": "paris", "network_id": network["id"], "subnet_id": network["subnets"][0], "cidr": "10.64.0.0/24",
        "router_id": None,
    }  # fmt: skip
    assert {p["name"] for p in client.get(url, headers=MEMBER).json["planes"]} == {"mgmt", "oam", "hb"}
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
    before = services.of("planes")
    answer = client.put(url, json={"sites": ["paris", "lyon"]} | body, headers=MEMBER)
    assert (answer.status_code, before.state) == (400, "active")
    assert words in answer.json["error"]["message"]
    assert services.of("planes") == before, "nothing was changed"


def test_changes_are_recorded_and_looks_are_not(client: FlaskClient, services: Services, url: str) -> None:
    before = len(asked(services))
    assert client.post(f"{url}/oam/preview", headers=MEMBER).json["startable"] is True
    assert len(asked(services)) == before
    started = client.post(f"{url}/oam/realize", headers=MEMBER)
    assert (started.status_code, started.json["job_id"]) == (202, started.json["plane"]["job_id"])
    removed = client.delete(f"{url}/mgmt/realization", headers=MEMBER)
    assert removed.status_code == 202
    assert services.carry_out(removed.json["job_id"]).state == "undone"
    assert (_network(services, "paris"), _network(services, "lyon")) == (None, None)
    assert client.delete(f"{url}/mgmt/realization", headers=MEMBER).json == {"job_id": None}
    paths = [record.path.rpartition("/")[2] for record in asked(services)[before:]]
    assert paths == ["realize", "realization", "realization"]


def _drop(services: Services) -> None:
    """Somebody turns the network off in lyon."""
    network = _network(services, "lyon")
    assert network is not None
    network["admin_state_up"] = False


def _lose(services: Services) -> None:
    services.world.lose("paris")


@pytest.mark.parametrize(
    ("given", "in_sync", "kinds"),
    [
        ([], True, []),
        ([_drop], False, ["network down"]),
        ([_lose], None, ["unknown"]),
        ([_lose, _drop], False, ["unknown", "network down"]),
    ],
)
def test_check_tells_what_differs(
    client: FlaskClient,
    services: Services,
    url: str,
    given: list[Any],
    in_sync: bool | None,
    kinds: list[str],
) -> None:
    for change in given:
        change(services)
    before = len(services.audit.list())
    answer = client.post(f"{url}/mgmt/check", headers=MEMBER).json
    assert (answer["in_sync"], [d["kind"] for d in answer["findings"]]) == (in_sync, kinds)
    assert len(services.audit.list()) == before, "a look is not recorded"
    assert client.post(f"{url}/hb/check", headers=MEMBER).status_code == 409, "it is only described"


def test_repair_begins_a_job_or_none(client: FlaskClient, services: Services, url: str) -> None:
    assert client.post(f"{url}/mgmt/repair", headers=MEMBER).json == {"job_id": None}
    _drop(services)
    answer = client.post(f"{url}/mgmt/repair", headers=MEMBER)
    assert (answer.status_code, services.carry_out(answer.json["job_id"]).state) == (202, "done")
    network = _network(services, "lyon")
    assert network is not None
    assert network["admin_state_up"] is True


def test_removed_without_a_lost_site(client: FlaskClient, services: Services, url: str) -> None:
    where = f"{url}/mgmt/realization"
    for wrong in ("without=", "without=a,,b", "without=a/b", "left=maybe", "color=red"):
        answer = client.delete(f"{where}?{wrong}", headers=MEMBER)
        assert (answer.status_code, wrong.partition("=")[0] in answer.json["error"]["message"]) == (
            400,
            True,
        ), wrong
    removed = client.delete(f"{where}?without=lyon", headers=MEMBER)
    assert (removed.status_code, services.carry_out(removed.json["job_id"]).state) == (202, "done")
    there = _network(services, "lyon")
    assert (_network(services, "paris"), there is None) == (None, False)
    assert client.get(f"{url}/mgmt", headers=MEMBER).json["left"] == ["lyon"]
    kept = client.delete(f"{where}?left=true&without=lyon,oslo", headers=MEMBER)
    assert (kept.json, _network(services, "lyon")) == ({"job_id": None}, there)
    assert client.post(f"{url}/mgmt/forget", json={"sites": ["lyon"]}, headers=MEMBER).json["left"] == []
