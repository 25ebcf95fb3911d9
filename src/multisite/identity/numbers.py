"""Numbers that follow from a topology and have to be the same wherever they are written: pure."""

from __future__ import annotations

import math
import zlib

from multisite.identity.topology.model import Database, IdentitySite, Tokens, Topology

CLUSTER_SERVER_ID = 1
"""Of every Galera node: equal ids are what makes their GTIDs the same (MariaDB: "Using MariaDB GTIDs with
MariaDB Galera Cluster")."""
CLUSTER_DOMAIN = 10
"""``wsrep_gtid_domain_id``: the domain of all that the cluster wrote."""
_LOCAL_DOMAINS = 101
_REPLICAS = 1000
_REPLICA_RANGE = 1_000_000_000


def max_active_keys(tokens: Tokens) -> int:
    """``keys_for`` tokens, whose life ends when the window does in which expired ones are still fetched."""
    return keys_for(tokens.expiration + tokens.allow_expired_window, tokens.rotation_interval)


def keys_for(lifetime: float, interval: float) -> int:
    """Fernet keys to keep so that nothing outlives its key (Keystone's FAQ on Fernet): ``ceil(lifetime / interval)``,
    one staged and one primary.  Seconds."""
    return math.ceil(lifetime / interval) + 2


def server_id(site: IdentitySite, database: Database) -> int:
    """``server_id`` of a database.  A replica's is made of its site's name and its place there, so that it does not
    change when other sites come and go."""
    if database.follows is None:
        return CLUSTER_SERVER_ID
    if database.server_id:
        return database.server_id
    place = site.databases.index(database) + 1
    return _REPLICAS + zlib.crc32(f"{site.name}/{place}".encode()) % _REPLICA_RANGE


def gtid_domain(topology: Topology, site: IdentitySite, database: Database) -> int:
    """``gtid_domain_id``: of what is written at this database alone; differs everywhere and from the cluster's."""
    if database.follows is not None:
        return server_id(site, database)
    nodes = [node for master in topology.masters for node in master.databases]
    return _LOCAL_DOMAINS + nodes.index(database)


def votes(topology: Topology) -> int:
    """``wsrep_cluster_size`` when nothing is missing: Galera nodes and the arbitrator."""
    nodes = sum(len(site.databases) for site in topology.masters)
    return nodes + (topology.arbitrator is not None)


def segment(topology: Topology, site: IdentitySite) -> int:
    """``gmcast.segment``: nodes of one site exchange directly, one of them speaks to the other sites (at most 255)."""
    return [master.name for master in topology.masters].index(site.name) + 1


def arbitrator_segment(topology: Topology) -> int:
    """The arbitrator's own segment; its site's when it is in a master site."""
    assert topology.arbitrator is not None
    names = [master.name for master in topology.masters]
    if topology.arbitrator.site in names:
        return names.index(topology.arbitrator.site) + 1
    return len(names) + 1
