"""Databases against the topology: pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from multisite.domain.findings import Finding, Severity
from multisite.identity import numbers
from multisite.identity.check import findings as made
from multisite.identity.check.facts import DatabaseFacts, Unknown
from multisite.identity.render import names
from multisite.identity.render.names import Store
from multisite.identity.topology.model import Role, Topology

WRITES_ANYWAY = ("SUPER", "READ ONLY ADMIN", "READ_ONLY ADMIN", "ALL PRIVILEGES")
"""Privileges on ``*.*`` that make ``read_only`` void (MariaDB documentation, "read_only")."""
_DEGRADED = Severity.DEGRADED
_RENDERED = "install the rendered file of {node} and restart its MariaDB"
_CLUSTER = "bring the databases of the cluster that are missing back, then this one (RUNBOOK.md)"
_SEED = "make {node} a copy again with the rendered SQL files (RUNBOOK.md)"
_OLD = "this copy gets older, without any error: tokens revoked and users disabled elsewhere are still taken at {site}"


@dataclass(frozen=True)
class _Expected:
    """Of one variable.  ``consequence``: with ``{site}`` for the site's name."""

    name: str
    value: str
    consequence: str
    severity: Severity = Severity.DIFFERS


def findings(topology: Topology, store: Store, facts: DatabaseFacts | Unknown) -> list[Finding]:
    """All that differs at one database."""
    return list(_found(topology, store, facts))


def _found(topology: Topology, store: Store, facts: DatabaseFacts | Unknown) -> Iterator[Finding]:
    if isinstance(facts, Unknown):
        yield _unknown(store, "database", facts)
        return
    replica = store.site.role == Role.REPLICA
    expected = _of_replica(store) if replica else _of_master(topology, store)
    yield from _compared(store, expected, facts.variables, _RENDERED)
    if replica:
        yield from _replication(topology, store, facts)
    else:
        yield from _compared(store, _cluster_status(topology), facts.status, _CLUSTER)
        yield from _segment(topology, store, facts)
    yield from _privileges(store, facts.privileges, replica)


def _compared(
    store: Store, expected: list[_Expected], values: Mapping[str, str], remedy: str
) -> Iterator[Finding]:
    for item in expected:
        found = values.get(item.name)
        if found is None or _plain(found) != _plain(item.value):
            yield _differs(store, item, "missing" if found is None else found or "empty", remedy)


def _differs(store: Store, expected: _Expected, found: str, remedy: str) -> Finding:
    site = store.site.name
    return made.differs(
        site, _where(store), expected.name, expected.value, found, expected.consequence.format(site=site),
        remedy.format(node=store.node), expected.severity,
    )  # fmt: skip


def _unknown(store: Store, setting: str, fact: Unknown) -> Finding:
    return made.unknown(store.site.name, _where(store), setting, fact)


def _where(store: Store) -> str:
    return f"{store.node} ({store.database.address}:{store.database.port})"


def _plain(value: str) -> str:
    return {"1": "ON", "YES": "ON", "0": "OFF", "NO": "OFF"}.get(value.upper(), value.upper())


def _of_master(topology: Topology, store: Store) -> list[_Expected]:
    gtids = (
        "{site} writes other GTIDs than the other masters: no replica can go over from one to the other when a site"
        " is lost"
    )
    return [
        _Expected("wsrep_on", "ON", "what is written at {site} reaches no other master and no other site"),
        _Expected("wsrep_cluster_name", topology.galera_cluster, "{site} cannot join the cluster at its next start"),
        _Expected("read_only", "OFF", "Keystone of {site} answers 500 to every change, and to first logins of a day"),
        _Expected("server_id", str(store.server_id), gtids),
        _Expected("wsrep_gtid_mode", "ON", gtids),
        _Expected("wsrep_gtid_domain_id", str(numbers.CLUSTER_DOMAIN), gtids),
        _Expected("gtid_domain_id", str(store.gtid_domain),
                  "what is written at {site} alone may get GTIDs of another node"),
        _Expected("log_bin", "ON", "replicas of {site} get nothing"),
        _Expected("log_slave_updates", "ON", "replicas of {site} get nothing that another master wrote"),
        _Expected("binlog_format", "ROW", "Galera replicates rows only: writes are refused or differ between masters"),
        _Expected("innodb_autoinc_lock_mode", "2",
                  "concurrent writes at two masters stop each other (Galera needs 2)"),
        _Expected("sync_binlog", "1", "when the machine of {site} dies, replicas may have what it has lost", _DEGRADED),
    ]  # fmt: skip


def _cluster_status(topology: Topology) -> list[_Expected]:
    votes = numbers.votes(topology)
    return [
        _Expected("wsrep_cluster_status", "Primary",
                  "Keystone of {site} answers 500 to everything: its database has no majority"),
        _Expected("wsrep_ready", "ON", "Keystone of {site} answers 500 to everything: its database takes no queries"),
        _Expected("wsrep_local_state_comment", "Synced",
                  "{site} is behind the other masters, or busy feeding one of them"),
        _Expected("wsrep_cluster_size", str(votes), f"of {votes} votes (masters and arbitrator) some are missing: the"
                  " next loss may stop all writes"),
    ]  # fmt: skip


