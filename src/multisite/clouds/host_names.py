"""Host names of servers: what Nova takes, and what it makes of a server's name when none is asked for.

Sources: ``hostname`` and ``fqdn`` of Nova's ``api/validation/parameter_types.py``, ``sanitize_hostname`` of its
``utils.py``.
"""

from __future__ import annotations

import re

PLAIN, DOTTED = "2.90", "2.94"
"""Microversions that take a host name: from Yoga on one label, from Antelope on one with dots."""
_LABEL = re.compile(r"[a-zA-Z0-9]+[a-zA-Z0-9-]*[a-zA-Z0-9]+")
_FULL = re.compile(r"[a-zA-Z0-9._-]{1,255}")
_LONGEST = 63


def version_for(host_name: str) -> str | None:
    """The microversion that a server of this host name is asked for with; None: no Nova takes it."""
    if len(host_name) <= _LONGEST and _LABEL.fullmatch(host_name):
        return PLAIN
    return DOTTED if _FULL.fullmatch(host_name) else None


def derived(name: str) -> str:
    """The host name that Nova gives a server of this name; "" where it takes the server's id instead."""
    latin = name.encode("latin-1", "ignore").decode("latin-1")[:_LONGEST]
    plain = re.sub(r"[^\w.-]+", "", re.sub(r"[ _.]", "-", latin))
    return plain.lower().strip(".-")
