"""Each fault on real connections: what happened in the site, what the service makes of it, what it repeats."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from lab_faults.conftest import CLOUDS
from lab_faults.little_cloud import LittleCloud
from multisite.clouds.call import call, read_one
from multisite.clouds.connect import CloudSite, open_site
from multisite.clouds.errors import LoginRefused, NotFoundInSite, Refused, UnknownOutcome, Unreachable
from multisite_lab.faults.rules import Rule
from multisite_lab.faults.thread import FaultProxy


def create(site: CloudSite, *, idempotent: bool = False) -> Any:
    body = {"server": {"name": "db"}}
    return call(
        site, "create server db", lambda: site.compute.post("/servers", json=body), idempotent=idempotent
    )


def look(site: CloudSite) -> Any:
    return read_one(site, "read server", lambda: site.compute, "/servers/7", "server")


def posts(proxy: FaultProxy) -> list[dict[str, Any]]:
    return [e for e in proxy.requests if e.get("path") == "/v2.1/servers" and e["method"] == "POST"]


def fault(kind: str, method: str = "POST", path: str = "/servers$", **more: Any) -> Rule:
    return Rule(kind, service="nova", method=method, path=path, **more)


def test_without_rules_every_call_passes_through_the_proxy(
    cloud: LittleCloud, proxy: FaultProxy, site: CloudSite
) -> None:
    assert create(site).json()["server"]["id"] == "1"
    assert look(site)["status"] == "BUILD"
    # Each request the cloud saw came through the proxy, discovery and login too.
    assert len(cloud.asked) == len(proxy.requests) > 5
    assert site.endpoint("compute") == f"{proxy.url('nova')}/v2.1"


def test_lost_before_the_effect_is_still_unknown_to_us(
    cloud: LittleCloud, proxy: FaultProxy, site: CloudSite
) -> None:
    proxy.rules(fault("drop"))
    with pytest.raises(UnknownOutcome):
        create(site)
    assert cloud.servers == []
    assert len(posts(proxy)) == 1  # not repeated: nobody can know


@pytest.mark.parametrize("answer", ["cut", "504", "hang"])
def test_a_late_success_is_unknown_and_never_repeated(
    cloud: LittleCloud, proxy: FaultProxy, site: CloudSite, answer: str
) -> None:
    proxy.rules(fault("late-success", answer=answer))
    with pytest.raises(UnknownOutcome):
        create(site)
    assert cloud.servers == ["db"]  # it did take effect
    assert [(e["status"], e["upstream"]) for e in posts(proxy)] == [(504 if answer == "504" else None, 202)]


def test_what_is_said_to_be_idempotent_is_repeated(
    cloud: LittleCloud, proxy: FaultProxy, site: CloudSite
) -> None:
    proxy.rules(fault("late-success", nth=(1,)))
    assert create(site, idempotent=True).status_code == 202
    assert cloud.servers == ["db", "db"]


def test_a_late_effect_comes_after_we_were_told_it_failed(
    cloud: LittleCloud, proxy: FaultProxy, site: CloudSite
) -> None:
    proxy.rules(fault("late-effect", seconds=0.4))
    with pytest.raises(UnknownOutcome):
        create(site)
    assert cloud.servers == []
    deadline = time.monotonic() + 5
    while not any(e["fault"] == "late effect" for e in proxy.requests) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert cloud.servers == ["db"]


def test_a_balancer_without_servers_is_safe_to_repeat_a_failing_service_is_not(
    cloud: LittleCloud, proxy: FaultProxy, site: CloudSite
) -> None:
    proxy.rules(fault("error", status=503, nth=(1, 2)))
    assert create(site).status_code == 202
    assert [e["status"] for e in posts(proxy)] == [503, 503, 202]
    for status in (500, 503):
        proxy.rules(fault("error", status=status, request_id=True))
        with pytest.raises(UnknownOutcome, match="req-fa017000"):
            create(site)
    assert cloud.servers == ["db"]
    assert len(posts(proxy)) == 5


@pytest.mark.parametrize("kind", ["drop", "error"])
def test_reads_are_repeated(proxy: FaultProxy, site: CloudSite, kind: str) -> None:
    proxy.rules(fault(kind, "GET", "/servers/7", nth=(1, 2)))
    assert look(site)["id"] == "7"
    assert [e["fault"] for e in proxy.requests[-3:]] == [kind, kind, None]


def test_a_hang_ends_at_our_own_limit(proxy: FaultProxy, site: CloudSite) -> None:
    proxy.rules(fault("hang", "GET", "/servers/7"))
    begun = time.monotonic()
    with pytest.raises(Unreachable, match="no answer in time"):
        look(site)
    assert 0.9 < time.monotonic() - begun < 3


def test_a_delay_is_only_slow(proxy: FaultProxy, site: CloudSite) -> None:
    proxy.rules(fault("delay", "GET", "/servers/7", seconds=0.3))
    assert look(site)["id"] == "7"
    assert proxy.requests[-1]["ms"] >= 300


def test_a_stale_read_shows_what_was(cloud: LittleCloud, proxy: FaultProxy, site: CloudSite) -> None:
    proxy.rules(fault("stale", "GET", "/servers/7", nth=(1, 3, 4)))
    assert look(site)["status"] == "BUILD"  # nothing earlier: the truth
    assert look(site)["status"] == "BUILD"
    cloud.status = "ACTIVE"
    assert [look(site)["status"] for _ in range(3)] == ["BUILD", "BUILD", "ACTIVE"]


def test_an_expired_token_is_renewed_once(cloud: LittleCloud, proxy: FaultProxy, site: CloudSite) -> None:
    logins = cloud.logins
    proxy.rules(fault("unauthorized", nth=(1,)))
    assert create(site).status_code == 202
    assert (cloud.logins, cloud.servers) == (logins + 1, ["db"])
    proxy.rules(fault("unauthorized"))
    with pytest.raises(LoginRefused):
        create(site)
    assert cloud.servers == ["db"]


@pytest.mark.timeout(60)
def test_a_keystone_that_wants_a_token_for_its_versions_is_no_dead_end(
    cloud: LittleCloud, proxy: FaultProxy, tmp_path: Path
) -> None:
    """keystoneauth would wait for its own lock for ever."""
    file = tmp_path / "clouds.yaml"
    file.write_text(CLOUDS.format(url=proxy.url("keystone")))
    proxy.rules(Rule("unauthorized", service="keystone"))
    with pytest.raises(Unreachable, match="asks for a token before it gives one"):
        open_site("west", "west", file, timeout=1.0).login()
    assert cloud.logins == 0
    proxy.rules()
    open_site("west", "west", file, timeout=1.0).login()


def test_a_cut_site_refuses_or_hangs_and_comes_back(
    cloud: LittleCloud, proxy: FaultProxy, site: CloudSite
) -> None:
    for how in ("refuse", "hang"):
        proxy.cut(how)
        asked = len(cloud.asked)
        with pytest.raises(Unreachable):
            look(site)
        assert len(cloud.asked) == asked
        proxy.cut(None)
        assert look(site)["id"] == "7"
    proxy.cut("refuse")
    with pytest.raises(Unreachable):  # nothing was sent: not even a change is in doubt
        create(site)
    assert cloud.servers == []


def test_an_answer_of_the_site_itself_is_passed_on(proxy: FaultProxy, site: CloudSite) -> None:
    with pytest.raises(NotFoundInSite, match="nothing at"):
        call(site, "read nothing", lambda: site.compute.get("/flavors/nothing"))
    assert proxy.requests[-1]["path"] == "/v2.1/flavors/{id}"
    with pytest.raises(Refused):
        call(site, "make nothing", lambda: site.compute.post("/flavors", json={}))


def test_a_dead_service_behind_the_proxy_took_no_effect(site: CloudSite, proxy: FaultProxy) -> None:
    dead = FaultProxy("west", {"nova": "http://127.0.0.1:9"})
    with dead:
        answer = site.conn.session.post(f"{dead.url('nova')}/servers", raise_exc=False, authenticated=False)
    assert (answer.status_code, answer.headers.get("x-openstack-request-id")) == (503, None)
