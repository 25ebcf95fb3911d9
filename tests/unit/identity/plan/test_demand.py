"""Rates of one site, by hand."""

from __future__ import annotations

import pytest

from multisite.identity.plan.demand import Write, demands, validations
from multisite.identity.plan.inputs import Inputs, checked


def asked(**more: object) -> Inputs:
    sites = [
        {"name": "a", "users": 8640, "logins_per_second": 1.0, "requests_per_second": 100.0},
        {"name": "b", "users": 2880, "logins_per_second": 0.5},
    ]
    return checked({"version": 1, "sites": sites} | more)


def test_every_request_is_a_validation_without_a_cache() -> None:
    found = asked(token_cache_time=0)
    assert validations(found, found.sites[0]) == 100.0


def test_a_cache_answers_the_uses_that_follow() -> None:
    # 3600 live tokens, each used 100/3600 times a second: asked again every 36 s + 300 s
    found = asked(token_cache_time=300)
    assert validations(found, found.sites[0]) == pytest.approx(3600 / (36 + 300))


def test_caches_that_are_not_shared_ask_more() -> None:
    one, six = asked(token_cache_time=300), asked(token_cache_time=300, token_caches_per_site=6)
    assert validations(six, six.sites[0]) == pytest.approx(6 * 3600 / (6 * 36 + 300))
    assert validations(six, six.sites[0]) > validations(one, one.sites[0])


def test_writes() -> None:
    found = demands(asked(role_changes_per_hour=4, revocations_per_hour=6))
    # 8640 users log in once a day: 0.1/s; role changes go by users (3:1), revocations by logins (2:1)
    assert dict(found["a"].writes) == {
        Write.FIRST_LOGIN: pytest.approx(0.1),
        Write.ROLE_CHANGE: pytest.approx(3 / 3600),
        Write.REVOCATION: pytest.approx(4 / 3600),
    }
    assert found["b"].written == pytest.approx(2880 / 86400 + 1 / 3600 + 2 / 3600)


def test_no_more_first_logins_than_logins() -> None:
    sites = [{"name": "a", "users": 10**9, "logins_per_second": 0.25}]
    assert dict(demands(checked({"version": 1, "sites": sites}))["a"].writes)[Write.FIRST_LOGIN] == 0.25


def test_application_credentials_log_in_locally_and_write_nothing() -> None:
    found = demands(asked(application_credential_logins=1.0))["a"]
    assert (found.logins, found.local_logins) == (0.0, 1.0)
    assert dict(found.writes)[Write.FIRST_LOGIN] == 0.0
