"""Connections to the real sites, and one server with all that belongs to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from real_thing import (
    CLOUDS,
    Maker,
    Thing,
    group_snapshot,
    make_copies,
    make_disks,
    make_floating_ip,
    make_image,
    make_networks,
    make_server,
    remove,
)  # fmt: skip

from multisite.clouds.connect import CloudSite, Sites


@pytest.fixture(scope="session")
def sites() -> Sites:
    return Sites(config_file=CLOUDS)


@pytest.fixture(scope="session")
def site(sites: Sites) -> CloudSite:
    """Site 2: the one that is left alone by whoever kills site 1."""
    return sites.open_for_service("site2")


@pytest.fixture(scope="module")
def thing(site: CloudSite) -> Iterator[Thing]:
    maker = Maker(site)
    try:
        make_networks(maker)
        make_disks(maker)
        make_server(maker)
        make_copies(maker)
        make_floating_ip(maker)
        make_image(maker)
        with group_snapshot(maker):
            yield maker.thing
    finally:
        remove(site, maker.thing.job)
