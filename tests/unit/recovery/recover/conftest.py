"""A service that runs for the tests of a module, with fresh sites for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from multisite.recovery.recover import readiness
from tests.unit.recovery.recover_world import World
from tests.unit.simulated import quick


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("recovering"))
    yield world
    world.close()


@pytest.fixture
def world(running: World, monkeypatch: pytest.MonkeyPatch) -> World:
    quick(monkeypatch)
    monkeypatch.setattr(readiness, "POLL_SECONDS", 0.02)
    running.reset()
    return running
