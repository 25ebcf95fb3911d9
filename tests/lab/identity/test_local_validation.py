"""A token issued at any site is good at every other, and no site is asked about it but the one that was given it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from real_identity import SITES, Asked, Service, running_service, token, url


@pytest.mark.parametrize("issuer", SITES)
@pytest.mark.parametrize("validator", SITES)
def test_a_token_is_validated_where_it_is_used(
    services: dict[str, Service], issuer: str, validator: str
) -> None:
    services[validator].takes(token(url(validator)))  # the service's own login and discovery are done
    fresh = token(url(issuer))
    asked = Asked()
    assert services[validator].takes(fresh)
    assert asked.validations(1) == [(validator, validator)]


def test_without_a_region_some_site_asks_another_one(tmp_path: Path) -> None:
    """The control: what region_name is for, and that the counting sees it."""
    asked = Asked()
    with ExitStack() as stack:
        for site in SITES:
            service = stack.enter_context(running_service(tmp_path, site, by_region=False, port=8081))
            assert service.takes(token(url(site)))
    found = asked.validations(len(SITES))
    assert len(found) == len(SITES)
    assert [pair for pair in found if pair[0] != pair[1]]


def test_a_forged_token_is_refused_everywhere(services: dict[str, Service]) -> None:
    good = token()
    forged = good[:-6] + ("A" * 6 if not good.endswith("A" * 6) else "B" * 6)
    assert not any(service.takes(forged) for service in services.values())
