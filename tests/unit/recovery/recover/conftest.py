"""A service that runs for the tests of a module, with a fresh target for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from multisite.clouds.resources import lifecycle
from multisite.recovery.recover import service
from tests.unit.recovery.recover_world import World


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("recovering"))
    yield world
    world.jobs.shutdown()


@pytest.fixture
def world(running: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(lifecycle, "LOOK_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(service, "read_target", running.read_facts)
    running.reset()
    return running
