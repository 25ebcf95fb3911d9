"""Every figure of the model with its source.  ``bench/identity_constants.py`` measures those marked so.

Bytes on the wire are whole Ethernet frames of both directions over plain HTTP and MariaDB protocols; TLS adds some
30 bytes per record, and a handshake of some 4 kB per connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from multisite.identity.plan.demand import Write

MEASURED, DOCUMENTED, DERIVED = "measured", "documented", "derived"
_TOOL = "bench/identity_constants.py: Keystone 30.0, MariaDB 10.11, Galera 26.4"


@dataclass(frozen=True)
class Constant:
    """``kind``: measured, documented or derived; ``source``: where from, or how."""

    value: float
    unit: str
    kind: str
    source: str


def _measured(value: float, unit: str = "bytes", source: str = _TOOL) -> Constant:
    return Constant(value, unit, MEASURED, source)


def _documented(value: float, unit: str, source: str) -> Constant:
    return Constant(value, unit, DOCUMENTED, source)


def _derived(value: float, unit: str, source: str) -> Constant:
    return Constant(value, unit, DERIVED, source)


TOKEN_FERNET = _measured(183)
TOKEN_JWS = _measured(412)
TOKEN_UUID = _documented(32, "bytes", "OpenStack Security Guide, Tokens: UUID tokens are 32 bytes")
PKI_SIGNATURE = _measured(476)
"""CMS, RSA 2048 and SHA-256, with the options of python-keystoneclient's cms module."""

BODY = _measured(586)
"""A token's JSON without a catalog."""
BODY_SERVICE = _measured(115)
BODY_ENDPOINT = _measured(127)
"""Without its URL."""

WIRE_PER_BYTE = _measured(1.042, "ratio")
"""Frames per byte of content: headers and acknowledgements."""
VALIDATION = _measured(735)
"""A validation over an open connection, less its tokens and body."""
LOGIN = _measured(2400)
"""Connection, discovery and login, less token and body."""
WRITE_REQUEST = _measured(670)
"""A role change over an open connection, less the token."""

ASYNC_WRITE: Mapping[Write, Constant] = {
    Write.FIRST_LOGIN: _measured(662),
    Write.ROLE_CHANGE: _measured(700),
    Write.REVOCATION: _measured(1435),
}
"""To one replica that follows by GTID."""
ASYNC_HEARTBEAT = _measured(173)
HEARTBEAT_SECONDS = _documented(2, "s", "MASTER_HEARTBEAT_PERIOD that multisite renders")
ASYNC_LAG_SECONDS = _measured(
    0.005, "s", "lab: commit at a master to visible at a replica, the most of 100, no WAN"
)

GALERA_WRITE: Mapping[Write, Constant] = {
    Write.FIRST_LOGIN: _measured(1092),
    Write.ROLE_CHANGE: _measured(821),
    Write.REVOCATION: _measured(1758),
}
"""From the member that writes to one other."""
GALERA_SETS: Mapping[Write, Constant] = {
    Write.FIRST_LOGIN: _measured(1, "write sets"),
    Write.ROLE_CHANGE: _measured(1, "write sets"),
    Write.REVOCATION: _measured(2, "write sets"),
}
GALERA_ACK = _measured(441)
"""Per write set, from a member that did not make it to one other: each tells all what it has."""
GALERA_IDLE = _measured(88, "bytes/s")
"""From one member to one other, nothing being written."""
GALERA_IDLE_REPLY = _measured(489, "bytes/s")
"""The same, once more for every member that can be heard: each answers all when one says that it is alive."""
GALERA_MEASURED = _measured(5, "members", "lab: clusters of 2 to 5 members; larger ones are extrapolated")

TOKEN_ROW = _derived(200, "bytes", "sum of the columns of Pike's token table; the benchmark measures it")
"""UUID: a row of the token table less the body in it."""
REVOKED_TOKEN = _derived(
    80, "bytes", "an id of 32 and a time of 27 characters in JSON, as GET /v3/auth/tokens/OS-PKI/revoked"
)
REVOCATION_LIST_SECONDS = _documented(
    10, "s", "keystonemiddleware up to Newton: [keystone_authtoken] revocation_cache_time"
)

ASSERTION = _derived(
    8000,
    "bytes",
    "signed SAML 2 assertion in an ECP envelope, its answer and the session's cookies; Keystone's federation guide",
)
FEDERATED_LOGIN = _derived(4800, "bytes", "two new connections and four requests, from LOGIN")
SERVICE_PROVIDER = _derived(300, "bytes", "id, auth_url and sp_url of one service provider in a token's JSON")
KEY_PUSH = _derived(
    8000, "bytes", "an SSH login and files of 44 bytes: each distribution of keys to one site"
)

CLUSTER_SITES = _documented(5, "sites", "OPNFV Multisite: Galera's developers saw 5 data centers of 3 nodes")
CLUSTER_ROUND_TRIP_MS = _derived(
    100,
    "ms",
    "operators of London, Dallas and Sydney gave up synchronous writes; London to Dallas is about 110 ms",
)
STALL_SECONDS = _measured(6.5, "s", "lab: a member killed, until the others write again")
LINK_SHARE = _derived(0.5, "ratio", "half of a link for identity leaves room for a burst of the other half")


HEADER_LIMIT = _documented(8190, "bytes", "Apache httpd: default of LimitRequestFieldSize")


def table() -> dict[str, Constant]:
    """All of them by name; those of writes as ``NAME first login of the day``."""
    found: dict[str, Constant] = {}
    for name, value in sorted(globals().items()):
        if isinstance(value, Constant):
            found[name] = value
        elif name in ("ASYNC_WRITE", "GALERA_WRITE", "GALERA_SETS"):
            found |= {f"{name} {kind}": each for kind, each in value.items()}
    return found
