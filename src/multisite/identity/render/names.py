"""Accounts, nodes and ports: what several rendered files have to agree on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from multisite.identity import numbers
from multisite.identity.topology.model import Database, IdentitySite, Role, Topology

SCHEMA = "keystone"
KEYSTONE_ACCOUNT = "keystone"
REPLICATION_ACCOUNT = "keystone_replication"
CHECK_ACCOUNT = "multisite_check"
HEALTH_ACCOUNT = "haproxy_check"
"""Has no password and no privilege: all it can do is ask a server for its status."""

LOCAL_DATABASE_PORT = 13306
"""Where a Keystone finds the best of its site's databases, on its own loopback, when there are several."""


@dataclass(frozen=True)
class Store:
    """A database in its site.  ``node``: its folder; ``instance``: of systemd's ``mariadb@``, "" for the machine's
    only server; ``source``: the database of the master site a replica copies."""

    site: IdentitySite
    database: Database
    node: str
    instance: str
    server_id: int
    gtid_domain: int
    source: Database | None

    @property
    def service(self) -> str:
        return f"mariadb@{self.instance}" if self.instance else "mariadb"


def stores(topology: Topology, site: IdentitySite) -> tuple[Store, ...]:
    """The databases of a site, in order."""
    machines = Counter(database.address for database in site.databases)
    return tuple(
        Store(
            site, database, f"database-{place}", f"keystone-{place}" if machines[database.address] > 1 else "",
            numbers.server_id(site, database), numbers.gtid_domain(topology, site, database),
            _source(topology, site, database),
        )
        for place, database in enumerate(site.databases, 1)
    )  # fmt: skip


def _source(topology: Topology, site: IdentitySite, database: Database) -> Database | None:
    """Replicas of one site that follow the same master site follow different databases of it, if it has several."""
    if database.follows is None:
        return None
    fellows = [other for other in site.databases if other.follows == database.follows]
    sources = topology.site(database.follows).databases
    return sources[fellows.index(database) % len(sources)]


def database_address(site: IdentitySite) -> tuple[str, int]:
    """Where the site's Keystone finds its database."""
    if len(site.databases) > 1:
        return "127.0.0.1", LOCAL_DATABASE_PORT
    return site.databases[0].address, site.databases[0].port


def keystone_port(site: IdentitySite) -> int:
    """Where the site's Keystone itself listens."""
    return site.local_port if site.role == Role.REPLICA else site.port


def has_proxy(site: IdentitySite) -> bool:
    """Whether HAProxy runs beside the site's Keystone."""
    return site.role == Role.REPLICA or len(site.databases) > 1
