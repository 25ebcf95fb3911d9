"""Planes are kept as they were given; those that have something in a site keep their application."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from multisite.domain.errors import Conflict, NotFound
from multisite.domain.model import Application, Site
from multisite.domain.planes import MadeAt, OrphanedResources, PlaneRecord, PlaneState, Realized, Role
from multisite.domain.stretched import StretchedNetwork, StretchKind, StretchState
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.models import PlaneRow
from multisite.store.planes import PlaneRepository
from multisite.store.sites import SiteRepository
from multisite.store.stretched import StretchedRepository

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MADE = {"west": MadeAt("n1", "s1", "10.1.0.0/24"), "east": MadeAt("n2", "s2", "10.1.0.0/24", "r2")}
PLANE = PlaneRecord(
    "pl1", "a1", "mgmt", Role.MANAGEMENT, Realized.LOCAL, ("west", "east"), None, "why", PlaneState.ACTIVE, None, MADE,
    "j1", "an error", NOON,
    (OrphanedResources("east", "j0", True, MADE["east"]), OrphanedResources("west", "j0", False)),
)  # fmt: skip


@pytest.fixture
def planes(database: Database) -> PlaneRepository:
    SiteRepository(database).add(Site("1", "west", "west", "R", "https://west/v3", "", NOON))
    ApplicationRepository(database).add(Application("a1", "vnf", "p1", "west", (), None, NOON))
    return PlaneRepository(database)


def test_what_went_in_comes_out(planes: PlaneRepository) -> None:
    planes.add(PLANE)
    other = planes.add(replace(PLANE, id="pl2", name="ext", made={}, state=PlaneState.DESCRIBED))
    assert planes.get("pl1") == planes.by_name("a1", "mgmt") == PLANE
    assert planes.of("a1") == [other, PLANE]
    assert planes.change("pl1", lambda known: replace(known, made={})).made == {}
    with pytest.raises(Conflict, match="a plane 'ext' already"):
        planes.add(replace(other, id="pl3"))
    with pytest.raises(NotFound, match="no plane 'x'"):
        planes.by_name("a1", "x")


def test_every_field_has_a_column() -> None:
    assert {field.name for field in fields(PlaneRecord)} == set(PlaneRow.__table__.columns.keys())


@pytest.mark.parametrize("state", PlaneState)
def test_an_application_goes_with_planes_of_which_nothing_is_there(
    database: Database, planes: PlaneRepository, state: PlaneState
) -> None:
    planes.add(replace(PLANE, state=state, left=()))
    planes.add(replace(PLANE, id="pl2", name="ext", state=PlaneState.DESCRIBED, left=()))
    if state in (PlaneState.DESCRIBED, PlaneState.FAILED):
        ApplicationRepository(database).delete("a1")
        assert planes.of("a1") == []
        return
    with pytest.raises(Conflict, match="realized planes"):
        ApplicationRepository(database).delete("a1")
    assert len(planes.of("a1")) == 2, "all or nothing"


def test_an_application_stays_while_something_is_left_of_a_plane(
    database: Database, planes: PlaneRepository
) -> None:
    planes.add(replace(PLANE, state=PlaneState.DESCRIBED))
    with pytest.raises(Conflict, match="realized planes"):
        ApplicationRepository(database).delete("a1")
    planes.change("pl1", lambda known: replace(known, left=()))
    ApplicationRepository(database).delete("a1")


def test_a_stretched_plane_is_there_as_long_as_its_network(
    database: Database, planes: PlaneRepository
) -> None:
    networks = StretchedRepository(database)
    networks.add(
        StretchedNetwork(
            "n1", "vnf-hb", "p1", StretchKind.VXLAN, StretchState.ACTIVE, "10.0.0.0/24", (), 5000
        )
    )
    planes.add(
        replace(
            PLANE, realized=Realized.STRETCHED, state=PlaneState.DESCRIBED, stretched_network_id="n1", left=()
        )
    )
    with pytest.raises(Conflict, match="realized planes"):
        ApplicationRepository(database).delete("a1")
    networks.delete("n1")
    ApplicationRepository(database).delete("a1")
    assert planes.of("a1") == []
