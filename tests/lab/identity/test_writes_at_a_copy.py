"""Site 3's databases are read-only: its proxy sends every write to a master; without it Keystone fails."""

from __future__ import annotations

import time

import requests
from real_identity import (
    DIRECT,
    ENTRY,
    admin_token,
    fails,
    in_step,
    login,
    new_user,
    revoke,
    token,
    until,
    url,
    validate,
)

from multisite_lab.star import layout, sql


def test_a_first_login_and_a_wrong_password(admin: str) -> None:
    with new_user("newcomer", "first-Day"):
        assert fails(lambda: login(DIRECT, "newcomer", "first-Day"))  # the control: set_last_active_at
        assert login(url("site3"), "newcomer", "first-Day").status_code == 201
        assert fails(lambda: login(DIRECT, "newcomer", "wrong"))  # the control: the failure is counted
        assert login(url("site3"), "newcomer", "wrong").status_code == 401


def test_a_revocation(admin: str) -> None:
    subject = token()
    assert fails(lambda: revoke(DIRECT, admin, subject))  # the control: a revocation event
    assert validate(url("site3"), subject) == 200
    assert revoke(url("site3"), admin, subject).status_code == 204
    until(lambda: validate(url("site3"), subject) != 200, "the revocation at site 3", layout.CACHE_TIME + 10)


def test_reads_of_site_3_stay_there() -> None:
    """A GET is answered by the site's own Keystone, from its own databases."""
    from multisite_lab.model import ALL_SITES
    from multisite_lab.star import access

    admin = admin_token()
    marks = {name: access.mark(site) for name, site in ALL_SITES.items()}
    answer = requests.get(f"{url('site3')}/projects", headers={"X-Auth-Token": admin}, timeout=30)
    assert answer.status_code == 200
    time.sleep(1)  # a Keystone notes a request after it has answered it
    asked = {
        name: [r for r in access.since(ALL_SITES[name], mark) if r.path.startswith("/v3/projects")]
        for name, mark in marks.items()
    }
    assert [name for name, rows in asked.items() if rows] == ["site3"]


def test_keystones_account_cannot_write_to_a_copy_whatever_it_tries() -> None:
    """read_only binds nobody who may lift it: the account Keystone uses must not."""
    until(in_step, "the databases in step", 30)
    for node in layout.NODES:
        if node.follows:
            grants = sql.execute(node, "SHOW GRANTS FOR 'keystone'@'%'")
            assert "SUPER" not in grants
            assert "READ_ONLY ADMIN" not in grants
            assert sql.execute(node, "SELECT @@read_only").strip() == "1"
    assert login(ENTRY, "nobody", "nothing").status_code == 401
