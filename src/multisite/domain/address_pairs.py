"""Allowed address pairs of ports: the addresses a server may use beside its ports' own (Networking API v2)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping

Pair = Mapping[str, str]


def covers(pairs: Iterable[Pair], address: str) -> bool:
    """Whether one of them names this address, alone or in a range."""
    wanted = ipaddress.ip_address(address)
    return any(wanted in ipaddress.ip_network(pair["ip_address"], strict=False) for pair in pairs)


def single_addresses(pairs: Iterable[Pair]) -> tuple[str, ...]:
    """Those named alone, each once: a range says what may be used, not what is."""
    blocks = [ipaddress.ip_network(pair["ip_address"], strict=False) for pair in pairs]
    single = (str(block.network_address) for block in blocks if block.prefixlen == block.max_prefixlen)
    return tuple(dict.fromkeys(single))
