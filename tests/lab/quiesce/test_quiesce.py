"""The promises of plugins/nova, kept by a real nova-api, nova-compute, libvirt, guest and agent."""

from __future__ import annotations

import datetime
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from real_guest import ALIAS, SITE, Guest, api_answers, boot, connect, until

from multisite_lab import sites

pytestmark = pytest.mark.lab

AGENT = "qemu-ga -d -m virtio-serial -p /dev/virtio-ports/org.qemu.guest_agent.0 -t /run/qga -f /run/qga.pid"
REVIVE = f"rm -f /run/qga.pid; {AGENT} -l /run/qga.log -F/etc/qemu/fsfreeze-hook"
SLACK = 5.0  # of a machine that does much else at the same time


def moment(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


def message(answer: Any, kind: str) -> str:
    body = answer.json()
    assert list(body) == [kind]
    assert body[kind]["code"] == answer.status_code
    return str(body[kind]["message"])


def test_it_can_be_discovered(operator: Any) -> None:
    for person in ("", "member", "other"):
        document = connect(person).compute.get(f"/{ALIAS}").json()["multisite_quiesce"]
        assert document["supported"] is True
        assert (document["default_timeout"], document["max_timeout"]) == (30, 600)


def test_a_freeze_freezes_and_a_thaw_thaws(guest: Guest) -> None:
    began = time.time()
    answer = guest.act("quiesce")
    took = time.time() - began
    assert answer.status_code == 200, answer.text
    body = answer.json()["quiesce"]
    assert guest.frozen()
    assert (body["server_id"], body["timeout"]) == (guest.id, 30)
    assert moment(body["thaw_at"]) - moment(body["frozen_at"]) == pytest.approx(30, abs=0.01)
    assert guest.record()["state"] == "frozen"
    began = time.time()
    answer = guest.act("unquiesce")
    print(f"freeze {took:.2f} s, thaw {time.time() - began:.2f} s")
    assert answer.status_code == 200, answer.text
    assert not guest.frozen()
    body = answer.json()["unquiesce"]
    assert (body["state"], body["expired"], body["confirmed"]) == ("thawed", False, True)
    again = guest.act("unquiesce")
    assert (again.status_code, again.json()["unquiesce"]["thawed_at"]) == (200, body["thawed_at"])


def test_the_limit_thaws(guest: Guest) -> None:
    body = guest.act("quiesce", {"timeout": 6}).json()["quiesce"]
    while time.time() < moment(body["thaw_at"]) - 0.3:
        assert guest.frozen()
        time.sleep(0.3)
    until("thawed", lambda: not guest.frozen(), 1 + SLACK)
    late = time.time() - moment(body["thaw_at"])
    print(f"thawed and seen {late:.2f} s after the limit")
    until("written down", lambda: guest.record()["state"] == "thawed", SLACK)
    body = guest.act("unquiesce").json()["unquiesce"]
    assert (body["state"], body["expired"]) == ("thawed", True)


def test_of_many_at_once_one_freezes(guest: Guest) -> None:
    guest.cloud.compute.get(f"/{ALIAS}")
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: guest.act("quiesce", {"timeout": 20}), range(5)))
    assert sorted(a.status_code for a in answers) == [200, 409, 409, 409, 409]
    assert guest.frozen()
    refused = next(a for a in answers if a.status_code == 409)
    assert "already" in message(refused, "conflictingRequest")
    won = next(a for a in answers if a.status_code == 200)
    assert guest.record()["thaw_at"] == won.json()["quiesce"]["thaw_at"]


def test_an_old_limit_does_not_thaw_a_newer_freeze(guest: Guest) -> None:
    assert guest.act("quiesce", {"timeout": 4}).status_code == 200
    assert guest.act("unquiesce").status_code == 200
    assert guest.act("quiesce", {"timeout": 60}).status_code == 200
    time.sleep(8)
    assert guest.frozen()


