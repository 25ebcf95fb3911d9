"""Two simulated sites and a house over them, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from multisite_lab.sim.world import World, make_world
from tests.sim.house import House, living


@pytest.fixture
def world() -> Iterator[World]:
    with make_world() as made:
        yield made


@pytest.fixture
def house(world: World, tmp_path: Path) -> Iterator[House]:
    with living(tmp_path, world) as made:
        yield made
