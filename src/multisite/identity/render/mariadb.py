"""MariaDB: nodes of the master cluster, replicas, the arbitrator, and the SQL that makes them ready."""

from __future__ import annotations

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
            prepare = _sql("replica-prepare.sql", secrets)
            follow = _sql("replica-follow.sql", secrets, source=store.source)
            found.append(File(site.name, store.node, PREPARE, prepare, 0o600, secret=True))
            found.append(File(site.name, store.node, FOLLOW, follow, 0o600, secret=True))
    if site == topology.masters[0]:
        first = names.stores(topology, site)[0].node
        found.append(File(site.name, first, ACCOUNTS, _sql("accounts.sql", secrets), 0o600, secret=True))
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


def _sql(name: str, secrets: Secrets, **values: object) -> str:
    """A script; what it says of an account has to be safe within quotes (``secrets``)."""
    passwords = {
        item: getattr(secrets, item).get_secret_value() for item in ("database", "replication", "check")
    }
    return from_template(
        name, schema=names.SCHEMA, keystone=names.KEYSTONE_ACCOUNT, replication=names.REPLICATION_ACCOUNT,
        check=names.CHECK_ACCOUNT, health=names.HEALTH_ACCOUNT, password=passwords, **values,
    )  # fmt: skip
