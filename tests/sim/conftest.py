"""Two simulated sites and a service over them, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from multisite_lab.sim.world import World, make_world
from tests.sim.service import Service, running_service
from tests.sim.syncs import Syncs


@pytest.fixture
def world() -> Iterator[World]:
    with make_world() as made:
        yield made


@pytest.fixture
def service(world: World, tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path, world) as made:
        yield made


@pytest.fixture
def syncs(tmp_path: Path) -> Iterator[Syncs]:
    """Over three sites."""
    with make_world(("site1", "site2", "site3")) as world, running_service(tmp_path, world) as service:
        yield Syncs(service, world)
