"""One real guest for the whole module, thawed before and after each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from real_guest import AGENT_UP, Guest, api_answers, boot, connect, remove, until


@pytest.fixture(scope="module")
def operator() -> Iterator[Any]:
    """The project's own administrator."""
    cloud = connect()
    remove(cloud)
    yield cloud
    remove(cloud)


@pytest.fixture(scope="module")
def booted(operator: Any) -> Guest:
    """The guest, booted once."""
    server = boot(operator, image=True)
    found = Guest(server.id, operator.compute.get_server(server).instance_name, operator)
    until("the guest's agent answers", found.agent, AGENT_UP, 1.0)
    found.act("unquiesce")  # the first commands of an agent are slow: not the test's business
    return found


@pytest.fixture
def guest(booted: Guest) -> Iterator[Guest]:
    """The guest, thawed and with a working agent before and after each test."""
    until("the guest is as it should be", booted.agent, 60.0)
    assert not booted.frozen()
    yield booted
    until("nova-api answers", lambda: api_answers(booted), 120.0, 1.0)
    until("the agent answers", booted.agent, 90.0, 1.0)
    booted.act("unquiesce")
    until("the guest is thawed for certain", booted.settled, 180.0, 1.0)
