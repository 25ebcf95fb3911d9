"""Two guests in two sites behind routers to one external segment: what moving addresses and L3 paths need."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from real_networks import Edge, Guest

from multisite_lab import sites

ADDRESS = "203.0.113.200"
"""In no site's allocation pool: site N allocates from .(50 N) to .(50 N + 39)."""


@dataclass(frozen=True)
class Member:
    """A guest that can get the address, and the edge of its site."""

    site: str
    guest: Guest
    edge: Edge

    @property
    def option(self) -> str:
        return f"{self.site}={self.guest.port}"


def drop_floating_ip(cloud: Any, address: str = ADDRESS) -> None:
    """What a killed run left."""
    for found in cloud.network.ips(floating_ip_address=address):
        cloud.network.delete_ip(found)


@contextmanager
def followed(address: str, interval: float = 0.1) -> Iterator[dict[str, Any]]:
    """Measure an address from the core while the block runs; the figures are there after it."""
    argv = [
        *sites.core_prefix(), sys.executable, "-m", "multisite.networks.probe", "icmp", address, "--follow", "--json",
        "--interval", str(interval), "--timeout", "0.5", "--seconds", "180",
    ]  # fmt: skip
    figures: dict[str, Any] = {}
    probe = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    try:
        yield figures
    finally:
        probe.send_signal(signal.SIGINT)
        try:
            out, _ = probe.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            probe.kill()
            raise
    figures |= json.loads(out)


def told(text: str, figures: dict[str, Any]) -> None:
    print(
        f"\n{text}: {figures['received']} of {figures['sent']} answered, outage {figures['outage']} s "
        f"(longest time without an answer {figures['longest_gap']} s), median {figures['median_ms']} ms"
    )
