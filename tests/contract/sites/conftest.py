"""The pairs of sites: simulated always, real when a clouds.yaml is named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from multisite_lab.sim.model import Settings
from multisite_lab.sim.world import make_world
from tests.contract.sites.pair import Pair, real, simulated

VARIABLE = "MULTISITE_CONTRACT_CLOUDS"
PAIRS = ["simulated", *(["real"] if os.environ.get(VARIABLE) else [])]


@pytest.fixture(scope="session", params=PAIRS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    if request.param == "real":
        made = real(Path(os.environ[VARIABLE]))
        try:
            yield made
        finally:
            made.close()
        return
    folder = tmp_path_factory.mktemp("sites")
    with make_world(settings=Settings(remote_port=True)) as world:
        world.write_clouds(folder / "clouds.yaml")
        made = simulated(folder)
        yield made
        made.close()
        left = [t for name in world.sites for t in _left(world.sites[name].settle())]
        assert left == [], "the checks leave nothing"


def _left(sim: object) -> list[str]:
    state = getattr(sim, "state")  # noqa: B009 - any simulated site
    kinds = ("volumes", "snapshots", "backups", "servers", "networks", "ports", "keypairs", "server_groups")
    return [f"{kind}: {list(getattr(state, kind))}" for kind in kinds if getattr(state, kind)]
