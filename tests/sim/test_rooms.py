"""How much has to be read to follow `protection run`: the modules on the way to Cinder's POST of a backup.

Counted are the modules of ``multisite`` with a function on one of two stacks: the request's when it puts the job into
the queue, and the step's when it sends ``POST /backups``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from oslo_config import cfg

from multisite.api.app import create_app
from multisite.jobs.dbos_calls import Queue
from multisite.store.trail import AuditTrail
from multisite_lab.sim.world import World
from tests.sim.service import Service

LIMIT = 25
FIRST, LAST = "multisite.api.protections", "multisite.clouds.volumes"


def on_the_stack() -> set[str]:
    found: set[str] = set()
    frame = sys._getframe(1)
    while frame is not None:
        found.add(str(frame.f_globals.get("__name__")))
        frame = frame.f_back
    return {name for name in found if name.startswith("multisite.")}


def noting(act: Callable[..., Any], seen: set[str], wanted: Callable[..., bool]) -> Callable[..., Any]:
    def noted(*args: Any, **more: Any) -> Any:
        if wanted(*args):
            seen.update(on_the_stack())
        return act(*args, **more)

    return noted


def is_backup(_session: Any, request: Any) -> bool:
    return bool(request.method == "POST" and request.path_url.endswith("/backups"))


def test_few_modules_lie_between_the_request_and_cinder(
    world: World, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.deploy("mme", servers=1)
    protection = service.protection("mme")
    queued: set[str] = set()
    sent: set[str] = set()
    monkeypatch.setattr(Queue, "put", noting(Queue.put, queued, lambda *_: True))
    monkeypatch.setattr(requests.Session, "send", noting(requests.Session.send, sent, is_backup))
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[])
    given: Any = SimpleNamespace(
        protections=service.protections, audit=AuditTrail(service.database), staleness=service.staleness
    )
    caller = {
        "X-User-Id": "u",
        "X-User-Name": "olga",
        "X-Roles": "admin",
        "X-Project-Id": protection.project_id,
    }
    client = create_app(given, conf, auth=False).test_client()
    answer = client.post(f"/v1/protections/{protection.id}/run", json={}, headers=caller)
    service.rest(answer.json["job_id"])
    assert FIRST in queued, "the request's stack was not seen"
    assert LAST in sent, "the step's stack was not seen"
    way = sorted({Queue.__module__} | queued | sent)
    print(f"\n{len(way)} modules: {', '.join(way)}")
    assert len(way) <= LIMIT, way


def test_a_module_in_between_counts() -> None:
    """The negative control: what only passes a call on is one more to read."""
    between: dict[str, Any] = {"__name__": "multisite.between"}
    exec("def pass_on(act):\n    return act()", between)
    assert between["pass_on"](on_the_stack) - on_the_stack() == {"multisite.between"}
