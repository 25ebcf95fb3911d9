"""Keys, mappings, latency and revocation, by hand."""

from __future__ import annotations

import pytest

from multisite.identity.plan.burden import Burden, burden, max_active_keys
from multisite.identity.plan.candidates import named
from multisite.identity.plan.inputs import Inputs, checked
from multisite.identity.plan.places import places

LINKS = {
    "default": {"round_trip_ms": 10, "bandwidth_mbit": 1000},
    "between": [
        {"sites": ["a", "b"], "round_trip_ms": 4, "bandwidth_mbit": 1000},
        {"sites": ["b", "d"], "round_trip_ms": 60, "bandwidth_mbit": 1000},
    ],
}


def asked(**more: object) -> Inputs:
    sites = [
        {"name": name, "users": 8640, "requests_per_second": rate, "logins_per_second": 0.5}
        for name, rate in zip("abcd", (4, 3, 2, 1), strict=True)
    ]
    return checked({"version": 1, "sites": sites, "links": LINKS, "role_changes_per_hour": 4} | more)


def of(name: str, **more: object) -> Burden:
    inputs = asked(**more)
    return burden(named(name), inputs, places(named(name), inputs))


def test_a_synchronous_write_waits_for_the_farthest_pair() -> None:
    assert of("cluster-fernet").write_ms == 60


def test_a_star_s_write_goes_to_a_master_and_then_to_the_slowest_vote() -> None:
    # a and b are masters, c holds the arbitrator: 10 ms to a, then 10 ms from a to c
    assert of("star-fernet").write_ms == 20


def test_a_central_keystone_is_one_way_and_back_for_every_validation() -> None:
    assert of("centralized-fernet").validation_ms == 10
    assert of("star-fernet").validation_ms == of("centralized-pki").validation_ms == 0


@pytest.mark.parametrize(
    ("name", "secrets", "public"),
    [
        ("cluster-fernet", 6, 0),
        ("star-jws", 3, 12),
        ("cluster-uuid", 3, 0),
        ("federation", 0, 0),
        ("centralized-jws", 0, 0),
    ],
)
def test_keys_a_day(name: str, secrets: float, public: float) -> None:
    found = of(name)
    assert (found.secrets_per_day, found.public_keys_per_day) == (secrets, public)
    twice = of(name, tokens={"rotation_interval": 43_200})
    assert twice.secrets_per_day == 2 * secrets


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("cluster-fernet", 4 * 8640 + 96),
        ("star-fernet", 4 * 8640 + 96),
        ("multi-cluster-fernet", 3 * 8640 + 72),
        ("centralized-fernet", 3 * 8640 + 72),
        ("cluster-uuid", 4 * 43_200 + 96),
        ("federation", 0),
    ],
)
def test_writes_that_wait_for_another_site(name: str, wanted: float) -> None:
    assert of(name).crossing_writes_per_day == pytest.approx(wanted)


def test_quorum() -> None:
    assert (of("cluster-fernet").votes, of("cluster-fernet").quorum) == (5, 3)  # four sites and an arbitrator
    assert (of("star-fernet").votes, of("star-fernet").quorum) == (3, 2)


def test_revocation() -> None:
    assert of("centralized-fernet", token_cache_time=5).revocation_seconds == 5
    assert of("cluster-fernet", token_cache_time=5, cache_time=3).revocation_seconds == pytest.approx(8.06)
    assert of("centralized-pki").revocation_seconds == 12
    assert of("federation").revocation_seconds is None


@pytest.mark.parametrize(("interval", "wanted"), [(86_400, 5), (3600, 51), (604_800, 3)])
def test_keys_to_keep(interval: int, wanted: int) -> None:
    """ceil((1 h + 48 h) / interval) + 2."""
    assert max_active_keys(asked(tokens={"rotation_interval": interval})) == wanted
