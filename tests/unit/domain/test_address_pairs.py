"""Allowed address pairs: which addresses they name, alone or in a range."""

from __future__ import annotations

import pytest

from multisite.domain.address_pairs import covers, single_addresses


@pytest.mark.parametrize(
    ("named", "address", "covered"),
    [
        ("10.0.0.5", "10.0.0.5", True),
        ("10.0.0.5/32", "10.0.0.5", True),
        ("10.0.0.0/24", "10.0.0.5", True),
        ("10.0.0.9/24", "10.0.0.5", True),
        ("2001:db8::/64", "2001:db8::5", True),
        ("10.0.0.5", "10.0.0.6", False),
        ("10.0.1.0/24", "10.0.0.5", False),
        ("::/0", "10.0.0.5", False),
    ],
)
def test_an_address_is_named_alone_or_in_a_range(named: str, address: str, covered: bool) -> None:
    assert covers([{"ip_address": "192.0.2.1"}, {"ip_address": named}], address) is covered


def test_ranges_are_no_single_addresses() -> None:
    named = ("10.0.0.5", "10.0.0.0/24", "10.0.0.5/32", "2001:db8::5", "0.0.0.0/0")
    assert single_addresses({"ip_address": one} for one in named) == ("10.0.0.5", "2001:db8::5")
