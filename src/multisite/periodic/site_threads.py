"""Sites do not wait for each other: a periodic task's work for a site has a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

from multisite.domain.fence import FencedThreads

ItemT = TypeVar("ItemT")
SITES = 32
"""Threads: one for each site with something due, at most."""


class SiteThreads(Generic[ItemT]):
    """``work`` gets what is due of one site, in order; ``name`` is that of its threads."""

    def __init__(self, name: str, work: Callable[[list[ItemT]], None]) -> None:
        self._threads = FencedThreads(SITES, name)
        self._work = work
        self._sites: dict[str, Future[None]] = {}

    def begin(self, due: Mapping[str, list[ItemT]]) -> None:
        """Begin what is due, by site; a site that is still at work with what was due before is left alone."""
        for site, items in due.items():
            busy = self._sites.get(site)
            if busy is None or busy.done():
                self._sites[site] = self._threads.submit(self._work, items)

    def settle(self, seconds: float = 60.0) -> None:
        """Wait for what was begun."""
        wait(self._sites.values(), seconds)

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
