"""Each planted drift is found, with its consequence, and nothing else is; taken back, all is in step again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from identity.nodes import until
from identity.stage import Stage

from multisite.domain.findings import in_sync
from multisite.identity.render import names, sqlcheck
from multisite_client.osc.findings import exit_status

KEYSTONE_CONF = "site3/keystone/etc/keystone/keystone.conf"
AUTHTOKEN = "site3/services/keystone_authtoken.conf"
OLD = "this copy gets older, without any error: tokens revoked and users disabled elsewhere are still taken at site3"


@dataclass(frozen=True)
class Drift:
    area: str
    plant: Callable[[Stage], None]
    undo: Callable[[Stage], None]
    what: str
    consequence: str
    status: int = 1
    severity: str = "differs"


def edited(stage: Stage, name: str, old: str, new: str) -> None:
    path = stage.tree / name
    text = path.read_text()
    assert text.count(old) == 1, (name, old)
    path.write_text(text.replace(old, new))


def edit(name: str, old: str, new: str) -> tuple[Callable[[Stage], None], Callable[[Stage], None]]:
    before: dict[str, str] = {}

    def plant(stage: Stage) -> None:
        before[name] = (stage.tree / name).read_text()
        edited(stage, name, old, new)

    return plant, lambda stage: (((stage.tree / name).write_text(before[name])), None)[1]


def sql(statement: str, back: str, place: int = 1) -> tuple[Callable[[Stage], None], Callable[[Stage], None]]:
    def run(text: str) -> Callable[[Stage], None]:
        return lambda stage: (stage.sql("site3", f"SET SESSION sql_log_bin = 0; {text}", place), None)[1]

    return run(statement), run(back)


def other_master(address: str) -> str:
    return (
        f"STOP SLAVE; CHANGE MASTER TO master_host = '{address}', master_use_gtid = slave_pos; START SLAVE;"
    )


def delete_endpoint(stage: Stage) -> None:
    (found,) = stage.identity("GET", "endpoints?region_id=RegionTwo&interface=internal")["endpoints"]
    stage.identity("DELETE", f"endpoints/{found['id']}")
    copies(stage, "2")


def make_endpoint(stage: Stage) -> None:
    (service,) = stage.identity("GET", "services?type=identity")["services"]
    url = stage.topology.site("site2").url
    endpoint = {"service_id": service["id"], "region_id": "RegionTwo", "interface": "internal", "url": url}
    stage.identity("POST", "endpoints", endpoint=endpoint)
    copies(stage, "3")


def copies(stage: Stage, count: str) -> None:
    """Until both copies have so many endpoints of site2."""
    copy = "SELECT COUNT(*) FROM keystone.endpoint WHERE region_id = 'RegionTwo'"
    until(lambda: stage.sql("site3", copy) == stage.sql("site3", copy, 2) == count, 60, "the copies")


def stop_database(stage: Stage) -> None:
    stage.node("site3", "database-2").stop("mariadbd")


def start_database(stage: Stage) -> None:
    stage.start_database(stage.store("site3", 2))
    until(lambda: stage.status(stage.store("site3", 2), sqlcheck.FOLLOWING[0]) == "ON", 120, "the copying")


SUPER = f"'{names.KEYSTONE_ACCOUNT}'@'%'"
DRIFTS = {
    "cache-time": Drift(
        "keystone", *edit(KEYSTONE_CONF, "[revoke]\ncache_time = 2\n", "[revoke]\ncache_time = 3600\n"),
        "[revoke] cache_time", "a token revoked at another site is still taken at site3 for up to 3602 s, not 4 s",
    ),
    "cache-time-left-out": Drift(
        "keystone", *edit(KEYSTONE_CONF, "[revoke]\ncache_time = 2\n", "[revoke]\n"),
        "[revoke] cache_time", "a token revoked at another site is still taken at site3 for up to 3602 s, not 4 s",
    ),
    "writable": Drift(
        "database", *sql("SET GLOBAL read_only = OFF", "SET GLOBAL read_only = ON"),
        "read_only", "Keystone of site3 can write into this copy",
    ),
    "wrong-master": Drift(
        "database", *sql(other_master("10.91.1.11"), other_master("10.91.2.11"), 2),
        "master", "when site1 is lost this copy stops too",
    ),
    "super": Drift(
        "database", *sql(f"GRANT SUPER ON *.* TO {SUPER}", f"REVOKE SUPER ON *.* FROM {SUPER}"),
        "grants of keystone", "read_only does not hold for Keystone of site3",
    ),
    "endpoint": Drift(
        "catalog", delete_endpoint, make_endpoint,
        "internal identity endpoint of RegionTwo",
        "services of RegionTwo (region_name = RegionTwo) find no Keystone: they refuse every request",
    ),
    "region-name": Drift(
        "services", *edit(AUTHTOKEN, "region_name = RegionThree\n", ""),
        "[keystone_authtoken] region_name", "this service validates tokens at the Keystone of any region",
    ),
    "token-cache-time": Drift(
        "services", *edit(AUTHTOKEN, "token_cache_time = 2\n", ""),
        "[keystone_authtoken] token_cache_time",
        "a revoked token is still taken by this service at site3 for up to 302 s (auth_token's own 300 s), not 4 s",
    ),
    "database-gone": Drift(
        "database", stop_database, start_database,
        "database", "nobody can say", status=2, severity="unknown",
    ),
}  # fmt: skip


@contextmanager
def planted(drift: Drift, stage: Stage) -> Iterator[None]:
    drift.plant(stage)
    try:
        yield
    finally:
        drift.undo(stage)
        # Each Keystone has the catalog in its cache.
        until(lambda: drift.area != "catalog" or not stage.findings(drift.area), 300, "the catalog's cache")


@pytest.mark.parametrize("name", DRIFTS)
def test_drift(star: Stage, name: str) -> None:
    drift = DRIFTS[name]
    with planted(drift, star):
        until(lambda: drift.area != "catalog" or star.findings(drift.area), 300, "the catalog's cache")
        (found,) = star.findings(drift.area)
        print(f"\n{name}: {found.kind}: {found.what.replace(str(star.tree), '')}: {found.consequence}")
        assert found.kind == drift.what
        assert found.severity == drift.severity
        assert found.consequence.startswith(drift.consequence)
        assert exit_status(in_sync([found])) == drift.status


def test_replica_stopped(star: Stage) -> None:
    """Both threads, and the position once somebody writes."""

    def seen() -> set[tuple[str, str]]:
        return {(f.kind, f.consequence) for f in star.findings("database", wait=1.0)}

    star.sql("site3", "STOP SLAVE")
    try:
        assert seen() == {("Slave_IO_Running", OLD), ("Slave_SQL_Running", OLD)}
        star.user("written-meanwhile")
        assert seen() == {("Slave_IO_Running", OLD), ("Slave_SQL_Running", OLD), ("position", OLD)}
        assert star.check("--only", "database", "--site", "site3", "--wait", "1", status=1)
    finally:
        star.sql("site3", "START SLAVE")


def test_what_nobody_may_look_at_is_unknown(star: Stage, tmp_path: Path) -> None:
    found = star.check("--only", "catalog", status=2, login=False)
    assert {f["Severity"] for f in found} == {"unknown"}
    assert [f.site for f in star.findings("keystone", configs=tmp_path)] == ["site1", "site2", "site3"]


def test_afterwards_all_is_in_step(star: Stage) -> None:
    assert star.check() == []


def test_rendering_again_changes_nothing_but_hand_made_changes_are_kept(star: Stage) -> None:
    command = ("multisite", "identity", "render", star.file, "--to", star.tree, "--secrets", star.secrets)
    star.cli(*command, "--diff", login=False)
    edited(star, KEYSTONE_CONF, "expiration = 3600\n", "expiration = 7200\n")
    try:
        star.cli(*command, login=False, status=1)
        assert "expiration = 7200\n" in (star.tree / KEYSTONE_CONF).read_text()
    finally:
        edited(star, KEYSTONE_CONF, "expiration = 7200\n", "expiration = 3600\n")
