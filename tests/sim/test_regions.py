"""An identity of two regions, and an entry of clouds.yaml that names none: refused with the words to type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from multisite.clouds import resources
from multisite.clouds.connect import Sites
from multisite.clouds.errors import Unsupported
from multisite.domain.errors import Invalid
from multisite_lab.sim.world import World, make_world
from tests.sim.service import CLOUDS, SITE, TARGET, Service, running_service


@pytest.fixture
def world() -> Iterator[World]:
    with make_world((SITE, TARGET)) as made:
        yield made


@pytest.fixture
def service(world: World, tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path, world) as made:
        yield made


def change(service: Service, **fields: object) -> None:
    path = service.folder / CLOUDS
    content = yaml.safe_load(path.read_text())
    entry = {**content["clouds"][SITE], **fields}
    content["clouds"][SITE] = {key: value for key, value in entry.items() if value is not None}
    path.write_text(yaml.safe_dump(content))
    service.clouds.drop(SITE)


def several(world: World) -> None:
    sim = world.sites[SITE].sim
    sim.settings = replace(sim.settings, other_regions=("RegionTwo",))


def test_no_region_of_two_is_refused_until_one_is_named(world: World, service: Service) -> None:
    several(world)
    change(service, region_name=None)
    region = world.sites[SITE].sim.region
    words = f"`region_name: {min(region, 'RegionTwo')} or region_name: {max(region, 'RegionTwo')}`"
    with pytest.raises(Unsupported, match=words):
        resources.list_all(service.cloud(), "server")
    check = service.sites.check(service.caller, SITE)
    assert words in str(check.error)
    path = service.folder / CLOUDS  # the next connection reads it again, without a restart
    path.write_text(path.read_text().replace(f"  {SITE}:\n", f"  {SITE}:\n    region_name: {region}\n", 1))
    assert resources.list_all(service.cloud(), "server") == []


def test_no_region_of_one_is_that_one(service: Service) -> None:
    """The negative control; the identity of a region elsewhere is no second one."""
    change(service, region_name=None)
    assert resources.list_all(service.cloud(), "server") == []


def test_a_region_that_is_named_is_taken_where_there_are_two(world: World, service: Service) -> None:
    several(world)
    assert resources.list_all(service.cloud(), "server") == []


def test_a_site_is_not_registered_with_two_regions(service: Service) -> None:
    change(service, region_name=None, regions=["R1", "R2"])
    with pytest.raises(Invalid, match=r"^cloud: entry 'site1' .* `region_name: R1 or region_name: R2`"):
        service.sites.register(service.caller, "again", SITE)
    with pytest.raises(Invalid, match="region_name: R1 or region_name: R2"):
        Sites(config_file=service.folder / CLOUDS).open_for_service(SITE)
