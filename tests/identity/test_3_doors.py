"""The rendered proxies see what HAProxy's usual checks do not: a stopped replica, a dead database under a Keystone."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from identity.nodes import until
from identity.stage import Stage, answers, issue, logged_in, refused, revoke, validate


def states(stage: Stage, site: str, node: str) -> dict[str, str]:
    """Of every server of a proxy, by ``backend/server``: UP, DOWN or "no check"."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(stage.node(site, node).folder / "run/haproxy/admin.sock"))
        client.sendall(b"show stat\n")
        text = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    rows = [line.split(",") for line in text.splitlines() if line and not line.startswith("#")]
    return {f"{row[0]}/{row[1]}": row[17].split(" ")[0] for row in rows}


@contextmanager
def stopped(stage: Stage, *places: int) -> Iterator[None]:
    for place in places:
        stage.sql("site3", "STOP SLAVE", place)
    try:
        yield
    finally:
        for place in places:
            stage.sql("site3", "START SLAVE", place)
        for place in (1, 2):
            until(
                lambda p=place: states(stage, "site3", "keystone")[f"database/database-{p}"] == "UP",
                120,
                "a replica back",
            )


def test_a_stopped_replica_is_taken_out(star: Stage) -> None:
    """What is revoked while one copy stands still is seen at the site: its Keystone works on the other."""
    site3 = star.topology.site("site3").url
    admin, token = star.admin_token(), star.admin_token()
    assert validate(site3, token, admin) == 200
    seen: list[int] = []

    def out() -> bool:
        seen.append(validate(site3, admin, admin))
        return states(star, "site3", "keystone")["database/database-1"] == "DOWN"

    with stopped(star, 1):
        until(out, 60, "the stopped replica out")
        seen += [validate(site3, admin, admin) for _ in range(20)]
        assert set(seen) == {200}, "somebody noticed that a copy was taken out"
        assert revoke(star.topology.entry, token, admin) == 204
        until(lambda: validate(site3, token, admin) == 404, 60, "the revocation")
        assert star.sql("site3", "SELECT COUNT(*) FROM keystone.revocation_event") != star.sql(
            "site3", "SELECT COUNT(*) FROM keystone.revocation_event", 2
        ), "the stopped copy has it too: this proves nothing"


def test_old_copies_are_better_than_none(star: Stage) -> None:
    """A site cut off from all masters goes on validating, with what it has."""
    site3, admin = star.topology.site("site3").url, star.admin_token()
    with stopped(star, 1, 2):
        for place in (1, 2):
            name = f"database/database-{place}"
            until(lambda n=name: states(star, "site3", "keystone")[n] == "DOWN", 120, "both out")
        time.sleep(star.topology.revocation_bound)  # nothing of it comes from a cache
        assert validate("http://10.91.3.10:5001/v3", admin, admin) == 200
        until(lambda: validate(site3, admin, admin) == 200, 60, "validation through the proxy")


def test_a_keystone_whose_database_is_dead_is_taken_out(star: Stage) -> None:
    site1, password = star.topology.site("site1").url, star.passwords["admin"]
    star.node("site1", "database-1").stop("mariadbd")
    began = time.monotonic()
    try:
        until(
            lambda: states(star, "site1", "entry")["masters/site1"] == "DOWN", 120, "site1 out of the entry"
        )
        assert logged_in(star.topology.entry, "admin", password)
        print(
            f"\nentry serves again {time.monotonic() - began:.1f} s after the database of site1 was stopped"
        )
        assert answers(site1), "GET /v3 at site1 fails: then any check would have done"
        assert refused(lambda: issue(site1, "admin", password))
        found = star.findings("database")
        assert {(f.site, f.kind) for f in found} >= {
            ("site1", "database"),
            ("site2", "wsrep_cluster_size"),
        }
    finally:
        star.start_database(star.store("site1"))
    until(lambda: states(star, "site1", "entry")["masters/site1"] == "UP", 120, "site1 back in the entry")
    assert star.check("--wait", "60") == []
