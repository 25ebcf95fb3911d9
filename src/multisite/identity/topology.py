"""One identity over many sites, as data: what runs where.  No secrets: only where they are kept.

Words as in Keystone's and MariaDB's documents: a **master** site holds a node of the synchronous (Galera) cluster, a
**replica** site holds read-only databases that follow masters asynchronously by GTID, a **client** site has no
Keystone of its own and asks another site's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Form(StrEnum):
    """The documents' candidates that can run today."""

    CLUSTER = "cluster"
    """Distributed Keystone on one synchronous cluster over all sites."""
    MULTI_CLUSTER = "multi-cluster"
    """A cluster in one site, asynchronous copies in all others."""
    STAR = "star"
    """A master cluster over two sites; in each other site two asynchronous replicas, one from each master."""
    CENTRALISED = "centralised"
    """One Keystone for all sites."""


class TokenProvider(StrEnum):
    FERNET = "fernet"
    JWS = "jws"


class Role(StrEnum):
    MASTER = "master"
    REPLICA = "replica"
    CLIENT = "client"


@dataclass(frozen=True)
class Tokens:
    """Seconds throughout.  ``allow_expired_window``: how long services may still use an expired token of a user."""

    provider: TokenProvider = TokenProvider.FERNET
    expiration: int = 3600
    allow_expired_window: int = 172_800
    rotation_interval: int = 86_400


@dataclass(frozen=True)
class Database:
    """A MariaDB server.  ``follows``: the master site a replica copies; None for a master.

    ``server_id``: of a replica; 0 means one made of its site's name and place (``numbers.server_id``).
    """

    address: str
    port: int = 3306
    follows: str | None = None
    server_id: int = 0


@dataclass(frozen=True)
class KeyHome:
    """Where a site's Keystone keeps its keys, and how to get there.

    ``transport``: ``directory`` (on this machine) or ``ssh``.  The three folders are Keystone's
    ``[fernet_tokens]``, ``[fernet_receipts]`` and ``[credential]`` ``key_repository``; ``jws_public`` and
    ``jws_private`` are ``[jwt_tokens]`` ``jws_public_key_repository`` and ``jws_private_key_repository``.
    ``owner``, ``group``: who may read them there; "" leaves what the transport's user makes.
    """

    transport: str
    fernet_tokens: str
    fernet_receipts: str
    credential: str
    jws_public: str = ""
    jws_private: str = ""
    owner: str = "keystone"
    group: str = "keystone"
    host: str = ""
    port: int = 22
    user: str = "keystone"
    client_key: str = ""
    """File of the private key to log in with; never its content."""
    known_hosts: str = ""


@dataclass(frozen=True)
class IdentitySite:
    """``address``: where its services reach the site's Keystone, by region and internal endpoint.

    ``local_port``: a replica site's Keystone itself, behind the site's proxy that splits by method at ``port``.
    ``memcached``: the site's servers (``host:port``), for Keystone and for auth_token; without, each process
    keeps what it knows to itself.
    """

    name: str
    region: str
    role: Role
    address: str
    port: int = 5000
    owner: str = ""
    """Who runs it; sites of different owners do not share keys."""
    databases: tuple[Database, ...] = ()
    keys: KeyHome | None = None
    local_port: int = 5001
    memcached: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """Internal identity endpoint of its region."""
        return f"http://{self.address}:{self.port}/v3"


@dataclass(frozen=True)
class Arbitrator:
    """Galera's garbd: a vote without data, in a third failure domain."""

    address: str
    site: str = ""


@dataclass(frozen=True)
class Topology:
    """``entry``: the one authentication URL of all sites.

    ``cache_time``: Keystone's ``cache_time`` of [token], [revoke], [role] and [identity]; ``token_cache_time``: that
    of every service's auth_token.  Their sum bounds how long a revoked token is still taken anywhere.
    """

    name: str
    form: Form
    entry: str
    sites: tuple[IdentitySite, ...]
    tokens: Tokens = field(default_factory=Tokens)
    arbitrator: Arbitrator | None = None
    cache_time: int = 2
    token_cache_time: int = 2
    galera_cluster: str = "keystone"

    def site(self, name: str) -> IdentitySite:
        """The site of that name (KeyError when there is none)."""
        return {site.name: site for site in self.sites}[name]

    @property
    def masters(self) -> tuple[IdentitySite, ...]:
        return tuple(site for site in self.sites if site.role == Role.MASTER)

    @property
    def replicas(self) -> tuple[IdentitySite, ...]:
        return tuple(site for site in self.sites if site.role == Role.REPLICA)

    @property
    def revocation_bound(self) -> int:
        """Seconds after which no service takes a revoked token any more, replication lag left out."""
        return self.cache_time + self.token_cache_time
