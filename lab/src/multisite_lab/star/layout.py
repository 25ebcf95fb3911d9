"""Where the parts of the one identity are: addresses, ports and names, nothing that runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from multisite_lab.model import ALL_SITES, PORTS, Site, api_url

ENTRY_ADDRESS = "192.168.251.5"
ENTRY_URL = api_url("keystone", ENTRY_ADDRESS)
"""The one authentication URL of all sites; its proxy runs in the core, which no site's loss takes away."""

MASTERS: tuple[Site, ...] = (ALL_SITES["site1"], ALL_SITES["site2"])
REPLICA_SITE: Site = ALL_SITES["site3"]
ARBITRATOR_SITE: Site = REPLICA_SITE
"""A third failure domain: with it either master site may be lost and the other one still has a majority."""

CLUSTER = "keystone"
DATABASE_PORT = 3306
GALERA_PORT = 4567
CHECK_PORT = 9200
"""Where each site's health agent answers the proxies for the site as a whole (check.py)."""
CHOSEN_DATABASE_PORT = 13306
"""On site 3's loopback: whichever of its two copies is fresh."""
BEHIND_PROXY = 5001
"""Site 3's Keystone itself; port 5000 there is the proxy that sends writes to the masters."""

CACHE_TIME = 2
TOKEN_CACHE_TIME = 2
STALE_AFTER = 5.0
"""Seconds without a sign of life from its master after which a copy is not asked any more."""


@dataclass(frozen=True)
class Node:
    """One database server of the identity; ``follows``: the master site whose changes a copy takes."""

    site: Site
    service: str
    port: int
    server_id: int
    domain: int
    follows: Site | None = None

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.site.var / self.service

    @property
    def socket(self) -> Path:
        """Where its root is let in without a password."""
        return self.site.run / f"{self.service}.sock"

    @property
    def config(self) -> Path:
        """Its option file."""
        return self.site.etc / "identity" / f"{self.service}.cnf"

    @property
    def error_log(self) -> Path:
        """What the server says."""
        return self.site.log / f"{self.service}.log"


# The masters share one server_id: their binary logs must give a change the same GTID.
NODES: tuple[Node, ...] = (
    Node(MASTERS[0], "identity-db", DATABASE_PORT, 1, 101),
    Node(MASTERS[1], "identity-db", DATABASE_PORT, 1, 102),
    Node(REPLICA_SITE, "identity-db-a", DATABASE_PORT, 31, 31, follows=MASTERS[0]),
    Node(REPLICA_SITE, "identity-db-b", DATABASE_PORT + 1, 32, 32, follows=MASTERS[1]),
)


def nodes(site: Site) -> list[Node]:
    """The database servers of a site."""
    return [node for node in NODES if node.site == site]


def node_of_master(site: Site) -> Node:
    """The Galera node of a master site."""
    return next(node for node in nodes(site) if node.follows is None)


def is_master(site: Site) -> bool:
    """Whether it holds a node of the synchronous cluster."""
    return site in MASTERS


def keystone_port(site: Site) -> int:
    """Where its Keystone listens itself."""
    return PORTS["keystone"] if is_master(site) else BEHIND_PROXY


def fresh_port(node: Node) -> int:
    """Where the health agent says whether a node is in the primary component, or a copy hears from its master."""
    return CHECK_PORT + 1 + node.port - DATABASE_PORT


def alive_port(node: Node) -> int:
    """Where the health agent says whether a server answers at all."""
    return CHECK_PORT + 11 + node.port - DATABASE_PORT
