"""HAProxy's question to a MariaDB server, as the bytes on the wire.

HAProxy's own ``mysql-check`` only logs in, which works at a Galera node outside the primary component and at a replica
whose master died.  These bytes log in with the account that has neither password nor privilege, and ask for one
status variable (MariaDB documentation, "Clients & Utilities / Server Protocol": connection phase, COM_QUERY).
"""

from __future__ import annotations

import struct

_PROTOCOL_41, _SECURE_CONNECTION, _PLUGIN_AUTH = 0x0200, 0x8000, 0x0008_0000
_UTF8MB4 = 45
_COM_QUIT, _COM_QUERY = b"\x01", b"\x03"

SERVING = ("wsrep_ready", "ON")
"""A Galera node that takes queries: in the primary component, and no joiner."""
FOLLOWING = ("Slave_running", "ON")
"""A replica whose two threads run and which is connected to its master; not merely trying to be."""


def login(account: str) -> str:
    """Handshake response of an account without a password, in hex."""
    flags = _PROTOCOL_41 | _SECURE_CONNECTION | _PLUGIN_AUTH
    body = struct.pack("<IIB23x", flags, 1 << 24, _UTF8MB4)
    body += account.encode() + b"\0" + b"\0" + b"mysql_native_password\0"
    return _packet(1, body)


def question(variable: str) -> str:
    """SHOW GLOBAL STATUS of one variable, in hex."""
    return _packet(0, _COM_QUERY + f"SHOW GLOBAL STATUS LIKE '{variable}'".encode())


def answer(variable: str, value: str) -> str:
    """The row that holds the wanted value, in hex: two strings, each after its length."""
    return b"".join(bytes([len(word)]) + word.encode() for word in (variable, value)).hex()


def farewell() -> str:
    """Without it the server's log gets a line per check about an aborted connection."""
    return _packet(0, _COM_QUIT)


def _packet(number: int, body: bytes) -> str:
    return (len(body).to_bytes(3, "little") + bytes([number]) + body).hex()
