"""One identity over many sites, as data: what runs where.  No secrets: only where they are kept.

Words as in Keystone's and MariaDB's documents: a **master** site holds a node of the synchronous (Galera) cluster, a
**replica** site holds read-only databases that follow masters asynchronously by GTID, a **client** site has no
Keystone of its own and asks another site's.

What each field may be stands in its type (`fields`), for `file` to check (pydantic); code that makes these objects
itself is not checked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from multisite.identity.fields import (
    Account,
    Folder,
    Host,
    Line,
    MaybeAccount,
    MaybeFile,
    MaybeFolder,
    MaybeHost,
    MaybeName,
    Name,
    Port,
    Region,
    Seconds,
    Server,
    Url,
)

# Exactly these fields, of exactly these types (YAML's `no` is not a name).
_EXACT = ConfigDict(extra="forbid", strict=True)


class Form(StrEnum):
    """The documents' candidates that can run today."""

    CLUSTER = "cluster"
    """Distributed Keystone on one synchronous cluster over all sites."""
    MULTI_CLUSTER = "multi-cluster"
    """A cluster in one site, asynchronous copies in all others."""
    STAR = "star"
    """A master cluster over two sites; in each other site two asynchronous replicas, one from each master."""
    CENTRALIZED = "centralized"
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

    __pydantic_config__ = _EXACT

    provider: TokenProvider = TokenProvider.FERNET
    expiration: Seconds = 3600
    allow_expired_window: Annotated[int, Field(ge=0, le=31_536_000)] = 172_800
    rotation_interval: Seconds = 86_400


@dataclass(frozen=True)
class Database:
    """A MariaDB server.  ``follows``: the master site a replica copies; None for a master.

    ``server_id``: of a replica; 0 means one made of its site's name and place (``numbers.server_id``).
    """

    __pydantic_config__ = _EXACT

    address: Host
    port: Port = 3306
    follows: Name | None = None
    server_id: Annotated[int, Field(ge=0, le=4_294_967_295)] = 0


@dataclass(frozen=True)
class KeyHome:
    """Where a site's Keystone keeps its keys, and how to get there.

    ``transport``: ``directory`` (on this machine) or ``ssh``.  The three folders are Keystone's
    ``[fernet_tokens]``, ``[fernet_receipts]`` and ``[credential]`` ``key_repository``; ``jws_public`` and
    ``jws_private`` are ``[jwt_tokens]`` ``jws_public_key_repository`` and ``jws_private_key_repository``.
    ``owner``, ``group``: who may read them there; "" leaves what the transport's user makes.
    """

    __pydantic_config__ = _EXACT

    transport: Literal["directory", "ssh"]
    fernet_tokens: Folder = "/etc/keystone/fernet-keys"
    fernet_receipts: Folder = "/etc/keystone/fernet-receipt-keys"
    credential: Folder = "/etc/keystone/credential-keys"
    jws_public: MaybeFolder = ""
    jws_private: MaybeFolder = ""
    owner: MaybeAccount = "keystone"
    group: MaybeAccount = "keystone"
    host: MaybeHost = ""
    port: Port = 22
    user: Account = "keystone"
    client_key: MaybeFile = ""
    """File of the private key to log in with; never its content."""
    known_hosts: MaybeFile = ""


@dataclass(frozen=True)
class IdentitySite:
    """``address``: where its services reach the site's Keystone, by region and internal endpoint.

    ``local_port``: a replica site's Keystone itself, behind the site's proxy that splits by method at ``port``.
    ``memcached``: the site's servers (``host:port``), for Keystone and for auth_token; without, each process
    keeps what it knows to itself.
    """

    __pydantic_config__ = _EXACT

    name: Name
    region: Region
    role: Role
    address: Host
    port: Port = 5000
    owner: Line = ""
    """Who runs it; sites of different owners do not share keys."""
    databases: tuple[Database, ...] = ()
    keys: KeyHome | None = None
    local_port: Port = 5001
    memcached: tuple[Server, ...] = ()

    @property
    def url(self) -> str:
        """Internal identity endpoint of its region."""
        return f"http://{self.address}:{self.port}/v3"


@dataclass(frozen=True)
class Arbitrator:
    """Galera's garbd: a vote without data, in a third failure domain."""

    __pydantic_config__ = _EXACT

    address: Host
    site: MaybeName = ""


@dataclass(frozen=True)
class Topology:
    """``entry``: the one authentication URL of all sites.

    ``cache_time``: Keystone's ``cache_time`` of [token], [revoke], [role] and [identity]; ``token_cache_time``: that
    of every service's auth_token.  Their sum bounds how long a revoked token is still taken anywhere.
    """

    __pydantic_config__ = _EXACT

    name: Name
    form: Form
    entry: Url
    sites: tuple[IdentitySite, ...]
    tokens: Tokens = field(default_factory=Tokens)
    arbitrator: Arbitrator | None = None
    cache_time: Seconds = 2
    token_cache_time: Seconds = 2
    galera_cluster: Name = "keystone"

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
