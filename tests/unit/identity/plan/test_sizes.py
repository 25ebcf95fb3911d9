"""Bytes of bodies and tokens against what the lab saw (Keystone 30, 18 endpoints per region)."""

from __future__ import annotations

import pytest

from multisite.identity.plan import sizes
from multisite.identity.plan.candidates import Format
from multisite.identity.plan.inputs import Link, uniform

INPUTS = uniform(3, users=1, logins=1, requests=1, link=Link(round_trip_ms=1, bandwidth_mbit=1))


@pytest.mark.parametrize(("regions", "seen"), [(3, 9339), (30, 81_915), (100, 270_075)])
def test_bodies_as_the_lab_saw_them(regions: int, seen: int) -> None:
    assert sizes.body(INPUTS, regions) == pytest.approx(seen, rel=0.01)


def test_a_body_without_a_catalog_does_not_grow() -> None:
    assert (
        sizes.body(INPUTS, 100, catalog=False)
        == sizes.body(INPUTS, 1, catalog=False)
        == pytest.approx(586, rel=0.01)
    )


def test_tokens() -> None:
    assert [sizes.token(INPUTS, each, 30) for each in (Format.FERNET, Format.JWS, Format.UUID)] == [
        183,
        412,
        32,
    ]


def test_only_pki_tokens_grow_with_the_catalog() -> None:
    small, large = (sizes.token(INPUTS, Format.PKI, regions) for regions in (3, 30))
    assert small == pytest.approx((sizes.body(INPUTS, 3) + 430) * 4 / 3, rel=0.02)
    assert large > 100_000
    for each in (Format.FERNET, Format.JWS, Format.UUID):
        assert sizes.token(INPUTS, each, 3) == sizes.token(INPUTS, each, 300)


def test_longer_urls_make_longer_bodies() -> None:
    longer = INPUTS.model_copy(update={"endpoint_url_bytes": INPUTS.endpoint_url_bytes + 10})
    assert sizes.body(longer, 2) - sizes.body(INPUTS, 2) == 2 * 18 * 10
