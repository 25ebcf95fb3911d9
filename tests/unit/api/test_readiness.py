"""A process says when it cannot answer requests, soon, and never says why to strangers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from flask.testing import FlaskClient
from oslo_config import cfg
from webob import Request

from api.setup import Services
from multisite.api.app import create_app
from multisite.api.readiness import Readiness

SECRET = "postgresql://multisite:hunter2@db"


@pytest.fixture
def client(services: Services, keystone_conf: cfg.ConfigOpts) -> FlaskClient:
    return create_app(services, keystone_conf).test_client()


def asked(ready: Readiness) -> tuple[int, dict[str, object], float]:
    begun = time.monotonic()
    answer = Request.blank("/readiness").get_response(ready)
    return answer.status_int, answer.json, time.monotonic() - begun


def failing() -> None:
    raise OSError(SECRET)


@contextmanager
def hanging() -> Iterator[Callable[[], object]]:
    there = threading.Event()
    yield lambda: there.wait(30)
    there.set()


def test_a_service_with_its_database_is_ready_and_needs_no_token(client: FlaskClient) -> None:
    answer = client.get("/readiness")
    assert answer.status_code == 200
    assert answer.json == {"ready": True, "checks": {"database": "ok"}}


def test_one_whose_database_is_gone_is_not(client: FlaskClient, services: Services) -> None:
    services.database.engine.dispose()
    path = services.database.path
    assert path is not None
    aside = path.with_name("aside")
    path.rename(aside)
    path.mkdir()
    try:
        answer = client.get("/readiness")
        assert answer.status_code == 503
        assert answer.json == {"ready": False, "checks": {"database": "unavailable"}}
        assert client.get("/healthcheck").status_code == 200  # it lives: nothing is to be restarted
    finally:
        path.rmdir()
        aside.rename(path)
    assert client.get("/readiness").status_code == 200


def test_why_is_for_the_log_alone_and_only_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    state = {"database": failing}
    ready = Readiness(state)
    answers = [asked(ready) for _ in range(3)]
    assert [status for status, _, _ in answers] == [503] * 3
    assert SECRET not in str(answers)
    assert caplog.text.count(SECRET) == 1
    state["database"] = lambda: None
    assert asked(ready)[:2] == (200, {"ready": True, "checks": {"database": "ok"}})
    assert "database: ok" in caplog.text


def test_one_that_hangs_is_known_in_time_and_others_are_still_asked() -> None:
    with hanging() as database:
        ready = Readiness({"database": database, "other": lambda: None}, seconds=0.3)
        for _ in range(20):
            status, found, seconds = asked(ready)
            assert (status, found["checks"]) == (503, {"database": "no answer", "other": "ok"})
            assert seconds < 2
        assert sum(thread.name == "multisite-bounded" for thread in threading.enumerate()) <= 1
    deadline = time.monotonic() + 10
    while asked(ready)[0] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
