"""The reconciler's loop: a pass every interval, or at once when somebody wakes it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

from multisite.networks.stretch.notifications import Listeners
from multisite.networks.stretch.reconcile import Reconciler

LOG = logging.getLogger(__name__)

AFTER_TROUBLE = 5.0
"""Seconds until the next pass when the database did not let one through."""


class Loop:
    """``interval``: seconds from the end of a pass to the next one; 0 makes no passes of its own accord.

    ``notifications``: site -> URL of its bus; what Neutron tells there wakes the loop.
    """

    def __init__(
        self, reconciler: Reconciler, interval: float, notifications: Mapping[str, str] | None = None
    ) -> None:
        self._reconciler, self._interval = reconciler, interval
        self._listeners = Listeners(notifications or {}, self.wake)
        self._wake = threading.Event()
        self._ended = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._interval > 0 and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="networks", daemon=True)
            self._thread.start()
            self._listeners.start()

    def wake(self) -> None:
        """Something has changed in a site: look now."""
        self._wake.set()

    def stop(self, timeout: float = 10.0) -> None:
        """End after the pass under way, and let another process take over at once."""
        self._ended = True
        self._listeners.stop()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                LOG.warning("a pass over the networks is still under way: their leases end by themselves")
                return
            try:
                self._reconciler.release()
            except Exception:
                LOG.warning("leases on networks could not be given back", exc_info=True)

    def _run(self) -> None:
        while not self._ended:
            pause = self._interval
            try:
                self._reconciler.run()
            except Exception:  # the loop must outlive whatever befalls one pass
                LOG.exception("a pass over the networks failed; trying again")
                pause = max(pause, AFTER_TROUBLE)
            self._wake.wait(pause)
            self._wake.clear()
