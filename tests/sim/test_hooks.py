"""Hooks and questions of a recovery plan over simulated sites: what is told when, asked again, and undone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from multisite.domain.errors import Conflict
from multisite.domain.model import RecoveryState
from multisite.jobs.model import JobState, StepState
from multisite.recovery.plans.outside import outside
from multisite_lab.sim.world import World, make_world
from tests.sim.judge import wrong
from tests.sim.service import MAPPING, SITE, TARGET, Service, running_service

KEPT = {name: value for name, value in MAPPING.items() if name != "source_is_fenced"}
FENCED = {"source_is_fenced": True}
GROUPS = [{"name": "data", "members": ["mme-2"]}, {"name": "front", "members": ["mme-1"]}]


@dataclass
class Heard:
    """What was asked of the other side: path, key, body; ``statuses``: its next answers, then 200."""

    http: HTTPServer
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture(scope="module")
def heard() -> Iterator[Heard]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            made.asked.append((self.path, self.headers["Idempotency-Key"], body))
            self.send_response(made.statuses.pop(0) if made.statuses else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    made = Heard(HTTPServer(("127.0.0.1", 0), Handler))
    threading.Thread(target=made.http.serve_forever, daemon=True).start()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture(scope="module")
def lost(
    tmp_path_factory: pytest.TempPathFactory, heard: Heard
) -> Iterator[tuple[World, Service, str, Path]]:
    """An application whose site is lost, its restore point, and the file that the administrator's program writes."""
    folder = tmp_path_factory.mktemp("hooks")
    programs, written = folder / "programs", folder / "written"
    programs.mkdir()
    (programs / "note").write_text(f'#!/bin/sh\necho "$MULTISITE_KEY" >> {written}; cat >> {written}\n')
    (programs / "note").chmod(0o755)
    reach = outside(hook_urls=[heard.url], hook_folder=str(programs))
    with make_world() as world, running_service(folder, world, outside=reach) as service:
        service.deploy("mme")
        job, point = service.protect("mme")
        assert job.state is JobState.DONE, job.error
        service.plans.create(service.owner(), "by-day", "mme", TARGET, mapping=KEPT, groups=GROUPS)
        world.lose(SITE)
        yield world, service, point.id, written


def _hooks(url: str) -> list[dict[str, Any]]:
    return [
        {"name": "sure", "kind": "prompt", "when": "before-recovery", "question": "Is the site really lost?"},
        {"name": "note", "kind": "command", "when": "before-group", "group": "front", "command": "note"},
        {"name": "told", "kind": "http", "when": "after-recovery", "url": f"{url}/after",
         "body": {"text": "{application} is in {target_site}", "servers": "{servers}"}},
        {"name": "gone", "kind": "http", "when": "before-undo", "url": f"{url}/undo"},
    ]  # fmt: skip


def _start(service: Service, point: str, hooks: list[dict[str, Any]]) -> str:
    (plan,) = service.plans.list(service.caller)
    service.plans.update(service.caller, plan.id, {"hooks": hooks})
    started = service.recoveries.start(service.caller, point, None, FENCED, confirm="mme", plan="by-day")
    service.rest(started.job_id)
    return started.id


def test_a_question_holds_everything_and_each_hook_has_its_moment(
    lost: tuple[World, Service, str, Path], heard: Heard
) -> None:
    world, service, point, written = lost
    id = _start(service, point, _hooks(heard.url))
    asking = service.recoveries.get(service.caller, id)
    assert asking.state is RecoveryState.PAUSED
    assert "Is the site really lost?: answer with `openstack multisite recovery answer" in str(asking.error)
    assert world.sites[TARGET].settle().state.servers == {}
    assert world.sites[TARGET].settle().state.volumes == {}, "nothing was made before the answer"

    heard.statuses = [503]
    service.rest(service.recoveries.answer(service.caller, id, "yes, burnt").job_id)
    paused = service.recoveries.get(service.caller, id)
    assert paused.state is RecoveryState.PAUSED
    assert "HTTP 503" in str(paused.error)
    assert paused.answers["prompt-1"]["text"] == "yes, burnt"
    assert paused.answers["prompt-1"]["by"] == "tester"
    key, told = written.read_text().split("\n", 1)
    assert key.endswith(":hook-2")
    assert [one["name"] for one in json.loads(told)["servers"]] == ["mme-2"], "the group before is ready"
    with pytest.raises(Conflict, match="has no open question"):
        service.recoveries.answer(service.caller, id, "again")

    job, shown = service.resume(id)
    assert (job.state, shown.state) == (JobState.DONE, RecoveryState.DONE)
    paths = [path for path, _, _ in heard.asked]
    assert paths == ["/after", "/after"], "nothing of the undo"
    assert len({key for _, key, _ in heard.asked}) == 1, "the same key, however often it is asked"
    body = heard.asked[-1][2]
    assert body["text"] == f"mme is in {TARGET}"
    assert {s["name"] for s in body["servers"]} == {"mme-1", "mme-2"}
    assert all(s["addresses"] for s in body["servers"])
    assert written.read_text().count(":hook-2") >= 1
    said = [line.message for line in job.journal]
    assert "hook sure: tester answered: yes, burnt" in said
    assert "hook told: HTTP 200" in said

    service.undone(id)
    assert heard.asked[-1][0] == "/undo"
    assert wrong(world, service) == []


def test_a_hook_that_fails_may_be_passed_over(lost: tuple[World, Service, str, Path], heard: Heard) -> None:
    world, service, point, _ = lost
    told = _hooks(heard.url)[2]
    heard.statuses = [404]
    id = _start(service, point, [told | {"on_failure": "continue"}])
    job = service.jobs.get(service.recoveries.get(service.caller, id).job_id)
    assert job.state is JobState.DONE, job.error
    assert any("hook told failed; the plan goes on: " in line.message for line in job.journal)
    assert job.step("hook-1").state is StepState.DONE
    service.undone(id)
    assert wrong(world, service) == []


def test_what_the_configuration_does_not_list_is_not_asked(
    lost: tuple[World, Service, str, Path], heard: Heard
) -> None:
    _, service, point, _ = lost
    before = len(heard.asked)
    other = heard.url.replace("127.0.0.1", "localhost")
    with pytest.raises(
        Conflict, match=r"Multisite may not ask http://localhost.*\[recovery_plans\] hook_urls"
    ):
        _start(service, point, _hooks(other))
    with pytest.raises(Conflict, match="there is no program 'other' to run"):
        _start(service, point, [_hooks(heard.url)[1] | {"command": "other"}])
    assert len(heard.asked) == before
