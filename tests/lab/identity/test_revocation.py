"""A revoked token is refused at every site within the bound: Keystone's cache time and auth_token's together."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import requests
from real_identity import (
    BOUND,
    ENTRY,
    SITES,
    Service,
    login,
    new_user,
    revoke,
    running_service,
    token,
    until,
    url,
)

LAG = 0.5
"""Replication, on an unhurried link."""


def last_taken(service: Service, subject: str, since: float, patience: float) -> float:
    """Seconds after `since` when a request began that was still let in; the token must be refused within patience."""
    latest = 0.0
    while time.monotonic() - since < patience:
        began = time.monotonic() - since
        if not service.takes(subject):
            return latest
        latest = began
        time.sleep(0.1)
    raise AssertionError(f"{service.site}: still taken {latest:.1f} s after the revocation")


def everywhere(services: dict[str, Service], subject: str, since: float) -> dict[str, float]:
    found: dict[str, float] = {}

    def watch(site: str) -> None:
        found[site] = last_taken(services[site], subject, since, BOUND + 20)

    threads = [threading.Thread(target=watch, args=(site,)) for site in services]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.parametrize("revoker", SITES)
def test_a_revoked_token_is_refused_everywhere_within_the_bound(
    services: dict[str, Service], admin: str, revoker: str
) -> None:
    subject = token()
    assert all(service.takes(subject) for service in services.values())  # and is in every cache now
    assert revoke(url(revoker), admin, subject).status_code == 204
    found = everywhere(services, subject, time.monotonic())
    print(
        f"\nrevoked at {revoker}: last taken after",
        {site: round(seconds, 2) for site, seconds in found.items()},
    )
    assert set(found) == set(SITES)
    assert max(found.values()) <= BOUND + LAG


def test_a_disabled_user_is_out_everywhere_within_the_bound(services: dict[str, Service], admin: str) -> None:
    with new_user("leaver", "one-Day") as user:
        answer = login(ENTRY, "leaver", "one-Day")
        assert answer.status_code == 201
        subject = answer.headers["X-Subject-Token"]
        assert all(service.takes(subject) for service in services.values())
        body = {"user": {"enabled": False}}
        headers = {"X-Auth-Token": admin}
        assert (
            requests.patch(f"{ENTRY}/users/{user}", json=body, headers=headers, timeout=30).status_code == 200
        )
        found = everywhere(services, subject, time.monotonic())
    print("\nuser disabled: last taken after", {site: round(seconds, 2) for site, seconds in found.items()})
    assert max(found.values()) <= BOUND + LAG


def test_a_long_cache_breaks_the_bound(tmp_path: Path, admin: str) -> None:
    """The control: it is the cache times that make the bound."""
    with running_service(tmp_path, "site3", token_cache_time=300, port=8082) as service:
        subject = token()
        assert service.takes(subject)
        assert revoke(ENTRY, admin, subject).status_code == 204
        time.sleep(BOUND + 2)
        assert service.takes(subject)


def test_a_revocation_reaches_the_copies_of_both_masters(admin: str) -> None:
    from multisite_lab.star import layout, sql

    subject = token()
    before = [sql.execute(node, "SELECT COUNT(*) FROM keystone.revocation_event") for node in layout.NODES]
    assert revoke(ENTRY, admin, subject).status_code == 204
    for node, count in zip(layout.NODES, before, strict=True):
        until(
            lambda node=node, count=count: (
                int(sql.execute(node, "SELECT COUNT(*) FROM keystone.revocation_event")) > int(count)
            ),
            f"revocation at {node.service}",
            10,
        )
