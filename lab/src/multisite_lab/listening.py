"""Does somebody listen there?"""

from __future__ import annotations

import socket


def answers(probe: str) -> bool:
    """Whether something listens at `tcp:HOST:PORT` or `unix:PATH`; an empty probe is always content."""
    if not probe:
        return True
    kind, _, where = probe.partition(":")
    host, _, port = where.rpartition(":")
    family = socket.AF_INET if kind == "tcp" else socket.AF_UNIX
    with socket.socket(family) as connection:
        connection.settimeout(1)
        try:
            connection.connect((host, int(port)) if kind == "tcp" else where)
        except OSError:
            return False
    return True
