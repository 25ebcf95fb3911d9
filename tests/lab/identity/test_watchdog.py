"""The watchdog beside site 3's proxy: copies of a lost master follow the other one, and a stale copy is not asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from real_identity import (
    BOUND,
    ENTRY,
    Service,
    admin_token,
    passwords,
    revoke,
    running_service,
    token,
    until,
    url,
    validate,
)

from multisite_lab import sites
from multisite_lab.model import ALL_SITES
from multisite_lab.process import only_child
from multisite_lab.star import entry, layout, sql

RTO = 15.0
STALE_AFTER, EVERY = 3.0, 1.0
DETECTION = STALE_AFTER + 2 * EVERY + 1.0
"""How long a copy that stands still may be asked: found stale, at the next look, and told."""
COPIES = [node for node in layout.NODES if node.follows]


@contextmanager
def watchdog(folder: Path, site: str) -> Iterator[Path]:
    """Run the product's watchdog inside a site; its log."""
    found = ALL_SITES[site]
    (folder / "secret").write_text(passwords().service)
    masters = [{"site": master.name, "address": master.management} for master in layout.MASTERS]
    settings: dict[str, object] = {
        "account": "watch", "password_file": str(folder / "secret"), "masters": masters,
        "times": {"every": EVERY, "stale_after": STALE_AFTER, "repoint_after": 3, "home_after": 10},
    }  # fmt: skip
    if found == layout.REPLICA_SITE:
        settings["replicas"] = [
            {"name": n.service, "address": found.management, "port": n.port, "home": n.follows.name,
             "servers": [f"database/{n.service}"]} for n in COPIES if n.follows
        ]  # fmt: skip
        settings["proxy"] = {"socket": str(found.run / "identity-proxy.sock"), "local": ["local/site3"]}
    else:
        settings["beats_at"] = site
    file, log = folder / f"{site}.json", folder / f"{site}.log"
    file.write_text(json.dumps(settings))
    command = [*sites.site_prefix(site), sys.executable, "-m", "multisite.identity.watchdog.run", str(file)]
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=dict(os.environ))
    try:
        yield log
    finally:
        if (child := only_child(process.pid)) is not None:
            os.kill(child, signal.SIGKILL)
        process.kill()
        process.wait(10)
        print(f"\n{site}'s watchdog said:\n{log.read_text()}")


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Path]:
    """Watchdogs at all three sites; the log of site 3's."""
    with ExitStack() as stack:
        for site in ("site1", "site2"):
            stack.enter_context(watchdog(tmp_path, site))
        log = stack.enter_context(watchdog(tmp_path, "site3"))
        for node in COPIES:
            until(lambda node=node: f"{node.service} is fresh" in log.read_text(), f"{node.service} seen", 60)
        yield log
    for node in COPIES:
        set_ready(f"database/{node.service}")
    set_ready("local/site3")


def set_ready(server: str) -> None:
    """As it was without a watchdog."""
    from multisite.identity.watchdog import act

    act.set_out(layout.REPLICA_SITE.run / "identity-proxy.sock", server, out=False)


def last_taken(service: Service, subject: str, since: float) -> float:
    """Seconds after `since` when a request began that still let the bearer in."""
    latest = 0.0
    while True:
        began = time.monotonic() - since
        if not service.takes(subject):
            return latest
        latest = began
        assert began < 60, "a revoked token is taken for ever"


def canary(node: layout.Node) -> int:
    return int(
        sql.execute(
            node, "SELECT COALESCE(MAX(beats), 0) FROM keystone.multisite_canary WHERE site = 'site2'"
        )
    )


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Service]:
    # What asked the second copy, while the first was out, goes on asking it: then nothing here would prove anything.
    sql.execute(COPIES[1], "KILL CONNECTION USER keystone")
    until(lambda: validate(url("site3"), token()) == 200, "site 3's Keystone asks again", 30)
    with running_service(tmp_path, "site3", port=8083) as service:
        service.takes(token())
        yield service


def test_copies_of_a_lost_master_follow_the_other_one_and_go_home(watched: Path) -> None:
    sites.kill("site1")
    killed = time.monotonic()
    survivor = layout.node_of_master(ALL_SITES["site2"])
    until(
        lambda: sql.status(survivor).get("wsrep_cluster_size") == "2", "site 2 and the arbitrator agree", RTO
    )
    until(lambda: f"{COPIES[0].service} follows site2 now" in watched.read_text(), "a re-pointed copy", 60)
    beats = canary(survivor)
    until(lambda: min(canary(node) for node in COPIES) >= beats, "both copies follow", 60)
    took = time.monotonic() - killed
    print(f"\nboth copies follow {took:.1f} s after the loss of site 1")
    assert took <= RTO
    sites.start("site1")
    until(lambda: f"{COPIES[0].service} follows site1 now" in watched.read_text(), "the copy is home", 90)
    until(lambda: entry.servers() == {"site1": "UP", "site2": "UP"}, "both masters in the entry", 30)


