"""Databases against the topology: pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from multisite.identity import numbers
from multisite.identity.check.facts import DatabaseFacts, Unseen
from multisite.identity.check.findings import Finding, Severity, unknown
from multisite.identity.render import names
from multisite.identity.render.names import Store
from multisite.identity.topology.model import Role, Topology

WRITES_ANYWAY = ("SUPER", "READ ONLY ADMIN", "READ_ONLY ADMIN", "ALL PRIVILEGES")
"""Privileges on ``*.*`` that make ``read_only`` void (MariaDB documentation, "read_only")."""


@dataclass(frozen=True)
class _Wanted:
    name: str
    value: str
    consequence: str
    severity: Severity = Severity.ERROR


def findings(topology: Topology, store: Store, facts: DatabaseFacts | Unseen) -> list[Finding]:
    """All that differs at one database."""
    return list(_found(topology, store, facts))


def where(store: Store) -> str:
    return f"{store.node} ({store.database.address}:{store.database.port})"


def _found(topology: Topology, store: Store, facts: DatabaseFacts | Unseen) -> Iterator[Finding]:
    if isinstance(facts, Unseen):
        yield unknown(store.site.name, where(store), "database", facts.reason, "answers")
        return
    replica = store.site.role == Role.REPLICA
    wanted = _replica_variables(store) if replica else _master_variables(topology, store)
    yield from _compared(store, wanted, facts.variables)
    if replica:
        yield from _following(topology, store, facts)
    else:
        yield from _compared(store, _master_status(topology, store), facts.status)
        yield from _segment(topology, store, facts)
    yield from _privileges(store, facts.privileges, replica)


def _compared(store: Store, wanted: list[_Wanted], values: Mapping[str, str]) -> Iterator[Finding]:
    for item in wanted:
        found = values.get(item.name)
        if found is None or _plain(found) != _plain(item.value):
            yield _differs(
                store,
                item.severity,
                item.name,
                item.value,
                "not there" if found is None else found,
                item.consequence,
            )


def _differs(
    store: Store, severity: Severity, what: str, expected: str, found: str, consequence: str
) -> Finding:
    return Finding(severity, store.site.name, where(store), what, expected, found, consequence)


def _plain(value: str) -> str:
    return {"1": "ON", "YES": "ON", "0": "OFF", "NO": "OFF"}.get(value.upper(), value.upper())


def _master_variables(topology: Topology, store: Store) -> list[_Wanted]:
    site = store.site.name
    gtids = (
        f"{site} writes other GTIDs than the other masters: no replica can go over from one to the"
        " other when a site is lost"
    )
    return [
        _Wanted("wsrep_on", "ON", f"what is written at {site} reaches no other master and no other site"),
        _Wanted(
            "wsrep_cluster_name", topology.galera_cluster, f"{site} cannot join the cluster at its next start"
        ),
        _Wanted(
            "read_only",
            "OFF",
            f"Keystone of {site} answers 500 to every change, and to first logins of a day",
        ),
        _Wanted("server_id", str(store.server_id), gtids),
        _Wanted("wsrep_gtid_mode", "ON", gtids),
        _Wanted("wsrep_gtid_domain_id", str(numbers.CLUSTER_DOMAIN), gtids),
        _Wanted(
            "gtid_domain_id",
            str(store.gtid_domain),
            f"what is written at {site} alone may get GTIDs of another node",
        ),
        *_master_binlog(site),
    ]


def _master_binlog(site: str) -> list[_Wanted]:
    return [
        _Wanted("log_bin", "ON", f"replicas of {site} get nothing"),
        _Wanted("log_slave_updates", "ON", f"replicas of {site} get nothing that another master wrote"),
        _Wanted(
            "binlog_format",
            "ROW",
            "Galera replicates rows only: writes are refused or differ between masters",
        ),
        _Wanted(
            "innodb_autoinc_lock_mode",
            "2",
            "concurrent writes at two masters stop each other (Galera needs 2)",
        ),
        _Wanted(
            "sync_binlog",
            "1",
            f"when the machine of {site} dies, replicas may have what it has lost",
            Severity.WARNING,
        ),
    ]


def _master_status(topology: Topology, store: Store) -> list[_Wanted]:
    site = store.site.name
    votes = numbers.votes(topology)
    return [
        _Wanted(
            "wsrep_cluster_status",
            "Primary",
            f"Keystone of {site} answers 500 to everything: its database has no majority",
        ),
        _Wanted(
            "wsrep_ready",
            "ON",
            f"Keystone of {site} answers 500 to everything: its database takes no queries",
        ),
        _Wanted(
            "wsrep_local_state_comment",
            "Synced",
            f"{site} is behind the other masters, or busy feeding one of them",
        ),
        _Wanted(
            "wsrep_cluster_size",
            str(votes),
            f"of {votes} votes (masters and arbitrator) some are missing: the next loss may stop all writes",
        ),
    ]


def _replica_variables(store: Store) -> list[_Wanted]:
    site = store.site.name
    return [
        _Wanted(
            "read_only",
            "ON",
            f"Keystone of {site} can write into this copy: such changes never reach the masters, and"
            " copying stops when they clash with the masters' own",
        ),
        _Wanted(
            "server_id",
            str(store.server_id),
            "two servers with one id: a master cuts one of them off when the other connects",
        ),
        _Wanted(
            "gtid_domain_id",
            str(store.gtid_domain),
            f"changes made here by mistake look as if {site}'s masters had made them",
        ),
        _Wanted(
            "gtid_strict_mode",
            "ON",
            "changes made here by mistake are not noticed: the copy differs and goes on",
        ),
        _Wanted(
            "log_slave_updates",
            "ON",
            "nothing else can be made a copy of this one when its master is lost",
            Severity.WARNING,
        ),
        _Wanted(
            "slave_net_timeout",
            "4",
            "a dead connection to the master is noticed late: changes arrive late",
            Severity.WARNING,
        ),
    ]


def _following(topology: Topology, store: Store, facts: DatabaseFacts) -> Iterator[Finding]:
    site, row = store.site.name, facts.replica
    assert store.database.follows is not None
    if isinstance(row, Unseen):
        yield unknown(site, where(store), "replication", row.reason, f"follows {store.database.follows}")
        return
    if row is None:
        yield _differs(
            store,
            Severity.ERROR,
            "replication",
            f"follows {store.database.follows}",
            "follows nobody",
            _old(site),
        )
        return
    yield from _source(topology, store, row)
    yield from _threads(store, row)
    yield from _copied(store, row)
    if isinstance(facts.caught_up, Unseen):
        yield unknown(site, where(store), "position", facts.caught_up.reason, "its master's")
    elif facts.caught_up is False:
        behind = f"behind ({row.get('Seconds_Behind_Master') or 'unknown'} s by its own account)"
        yield _differs(store, Severity.ERROR, "position", "its master's", behind, _old(site))


def _copied(store: Store, row: Mapping[str, str]) -> Iterator[Finding]:
    """What is copied, and how its place is known."""
    only = f"{names.SCHEMA}.%"
    if row.get("Replicate_Wild_Do_Table", "") != only:
        yield _differs(
            store,
            Severity.WARNING,
            "replicate_wild_do_table",
            only,
            row.get("Replicate_Wild_Do_Table", ""),
            "more, or less, than Keystone's database is copied: accounts of the master may replace those of this site",
        )
    if row.get("Using_Gtid", "") != "Slave_Pos":
        yield _differs(
            store,
            Severity.ERROR,
            "Using_Gtid",
            "Slave_Pos",
            row.get("Using_Gtid", ""),
            "it cannot go over to the other master by GTID when its own is lost",
        )


def _source(topology: Topology, store: Store, row: Mapping[str, str]) -> Iterator[Finding]:
    assert store.database.follows is not None
    follows = topology.site(store.database.follows)
    wanted = [f"{database.address}:{database.port}" for database in follows.databases]
    found = f"{row.get('Master_Host', '')}:{row.get('Master_Port', '')}"
    if found in wanted:
        return
    known = {f"{d.address}:{d.port}": s.name for s in topology.sites for d in s.databases}
    of = f" ({known[found]})" if found in known else ""
    yield _differs(
        store,
        Severity.ERROR,
        "master",
        f"{' or '.join(wanted)} ({follows.name})",
        found + of,
        f"when {known.get(found, found)} is lost this copy stops too: {store.site.name} then has fewer"
        " copies that go on"
        " than the topology says, perhaps none",
    )


def _threads(store: Store, row: Mapping[str, str]) -> Iterator[Finding]:
    for thread, error in (("Slave_IO_Running", "Last_IO_Error"), ("Slave_SQL_Running", "Last_SQL_Error")):
        if row.get(thread) != "Yes":
            said = f": {row[error]}" if row.get(error) else ""
            yield _differs(
                store, Severity.ERROR, thread, "Yes", f"{row.get(thread, '')}{said}", _old(store.site.name)
            )


def _old(site: str) -> str:
    return (
        "this copy gets older, without any error: tokens revoked and users disabled elsewhere are"
        f" still taken at {site}"
    )


def _segment(topology: Topology, store: Store, facts: DatabaseFacts) -> Iterator[Finding]:
    wanted = str(numbers.segment(topology, store.site))
    found = re.search(r"gmcast\.segment\s*=\s*(\d+)", facts.variables.get("wsrep_provider_options", ""))
    if found is None or found.group(1) != wanted:
        yield _differs(
            store,
            Severity.WARNING,
            "gmcast.segment",
            wanted,
            found.group(1) if found else "not there",
            "masters of different sites exchange more between sites than they need to",
        )


def _privileges(store: Store, privileges: frozenset[str] | Unseen, replica: bool) -> Iterator[Finding]:
    account, site = names.KEYSTONE_ACCOUNT, store.site.name
    if isinstance(privileges, Unseen):
        yield unknown(site, where(store), f"grants of {account}", privileges.reason, "none on *.*")
        return
    bad = sorted(privileges & set(WRITES_ANYWAY))
    more = sorted(privileges - {"USAGE"})
    if bad and replica:
        yield _differs(
            store,
            Severity.ERROR,
            f"grants of {account}",
            "none on *.*",
            ", ".join(more),
            f"read_only does not hold for Keystone of {site}: it writes into its copy, its changes"
            " never reach the masters,"
            " and copying stops when they clash",
        )
    elif more:
        yield _differs(
            store,
            Severity.WARNING,
            f"grants of {account}",
            "none on *.*",
            ", ".join(more),
            f"who gets hold of Keystone's password at {site} can do more than read and write Keystone's database",
        )
