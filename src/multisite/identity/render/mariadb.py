"""MariaDB: nodes of the master cluster, replicas, the arbitrator, and the SQL that makes them ready."""

from __future__ import annotations

from pydantic import SecretStr

from multisite.identity import numbers
from multisite.identity.render import names
from multisite.identity.render.model import ARBITRATOR_NODE, File, from_template
from multisite.identity.render.names import Store
from multisite.identity.secrets import Secrets
from multisite.identity.topology.model import IdentitySite, Role, Topology

FOLDER = "etc/mysql/mariadb.conf.d"
ACCOUNTS = "root/identity/accounts.sql"
PREPARE = "root/identity/replica-1-prepare.sql"
FOLLOW = "root/identity/replica-2-follow.sql"


def files(topology: Topology, site: IdentitySite, secrets: Secrets) -> tuple[File, ...]:
    """Configuration of every database of a site; of a replica also the SQL that seeds it."""
    found = []
    for store in names.stores(topology, site):
        file = f"{FOLDER}/99-multisite-identity{'-' + store.instance if store.instance else ''}.cnf"
        found.append(File(site.name, store.node, file, _config(topology, store)))
        if store.source is not None:
            follow = _follow(store, secrets)
            found.append(File(site.name, store.node, PREPARE, _prepare(secrets), 0o600, secret=True))
            found.append(File(site.name, store.node, FOLLOW, follow, 0o600, secret=True))
    if site == topology.masters[0]:
        first = names.stores(topology, site)[0].node
        found.append(File(site.name, first, ACCOUNTS, _accounts(secrets), 0o600, secret=True))
    return tuple(found)


def arbitrator(topology: Topology) -> tuple[File, ...]:
    """garbd's configuration, in its site's folder; nothing without an arbitrator."""
    if topology.arbitrator is None:
        return ()
    text = from_template(
        "garb",
        topology=topology,
        nodes=cluster_addresses(topology),
        segment=numbers.arbitrator_segment(topology),
    )
    return (File(topology.arbitrator.site or "arbitrator", ARBITRATOR_NODE, "etc/default/garb", text),)


def cluster_addresses(topology: Topology) -> tuple[str, ...]:
    """Of all Galera nodes."""
    return tuple(database.address for site in topology.masters for database in site.databases)


def _config(topology: Topology, store: Store) -> str:
    if store.site.role == Role.REPLICA:
        return from_template("replica.cnf", store=store, database=store.database, schema=names.SCHEMA)
    return from_template(
        "master.cnf",
        topology=topology,
        store=store,
        address=store.database.address,
        cluster=cluster_addresses(topology),
        domain=numbers.CLUSTER_DOMAIN,
        segment=numbers.segment(topology, store.site),
    )


def _accounts(secrets: Secrets) -> str:
    lines = [
        "-- Once, at one node of the master cluster: Galera carries it to the others.",
        f"CREATE DATABASE IF NOT EXISTS {names.SCHEMA};",
        *_account(names.KEYSTONE_ACCOUNT, secrets.database, f"ALL PRIVILEGES ON {names.SCHEMA}.*"),
        *_account(names.REPLICATION_ACCOUNT, secrets.replication, "REPLICATION SLAVE ON *.*"),
        *_watchers(secrets),
    ]
    return "\n".join(lines) + "\n"


def _prepare(secrets: Secrets) -> str:
    rights = f"SELECT, INSERT, UPDATE, DELETE ON {names.SCHEMA}.*"
    lines = [
        "-- At a replica, before its copy is loaded.  Begins anew: what it had of Keystone goes.",
        "STOP SLAVE;",
        "RESET SLAVE ALL;",
        "-- Not into the replica's own binary log: its GTIDs would then not be the masters'.",
        "SET SESSION sql_log_bin = 0;",
        f"DROP DATABASE IF EXISTS {names.SCHEMA};",
        "-- Accounts are not replicated.  None of them has SUPER or READ ONLY ADMIN: these write in"
        " spite of read_only.",
        *_account(names.KEYSTONE_ACCOUNT, secrets.database, rights),
        *_watchers(secrets),
        "RESET MASTER;",
        "SET GLOBAL gtid_slave_pos = '';",
    ]
    return "\n".join(lines) + "\n"


def _follow(store: Store, secrets: Secrets) -> str:
    assert store.source is not None
    password = secrets.replication.get_secret_value()
    lines = [
        "-- At a replica, after its copy is loaded (the copy has set gtid_slave_pos).",
        f"CHANGE MASTER TO master_host = '{store.source.address}', master_port = {store.source.port},",
        f"  master_user = '{names.REPLICATION_ACCOUNT}', master_password = '{password}',",
        "  master_use_gtid = slave_pos, master_connect_retry = 1,",
        "  master_heartbeat_period = 1;",
        "START SLAVE;",
    ]
    return "\n".join(lines) + "\n"


def _watchers(secrets: Secrets) -> list[str]:
    health = f"'{names.HEALTH_ACCOUNT}'@'%'"
    return [
        *_account(names.CHECK_ACCOUNT, secrets.check, "SLAVE MONITOR ON *.*"),
        "-- For HAProxy's check: no password, no privilege.",
        f"CREATE USER IF NOT EXISTS {health};",
        f"GRANT USAGE ON *.* TO {health};",
    ]


def _account(name: str, password: SecretStr, rights: str) -> list[str]:
    # Made anew, so that it has these rights and no more, also when it was there.
    account = f"'{name}'@'%'"
    made = f"CREATE OR REPLACE USER {account} IDENTIFIED BY '{password.get_secret_value()}';"
    return [made, f"GRANT {rights} TO {account};"]