@pytest.mark.parametrize("thread", ["IO_THREAD", "SQL_THREAD"])
def test_a_stopped_copy_is_taken_out_and_started_again(watched: Path, thread: str) -> None:
    sql.execute(COPIES[0], f"STOP SLAVE {thread}")
    until(lambda: f"{COPIES[0].service} is broken" in watched.read_text(), "found", 10)
    until(lambda: f"{COPIES[0].service} started again" in watched.read_text(), "started", 15)
    until(lambda: f"database/{COPIES[0].service} put back" in watched.read_text(), "put back", 15)


def test_a_copy_that_stands_still_serves_no_revoked_token_beyond_the_bound(
    watched: Path, far: Service
) -> None:
    """Stopped by an error nobody may skip; the copy answers, and would take a revoked token for ever."""
    admin, subject = admin_token(), token()
    assert far.takes(subject)
    with broken(COPIES[0]):
        assert revoke(ENTRY, admin, subject).status_code == 204
        latest = last_taken(far, subject, time.monotonic())
        print(f"\nstale copy: revoked token last taken after {latest:.1f} s (bound {BOUND} + {DETECTION})")
        assert latest <= BOUND + DETECTION
        assert f"database/{COPIES[0].service} taken out" in watched.read_text()


def test_a_copy_of_a_master_without_a_majority_is_stale_though_it_hears_from_it(
    watched: Path, far: Service
) -> None:
    admin, subject = admin_token(), token()
    assert far.takes(subject)
    with isolated():
        assert revoke(ENTRY, admin, subject).status_code == 204
        latest = last_taken(far, subject, time.monotonic())
        print(
            f"\nmaster without a majority: revoked token last taken after {latest:.1f} s (bound {BOUND} + {DETECTION})"
        )
        assert latest <= BOUND + DETECTION


def test_without_a_watchdog_that_copy_is_asked_for_ever(far: Service) -> None:
    """The control: both its threads run, its master sends heartbeats, Seconds_Behind_Master is 0."""
    admin, subject = admin_token(), token()
    assert far.takes(subject)
    with isolated():
        assert revoke(ENTRY, admin, subject).status_code == 204
        time.sleep(BOUND + DETECTION + 3)
        assert far.takes(subject)


@contextmanager
def isolated() -> Iterator[None]:
    """Site 1's node alone, without a majority, and everything else of site 1 well."""
    node = layout.node_of_master(ALL_SITES["site1"])
    sql.execute(node, "SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'")
    try:
        until(
            lambda: sql.status(node).get("wsrep_cluster_status") == "non-Primary",
            "site 1 without a majority",
            40,
        )
        until(lambda: entry.servers() == {"site1": "DOWN", "site2": "UP"}, "the entry asks site 2", 20)
        yield
    finally:
        sql.execute(node, "SET GLOBAL wsrep_provider_options = 'gmcast.isolate=0'")
        until(
            lambda: sql.status(node).get("wsrep_cluster_status") == "Primary",
            "site 1 in the majority again",
            60,
        )
        until(lambda: entry.servers() == {"site1": "UP", "site2": "UP"}, "both masters in the entry", 40)


@contextmanager
def broken(node: layout.Node) -> Iterator[None]:
    """A row the next beat will not find: the copy's SQL thread stops with error 1032."""
    sql.execute(
        node, "SET SESSION sql_log_bin = 0; SET GLOBAL read_only = 0; DELETE FROM keystone.multisite_canary;"
    )
    sql.execute(node, "SET GLOBAL read_only = 1")
    try:
        until(lambda: sql.following(node).get("Slave_SQL_Running") == "No", "the copy has stopped", 15)
        yield
    finally:
        _heal(node)


def _heal(node: layout.Node) -> None:
    """What people would do: bring the row back from a master, and go on."""
    rows = sql.execute(
        layout.node_of_master(ALL_SITES["site1"]), "SELECT site FROM keystone.multisite_canary"
    ).split()
    values = ", ".join(f"('{site}', 1)" for site in rows)
    insert = f"INSERT IGNORE INTO keystone.multisite_canary (site, beats) VALUES {values};"
    sql.execute(
        node, f"SET SESSION sql_log_bin = 0; {insert} SET GLOBAL slave_exec_mode = 'IDEMPOTENT'; START SLAVE;"
    )
    until(lambda: sql.following(node).get("Seconds_Behind_Master") == "0", "the copy follows", 30)
    sql.execute(node, "SET GLOBAL slave_exec_mode = 'STRICT'")