class TestKilledApi:
    """nova-api is killed while the guest is frozen."""

    def test_its_successor_keeps_the_limit(self, guest: Guest) -> None:
        body = guest.act("quiesce", {"timeout": 40}).json()["quiesce"]
        sites.service(SITE, "nova-api", "kill")
        until("the API is back", lambda: api_answers(guest), 120, 1.0)
        back = time.time()
        if back < moment(body["thaw_at"]) - 1:
            assert guest.frozen()
        until("thawed", lambda: not guest.frozen(), max(moment(body["thaw_at"]) - time.time(), 0) + 2 + SLACK)
        late = time.time() - moment(body["thaw_at"])
        print(f"back {back - moment(body['thaw_at']):.1f} s, thawed {late:.2f} s after the limit")
        until("written down", lambda: guest.record()["state"] == "thawed", SLACK)
        assert guest.record()["expired"]

    def test_without_any_api_it_stays_frozen_and_no_request_is_needed_to_thaw_it(self, guest: Guest) -> None:
        body = guest.act("quiesce", {"timeout": 5}).json()["quiesce"]
        sites.service(SITE, "nova-api", "stop")
        try:
            time.sleep(max(moment(body["thaw_at"]) - time.time(), 0) + 4)
            assert guest.frozen()  # the negative control
        finally:
            began = time.time()
            sites.service(SITE, "nova-api", "start")
        until("thawed", lambda: not guest.frozen(), 120)
        print(f"thawed {time.time() - began:.1f} s after nova-api was started, no request sent")


class TestHungAgent:
    """The agent does not answer, and does when it comes back."""

    def test_the_caller_is_told_and_the_late_freeze_undone(self, guest: Guest) -> None:
        before = late_freezes(guest)
        guest.later("sleep 1; kill -STOP $(cat /run/qga.pid); sleep 25; kill -CONT $(cat /run/qga.pid)")
        time.sleep(3)
        began = time.time()
        answer = guest.act("quiesce")
        took = time.time() - began
        assert "did not confirm the freeze within 10 seconds" in message(answer, "conflictingRequest")
        assert 10 <= took < 12 + SLACK
        assert guest.record()["state"] == "thawing"
        until("the agent is back", guest.agent, 60)
        back = time.time()
        until("thawed for certain", guest.settled, 40)
        print(
            f"409 after {took:.1f} s, thawed for certain {time.time() - back:.1f} s after the agent was back"
        )
        assert late_freezes(guest) == before + 1
        time.sleep(5)
        assert guest.settled()

    def test_also_if_the_api_was_killed_meanwhile(self, guest: Guest) -> None:
        guest.later("sleep 1; kill -STOP $(cat /run/qga.pid); sleep 45; kill -CONT $(cat /run/qga.pid)")
        time.sleep(3)
        assert guest.act("quiesce").status_code == 409
        sites.service(SITE, "nova-api", "kill")
        until("the API is back", lambda: api_answers(guest), 120, 1.0)
        until("the agent is back", guest.agent, 90)
        back = time.time()
        until("thawed", lambda: not guest.frozen(), 15 + SLACK)
        print(f"thawed {time.time() - back:.1f} s after the agent was back")
        assert guest.record()["state"] in ("thawing", "thawed")
        until("thawed for certain", guest.settled, 180, 1.0)
        print(f"and for certain after {time.time() - back:.1f} s")

    def test_a_thaw_it_holds_up(self, guest: Guest) -> None:
        guest.later("sleep 5; kill -STOP $(cat /run/qga.pid); sleep 25; kill -CONT $(cat /run/qga.pid)")
        assert guest.act("quiesce", {"timeout": 60}).status_code == 200
        time.sleep(6)
        answer = guest.act("unquiesce")
        assert "attempts go on" in message(answer, "conflictingRequest")
        until("the agent is back", guest.agent, 60)
        back = time.time()
        until("thawed", lambda: not guest.frozen(), 40)
        print(f"thawed {time.time() - back:.1f} s after the agent was back")


def test_a_nova_compute_that_stands_still_takes_the_freeze_up_late(guest: Guest) -> None:
    before = late_freezes(guest)
    sites.service(SITE, "nova-compute", "pause")
    try:
        answer = guest.act("quiesce")
    finally:
        sites.service(SITE, "nova-compute", "resume")
    back = time.time()
    assert "did not confirm the freeze" in message(answer, "conflictingRequest")
    until("thawed for certain", guest.settled, 60)
    print(f"thawed for certain {time.time() - back:.1f} s after nova-compute went on")
    assert late_freezes(guest) == before + 1


