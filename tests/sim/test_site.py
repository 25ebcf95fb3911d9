"""One simulated site by itself, without a network and with a clock that is moved by change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from multisite_lab.sim.clock import ManualClock
from multisite_lab.sim.content import BackupStore
from multisite_lab.sim.model import Settings
from multisite_lab.sim.site import SimSite, Wire
from multisite_lab.sim.world import PASSWORD, PROJECT, make_site, make_world


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def site(clock: ManualClock) -> SimSite:
    return make_site("one", "RegionOne", BackupStore(), clock=clock, settings=Settings(page=2))


def login(site: SimSite, password: str = PASSWORD) -> tuple[int | None, str]:
    user = {"name": "operator", "password": password, "domain": {"name": "Default"}}
    scope = {"project": {"name": PROJECT, "domain": {"name": "Default"}}}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
    content = json.dumps({"auth": auth}).encode()
    reply = site.reply(Wire("POST", "/identity/v3/auth/tokens", content=content))
    return reply.status, reply.headers.get("X-Subject-Token", "")


def ask(site: SimSite, token: str, method: str, path: str, body: Any = None) -> tuple[int | None, Any]:
    headers = {"x-auth-token": token, "openstack-api-version": "volume 3.43"}
    path, _, text = path.partition("?")
    query = {name: [value] for name, _, value in (part.partition("=") for part in text.split("&") if part)}
    content = b"" if body is None else json.dumps(body).encode()
    reply = site.reply(Wire(method, path, query, headers, content))
    return reply.status, json.loads(reply.content) if reply.content else None


def test_states_follow_the_clock(site: SimSite, clock: ManualClock) -> None:
    _, token = login(site)
    body = {"volume": {"name": "v", "size": 1}}
    volume = ask(site, token, "POST", "/volume/v3/volumes", body)[1]["volume"]
    path = f"/volume/v3/volumes/{volume['id']}"
    assert ask(site, token, "GET", path)[1]["volume"]["status"] == "creating"
    assert ask(site, token, "DELETE", path)[0] == 400
    clock.move(1)
    assert ask(site, token, "GET", path)[1]["volume"]["status"] == "available"
    assert ask(site, token, "DELETE", path)[0] == 202
    assert ask(site, token, "GET", path)[1]["volume"]["status"] == "deleting"
    clock.move(1)
    status, said = ask(site, token, "GET", path)
    assert (status, said["itemNotFound"]["code"]) == (404, 404)


def test_a_token_ends(site: SimSite, clock: ManualClock) -> None:
    assert login(site, "wrong") == (401, "")
    _, token = login(site)
    assert ask(site, token, "GET", "/compute/v2.1/servers")[0] == 200
    clock.move(13 * 3600)
    status, said = ask(site, token, "GET", "/compute/v2.1/servers")
    assert (status, said["error"]["title"]) == (401, "Unauthorized")


def test_a_long_list_comes_in_pages(site: SimSite) -> None:
    _, token = login(site)
    for number in range(5):
        ask(site, token, "POST", "/volume/v3/volumes", {"volume": {"name": f"v{number}", "size": 1}})
    names, path = [], "/volume/v3/volumes/detail?status=creating"
    while path:
        page = ask(site, token, "GET", path)[1]
        assert len(page["volumes"]) <= 2
        names += [row["name"] for row in page["volumes"]]
        path = next((link["href"] for link in page.get("volumes_links", [])), "")
    assert names == [f"v{number}" for number in range(5)]


def test_what_no_service_offers_is_404_and_in_the_log(site: SimSite) -> None:
    _, token = login(site)
    assert ask(site, token, "GET", "/compute/v2.1/no-such-thing")[0] == 404
    assert [seen.path for seen in site.script.log if not seen.known] == ["/no-such-thing"]


def test_names_of_sites_are_their_own() -> None:
    with pytest.raises(ValueError, match="each site needs one of its own"):
        make_world(("one", "one"))