def _of_replica(store: Store) -> list[_Expected]:
    return [
        _Expected("read_only", "ON", "Keystone of {site} can write into this copy: such changes never reach the"
                  " masters, and copying stops when they clash with the masters' own"),
        _Expected("server_id", str(store.server_id),
                  "two servers with one id: a master cuts one of them off when the other connects"),
        _Expected("gtid_domain_id", str(store.gtid_domain),
                  "changes made here by mistake look as if {site}'s masters had made them"),
        _Expected("gtid_strict_mode", "ON",
                  "changes made here by mistake are not noticed: the copy differs and goes on"),
        _Expected("log_slave_updates", "ON",
                  "nothing else can be made a copy of this one when its master is lost", _DEGRADED),
        _Expected("slave_net_timeout", "4",
                  "a dead connection to the master is noticed late: changes arrive late", _DEGRADED),
    ]  # fmt: skip


def _replication(topology: Topology, store: Store, facts: DatabaseFacts) -> Iterator[Finding]:
    row, master = facts.replica, store.database.follows
    assert master is not None
    if isinstance(row, Unknown):
        yield _unknown(store, "replication", row)
        return
    if row is None:
        yield _differs(
            store, _Expected("replication", f"following {master}", _OLD), "following nobody", _SEED
        )
        return
    yield from _source(topology, store, row)
    yield from _threads(store, row)
    yield from _compared(store, [
        _Expected("Replicate_Wild_Do_Table", f"{names.SCHEMA}.%", "more, or less, than Keystone's database is copied:"
                  " accounts of the master may replace those of this site", _DEGRADED),
    ], row, _RENDERED)  # fmt: skip
    yield from _compared(store, [
        _Expected("Using_Gtid", "Slave_Pos", "it cannot go over to the other master by GTID when its own is lost"),
    ], row, _SEED)  # fmt: skip
    if isinstance(facts.caught_up, Unknown):
        yield _unknown(store, "position", facts.caught_up)
    elif facts.caught_up is False:
        behind = f"behind ({row.get('Seconds_Behind_Master') or 'unknown'} s by its own account)"
        remedy = "wait and check again with a longer --wait; if it stays behind, look at its error log"
        yield _differs(store, _Expected("position", "its master's", _OLD), behind, remedy)


def _source(topology: Topology, store: Store, row: Mapping[str, str]) -> Iterator[Finding]:
    assert store.database.follows is not None
    follows = topology.site(store.database.follows)
    wanted = [f"{database.address}:{database.port}" for database in follows.databases]
    found = f"{row.get('Master_Host', '')}:{row.get('Master_Port', '')}"
    if found in wanted:
        return
    known = {f"{d.address}:{d.port}": s.name for s in topology.sites for d in s.databases}
    consequence = (
        f"when {known.get(found, found)} is lost this copy stops too: {{site}} then has fewer copies that go on"
        " than the topology says, perhaps none"
    )
    shown = f"{found} ({known[found]})" if found in known else found
    remedy = f"when {follows.name} is well: STOP SLAVE, CHANGE MASTER TO master_host = ..., START SLAVE at {{node}}"
    yield _differs(
        store, _Expected("master", f"{' or '.join(wanted)} ({follows.name})", consequence), shown, remedy
    )


def _threads(store: Store, row: Mapping[str, str]) -> Iterator[Finding]:
    for thread, error in (("Slave_IO_Running", "Last_IO_Error"), ("Slave_SQL_Running", "Last_SQL_Error")):
        if row.get(thread) != "Yes":
            said = f": {row[error]}" if row.get(error) else ""
            remedy = f"START SLAVE at {{node}}; when its error stays, {_SEED}"
            yield _differs(store, _Expected(thread, "Yes", _OLD), f"{row.get(thread, '')}{said}", remedy)


def _segment(topology: Topology, store: Store, facts: DatabaseFacts) -> Iterator[Finding]:
    found = re.search(r"gmcast\.segment\s*=\s*(\d+)", facts.variables.get("wsrep_provider_options", ""))
    values = {"gmcast.segment": found.group(1)} if found else {}
    consequence = "masters of different sites exchange more between sites than they need to"
    wanted = str(numbers.segment(topology, store.site))
    yield from _compared(
        store, [_Expected("gmcast.segment", wanted, consequence, _DEGRADED)], values, _RENDERED
    )


def _privileges(store: Store, privileges: frozenset[str] | Unknown, replica: bool) -> Iterator[Finding]:
    account = names.KEYSTONE_ACCOUNT
    setting = f"grants of {account}"
    if isinstance(privileges, Unknown):
        yield _unknown(store, setting, privileges)
        return
    more = sorted(privileges - {"USAGE"})
    if replica and privileges & set(WRITES_ANYWAY):
        consequence, severity = (
            "read_only does not hold for Keystone of {site}: it writes into its copy, its changes never reach the"
            " masters, and copying stops when they clash"
        ), Severity.DIFFERS  # fmt: skip
    else:
        consequence, severity = (
            "who gets hold of Keystone's password at {site} can do more than read and write Keystone's database"
        ), _DEGRADED  # fmt: skip
    if more:
        expected = _Expected(setting, "none on *.*", consequence, severity)
        yield _differs(store, expected, ", ".join(more), f"revoke them from {account} at {{node}}")
