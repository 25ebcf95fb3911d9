"""A service whose database was restored from a backup: it is read, and not changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

from api.conftest import ADMIN, MEMBER, asked
from api.setup import Services
from multisite.api.resources import ROUTES
from multisite.domain.installation import Mark
from multisite.store.installation import InstallationRepository


@pytest.fixture
def stale(services: Services) -> Iterator[None]:
    """A mark was found that the database does not know."""
    rows = InstallationRepository(services.database)
    rows.found_ahead(Mark(rows.this().id, 999, datetime(2026, 11, 28, 21, 0, tzinfo=UTC), "n"))
    services.staleness.check()
    yield
    rows.accept(999)
    services.staleness.check()


@pytest.mark.usefixtures("stale")
def test_changes_are_refused_with_the_command_and_recorded(client: FlaskClient, services: Services) -> None:
    answer = client.post(
        "/v1/applications", json={"name": "x", "site": "paris", "servers": []}, headers=MEMBER
    )
    assert answer.status_code == 409
    said = answer.json["error"]["message"]
    assert "the backup store knows of 999 of 2026-11-28T21:00:00+00:00" in said
    assert said.endswith("`multisite-manage db accept-restored`")
    assert [record.outcome for record in asked(services)] == ["refused"]


@pytest.mark.usefixtures("stale")
@pytest.mark.parametrize("route", [r for r in ROUTES if r.recorded], ids=lambda r: r.rule)
def test_every_change_is(client: FlaskClient, route: object) -> None:
    path = route.path.replace("{", "").replace("}", "")  # type: ignore[attr-defined]
    answer = client.open(path, method=route.method, json={}, headers=ADMIN)  # type: ignore[attr-defined]
    assert answer.status_code == 409


@pytest.mark.usefixtures("stale")
def test_reading_works_and_readiness_says_so(client: FlaskClient) -> None:
    assert client.get("/v1/applications", headers=MEMBER).status_code == 200
    answer = client.get("/readiness")
    assert (answer.status_code, answer.json["ready"], answer.json["checks"]) == (
        200,
        True,
        {"database": "ok"},
    )
    (notice,) = answer.json["notices"]
    assert "older than what was done with it" in notice
    assert "multisite-manage db accept-restored" in notice
    assert "999" not in notice


def test_one_that_is_not_stale_changes(client: FlaskClient) -> None:
    """The negative control."""
    answer = client.post(
        "/v1/applications", json={"name": "x", "site": "paris", "servers": []}, headers=MEMBER
    )
    assert answer.status_code == 400
    assert "notices" not in client.get("/readiness").json
