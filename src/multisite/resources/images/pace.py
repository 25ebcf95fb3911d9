"""How fast images may be sent: bytes per second from one site to another, over all that is sent at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable


class Pace:
    """``limit``: bytes per second and link, 0: as fast as it goes."""

    def __init__(
        self,
        limit: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._limit, self._clock, self._sleep = limit, clock, sleep
        self._free: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def take(self, source: str, targets: Iterable[str], count: int) -> None:
        """Wait until ``count`` bytes may go out on all these links."""
        if not self._limit:
            return
        with self._lock:
            now, until = self._clock(), 0.0
            for target in targets:
                begins = max(now, self._free.get((source, target), now))
                self._free[source, target] = begins + count / self._limit
                until = max(until, begins)
        if until > now:
            self._sleep(until - now)


class Rate:
    """Bytes so far, for whoever watches."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._begun, self._total = clock, clock(), total
        self.done = 0

    def add(self, count: int) -> str:
        """``41.2 MiB/s, 12 s left``."""
        self.done += count
        seconds = max(self._clock() - self._begun, 1e-6)
        per_second = self.done / seconds
        left = (self._total - self.done) / per_second if per_second else 0.0
        return f"{per_second / (1 << 20):.1f} MiB/s, {max(left, 0.0):.0f} s left"
