"""The zones volumes are restored in: Cinder's, which need not be those of Nova that have their names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.recovery.recover_samples import facts, look, made, manifest

ZONES = ("nova", "az-b")


def zones(volume: str | None, server: str | None = "az-b", mapping: Any = None, known: Any = ZONES) -> Any:
    """Where the volumes will be, and what is said of it."""
    point = manifest(1)
    point = replace(
        point,
        servers=tuple(replace(s, availability_zone=server) for s in point.servers),
        volumes=tuple(replace(v, availability_zone=volume) for v in point.volumes),
    )
    target = facts(availability_zones=ZONES, volume_zones=known)
    said = [f for f in look(point, target, mapping).problems if "cross_az_attach" in f.what]
    planned = made(point, target, mapping).volumes
    assert all(v.details["blank_first"] for v in planned if v.availability_zone)
    return {v.availability_zone for v in planned}, {f.remedy for f in said}


@pytest.mark.parametrize(
    ("volume", "server"),
    [(None, "az-b"), ("nova", None), ("nova", "nova-2")],
    ids=["earlier", "not asked", "unknown"],
)
def test_without_a_word_it_is_the_default(volume: str | None, server: str | None) -> None:
    assert zones(volume, server) == ({None}, set())


def test_a_zone_that_the_server_asked_for_too_is_kept() -> None:
    assert zones("az-b", "az-b") == ({"az-b"}, set())
    assert zones("nova", "nova", {"availability_zones": {"nova": "az-b"}}) == ({"az-b"}, set())


def test_volumes_elsewhere_than_their_server_are_told() -> None:
    assert zones("nova", "az-b") == ({None}, {"map it if that matters: --map volume-zone:nova=az-b"})
    assert zones("nova", "az-b", {"volume_zones": {"nova": "az-b"}}) == ({"az-b"}, set())


def test_a_zone_that_cinder_lacks_is_told_once() -> None:
    remedy = "where it is off, map the servers to a zone that both have: --map availability-zone:az-b=..."
    for volume in ("nova", "az-b"):
        assert zones(volume, "az-b", known=("nova",)) == ({None}, {remedy})
    assert zones("az-b", "az-b", {"availability_zones": {"az-b": "nova"}}, ("nova",)) == ({"nova"}, set())
