"""Measuring an address from where the service runs: short, bounded, for people who wait for the answer."""

from __future__ import annotations

import threading

from multisite.domain.errors import Invalid, Unavailable
from multisite.networks.probe.echo import asker, way
from multisite.networks.probe.measure import Opens, Report, measure
from multisite.networks.probe.target import member_address

LONGEST = 30.0
"""Seconds a measurement may take: a request waits for it."""
AT_ONCE = 4
"""Measurements at the same time; who asks for more is told to wait."""


class ProbeService:
    """``opens``: how questions are sent (``echo.asker``)."""

    def __init__(self, opens: Opens = asker) -> None:
        self._opens = opens
        self._free = threading.BoundedSemaphore(AT_ONCE)

    def measure(
        self, address: str, how: str = "icmp", *, count: int = 20, interval: float = 0.2, timeout: float = 1.0
    ) -> Report:
        """Ask an address ``count`` times.  Invalid naming the field; Unavailable while too many measure already.

        Not for loopback and the like (``member_address``).
        """
        target = member_address(address)
        try:
            chosen = way(how)
        except ValueError as error:
            raise Invalid(f"way: {error}") from error
        if count * interval + timeout > LONGEST:
            raise Invalid(
                f"count: {count} questions every {interval} s take longer than {LONGEST:.0f} s: use --follow"
            )
        if not self._free.acquire(blocking=False):
            raise Unavailable(f"probe: {AT_ONCE} measurements are under way already; try again in a moment")
        try:
            return measure(target, chosen, count=count, interval=interval, timeout=timeout, opens=self._opens)
        finally:
            self._free.release()