class TestDeadAgent:
    """The agent is gone."""

    def test_the_caller_is_told_at_once(self, guest: Guest) -> None:
        guest.later(f"sleep 1; kill -9 $(cat /run/qga.pid); sleep 20; {REVIVE}")
        time.sleep(3)
        began = time.time()
        answer = guest.act("quiesce")
        took = time.time() - began
        assert "agent" in message(answer, "conflictingRequest")
        assert took < 2 + SLACK
        again = message(guest.act("quiesce"), "conflictingRequest")
        assert "still has to be thawed" in again
        print(f"409 after {took:.2f} s; then: {again}")
        until("the agent is back", guest.agent, 60)
        back = time.time()
        until("thawed for certain", guest.settled, 40)
        print(f"thawed for certain {time.time() - back:.1f} s after the agent was back")
        assert guest.act("quiesce", {"timeout": 5}).status_code == 200

    def test_it_dies_while_the_guest_is_frozen(self, guest: Guest) -> None:
        guest.later(f"sleep 5; kill -9 $(cat /run/qga.pid); sleep 15; {REVIVE}")
        assert guest.act("quiesce", {"timeout": 8}).status_code == 200
        time.sleep(8)
        assert not guest.agent()
        until("the agent is back", guest.agent, 60)
        back = time.time()
        until("thawed", lambda: not guest.frozen(), 40)
        print(f"thawed {time.time() - back:.1f} s after the agent was back")


class TestRefusals:
    """What is answered without asking the guest."""

    def test_people(self, guest: Guest) -> None:
        for action in ("quiesce", "unquiesce"):
            assert "os_compute_api:multisite:" in message(
                guest.act(action, cloud=connect("member")), "forbidden"
            )
            message(guest.act(action, cloud=connect("other")), "itemNotFound")
        assert guest.act("quiesce", {"timeout": 5}, cloud=connect("multisite")).status_code == 200
        assert guest.frozen()
        assert guest.act("unquiesce", cloud=connect("multisite")).status_code == 200
        show = connect("member").compute.get(f"/servers/{guest.id}/{ALIAS}", raise_exc=False)
        message(show, "forbidden")

    def test_bodies(self, guest: Guest) -> None:
        assert "'timeout'" in message(guest.act("quiesce", {"timeout": 0}), "badRequest")
        assert "'limit'" in message(guest.act("quiesce", {"limit": 5}), "badRequest")
        unknown = Guest("8f5a2a0a-0000-4000-8000-000000000000", "", guest.cloud)
        message(unknown.act("quiesce"), "itemNotFound")
        assert not guest.frozen()

    def test_nova_answers_all_else(self, guest: Guest) -> None:
        assert message(guest.act("no-such-action"), "badRequest")
        project = guest.cloud.current_project_id
        path = f"/{project}/servers/{guest.id}/{ALIAS}"
        assert guest.cloud.compute.get(path).json()["quiesce"]["server_id"] == guest.id
        assert guest.cloud.compute.get(f"/{project}/servers/{guest.id}").json()["server"]["id"] == guest.id

    def test_servers(self, operator: Any) -> None:
        """A server whose image says nothing of an agent; then the same one switched off."""
        server = boot(operator, image=False)
        empty = Guest(server.id, "", operator)
        began = time.time()
        assert "agent is not enabled" in message(empty.act("quiesce"), "conflictingRequest")
        assert time.time() - began < 2 + SLACK
        assert empty.record()["state"] == "thawed"
        operator.compute.stop_server(server)
        operator.compute.wait_for_server(server, "SHUTOFF", wait=120)
        assert "while it is stopped" in message(empty.act("quiesce"), "conflictingRequest")
        assert empty.act("unquiesce").status_code == 200
        operator.compute.delete_server(server)
        operator.compute.wait_for_delete(server, wait=120)


def late_freezes(guest: Guest) -> int:
    """Count the freezes that happened after their caller was told they had not, as nova-api says."""
    log = (sites.SITES[SITE].log / "nova-api.log").read_text(errors="replace")
    late = (line for line in log.splitlines() if f"Late answer of server {guest.id}" in line)
    return sum(": ok after" in line for line in late)
