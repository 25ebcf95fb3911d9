"""A rendered star runs; the read-only site answers what it cannot write."""

from __future__ import annotations

import time

import pytest
from identity.nodes import until
from identity.stage import USER_PASSWORD, Stage, issue, logged_in, refused, revoke, validate

LOCAL = "http://10.91.3.10:5001/v3"


def test_check_says_in_step(star: Stage) -> None:
    assert star.check() == []


def test_a_token_of_any_site_is_taken_at_all(star: Stage) -> None:
    urls = [site.url for site in star.topology.sites]
    for url in urls:
        token = logged_in(url, "admin", star.passwords["admin"])
        assert [validate(other, token, token) for other in urls] == [200, 200, 200]


def test_read_only_site_through_its_proxy(star: Stage) -> None:
    site3 = star.topology.site("site3").url
    star.user("through")
    admin = star.admin_token()
    first = issue(site3, "through", USER_PASSWORD)
    assert first.status_code == 201
    assert issue(site3, "through", "wrong").status_code == 401
    token = first.headers["X-Subject-Token"]
    urls = [site.url for site in star.topology.sites]
    assert [validate(url, token, admin) for url in urls] == [200, 200, 200]
    assert revoke(site3, token, admin) == 204
    began = time.monotonic()
    until(
        lambda: [validate(url, token, admin) for url in urls] == [404, 404, 404],
        60,
        "revocation at every site",
    )
    print(f"revoked at every site after {time.monotonic() - began:.1f} s")


def test_without_the_proxy_it_answers_500(star: Stage) -> None:
    """The negative control: the same three at the site's Keystone itself."""
    star.user("direct")
    until(
        lambda: star.sql("site3", "SELECT name FROM keystone.local_user WHERE name = 'direct'"),
        60,
        "the copy",
    )
    admin = star.admin_token()
    log = star.node("site3", "keystone").folder / "log/keystone/keystone.log"
    for request in (
        lambda: issue(LOCAL, "direct", USER_PASSWORD),
        lambda: issue(LOCAL, "admin", "wrong"),
        lambda: revoke(LOCAL, admin, admin),
    ):
        before = log.read_text().count("(1290, ")
        assert refused(request)
        assert log.read_text().count("(1290, ") > before, "it failed for another reason than read_only"
    assert validate(LOCAL, admin, admin) == 200
    assert logged_in(star.topology.entry, "direct", USER_PASSWORD)


@pytest.mark.parametrize("site", ["site1", "site3"])
def test_a_site_takes_no_token_of_strange_keys(star: Stage, site: str) -> None:
    token = star.admin_token()
    strange = token[:20] + ("A" if token[20] != "A" else "B") + token[21:]
    assert validate(star.topology.site(site).url, strange, token) == 404
