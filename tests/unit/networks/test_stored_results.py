"""What jobs of earlier releases stored is read as the types of today: it stays in databases for long."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from multisite.domain.errors import Invalid
from multisite.jobs.model import Made
from multisite.jobs.values import decode, plain
from multisite.networks.addresses.setup import CreateParams, Held, LetGoParams, Reserved
from multisite.networks.addresses.steps import Checked, Released
from multisite.networks.paths.steps import MadeAddress, PathParams
from multisite.networks.planes.job import MadeSubnet, RealizeParams
from multisite.networks.planes.plan import Part
from multisite.networks.planes.repair import Repaired, RepairParams
from multisite.networks.stretch.steps import Level, MadeNetwork

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
PART: dict[str, Any] = {
    "site": "paris", "project_id": "p", "cidr": None, "pool_id": "pool", "gateway": True, "external_id": None,
}  # fmt: skip
STORED: list[tuple[dict[str, Any], object]] = [
    ({"id": "n"}, Made("n")),
    ({"id": "n", "mtu": 1450}, MadeNetwork("n", 1450)),
    ({"mtu": 1450}, Level(1450)),
    ({"id": "f", "address": "192.0.2.1"}, MadeAddress("f", "192.0.2.1")),
    ({"path_id": "i", "name": "n", "sites": ["paris", "lyon"]}, PathParams("i", "n", ("paris", "lyon"))),
    ({"id": "s", "cidr": "10.0.0.0/24"}, MadeSubnet("s", "10.0.0.0/24")),
    ({"plane_id": "i", "name": "n", "parts": [PART]}, RealizeParams("i", "n", (Part(**PART),))),
    ({"repaired": ["network down"], "left": []}, Repaired(["network down"], [])),
    (
        {"plane_id": "i", "application": "mme", "job_id": "j", "sites": ["paris"]},
        RepairParams("i", "mme", "j", ("paris",)),
    ),
    (
        {"heard": None, "known": ["paris"], "holders": []},
        Checked(heard=None, known=("paris",), holders=()),
    ),
    (
        {"released": None, "asked": False, "begun": MOMENT.isoformat()},
        Released(released=None, asked=False, begun=MOMENT),
    ),
    ({"held": True}, Held(held=True)),
    ({"id": "f", "adopted": True}, Reserved("f", adopted=True)),
    (
        {"address_id": "i", "address": "192.0.2.1", "sites": ["paris"]},
        LetGoParams("i", "192.0.2.1", ("paris",)),
    ),
    (
        {"address_id": "i", "address": "192.0.2.1", "sites": ["paris"], "active": "paris", "by": "olga"},
        CreateParams("i", "192.0.2.1", ("paris",), "paris", "olga"),
    ),
]


@pytest.mark.parametrize(("stored", "value"), STORED)
def test_is_read_and_stored_as_it_was(stored: dict[str, Any], value: object) -> None:
    assert decode(stored, type(value), "stored") == value
    assert plain(value, "stored") == stored


@pytest.mark.parametrize(("stored", "value"), STORED)
def test_what_lacks_a_key_is_refused(stored: dict[str, Any], value: object) -> None:
    first = next(iter(stored))
    with pytest.raises(Invalid, match=rf"stored: not a {type(value).__name__}: {first}"):
        decode({key: item for key, item in stored.items() if key != first}, type(value), "stored")
