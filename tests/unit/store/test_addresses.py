"""Whose an address may be: within a project one record, between projects the sites decide."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from multisite.domain.errors import Conflict
from multisite.domain.moving_address import AddressMember, AddressState, MovingAddress
from multisite.store.addresses import AddressRepository
from multisite.store.database import Database

AT = datetime(2026, 11, 28, tzinfo=UTC)
MEMBERS = (AddressMember("paris", "p1", "n1"), AddressMember("lyon", "p2", "n2"))
ALICES = MovingAddress(
    "a1",
    "gw",
    "203.0.113.77",
    "alice",
    MEMBERS,
    "paris",
    0,
    AddressState.CREATING,
    "none",
    "j1",
    None,
    "u",
    AT,
)


@pytest.fixture
def rows(database: Database) -> AddressRepository:
    return AddressRepository(database)


def test_another_project_may_ask_for_the_same_address(rows: AddressRepository) -> None:
    rows.add(ALICES)
    bobs = rows.add(replace(ALICES, id="b1", project_id="bob"))
    assert [one.id for one in rows.list("bob")] == [bobs.id]


@pytest.mark.parametrize(
    ("field", "other"), [("address", {"name": "gw2"}), ("name", {"address": "203.0.113.78"})]
)
def test_the_same_project_is_told(rows: AddressRepository, field: str, other: dict[str, str]) -> None:
    rows.add(ALICES)
    with pytest.raises(Conflict, match=f"^{field}: a moving address"):
        rows.add(replace(ALICES, id="a2", **other))


def test_addresses_of_the_release_before_keep_their_history(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/multisite.db")
    database.upgrade("0016")
    with database.session() as session:
        session.execute(
            text(
                "INSERT INTO moving_address (id, name, address, project_id, members, active_site, epoch, state, probe,"
                " job_id, requested_by, created_at) VALUES ('a1', 'gw', '203.0.113.77', 'alice', '[]', 'paris', 1,"
                " 'held', 'none', 'j1', 'u', '2026-01-01 00:00:00')"
            )
        )
        session.execute(
            text(
                "INSERT INTO address_epoch (address_id, epoch, site, at, raised_by, why, job_id)"
                " VALUES ('a1', 1, 'paris', '2026-01-01 00:00:00.000000', 'u', 'create', 'j1')"
            )
        )
    database.upgrade()
    (line,) = AddressRepository(database).history("a1")
    assert (line.site, line.at, line.why) == ("paris", datetime(2026, 1, 1, tzinfo=UTC), "create")
