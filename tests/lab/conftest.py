"""Fixtures over the real sites.  Everything here needs the lab up and runs inside the core namespace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from multisite_lab import sites, vnf
from multisite_lab.manager import Manager, running

SITES = ("site1", "site2")


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manager]:
    """A Multisite service with both sites registered."""
    folder: Path = tmp_path_factory.mktemp("manager")
    with running(folder, register=SITES) as manager:
        yield manager


@pytest.fixture(scope="session")
def application() -> Iterator[vnf.Vnf]:
    """A real two-server VNF in site 1, removed from both sites at the end."""
    name = "story"
    for cloud in SITES:
        vnf.destroy(cloud, name)
        if foreign := [thing for thing in vnf.leftovers(cloud) if thing.startswith(("server ", "volume "))]:
            pytest.exit(
                f"{cloud} holds things no test here made: {', '.join(foreign)}; remove them, or empty the sites "
                "with `multisite-lab down --wipe`",
                returncode=3,
            )
    yield vnf.deploy("site1", name, servers=2)
    for cloud in SITES:
        if sites.is_alive(cloud):
            vnf.destroy(cloud, name)
