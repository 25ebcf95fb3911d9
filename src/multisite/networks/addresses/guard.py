"""The guard: looks at every address again and again, and makes a site let go that came back with an old binding.

One thread per process; several processes look, one acts: the address's lease decides.
"""

from __future__ import annotations

import logging
import threading
import time

from multisite.domain.errors import MultisiteError
from multisite.domain.moving_address import MovingAddress, Verdict
from multisite.networks.addresses.service import AddressService

LOG = logging.getLogger(__name__)

SECONDS = 5.0
"""Between two looks at addresses in doubt."""
EVERY = 12
"""All others are looked at every so many rounds: a hand-made second holder is seen within a minute."""
BACK_OFF = 60.0
"""Seconds before an address is acted on again."""


class AddressGuard:
    """``start`` it once the job engine runs; ``close`` ends it."""

    def __init__(self, service: AddressService, seconds: float = SECONDS) -> None:
        self._service, self._seconds = service, seconds
        self._stop = threading.Event()
        self._acted: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, name="multisite-address-guard", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(self._seconds):
            try:
                self.round(everything=number % EVERY == 0)
            except Exception:  # whatever it is, the next round is the remedy
                LOG.exception("the guard of addresses could not look")
            number += 1

    def round(self, *, everything: bool = True) -> list[str]:
        """One look; the jobs it started."""
        started = []
        for address in self._service.watched():
            if self._stop.is_set():
                break
            if not (everything or address.in_doubt) or self._resting(address):
                continue
            try:
                job_id = self._look(address)
            except MultisiteError as error:
                LOG.warning("address %s could not be looked at: %s", address.name, error)
                continue
            if job_id is not None:
                self._acted[address.id] = time.monotonic()
                started.append(job_id)
        return started

    def _resting(self, address: MovingAddress) -> bool:
        return time.monotonic() - self._acted.get(address.id, -BACK_OFF) < BACK_OFF

    def _look(self, address: MovingAddress) -> str | None:
        found = self._service.look(address)
        if found.verdict is not Verdict.ONE:
            LOG.warning("address %s: %s: %s", address.name, found.verdict, found.sentence)
        back = {f.site for f in found.findings if f.holds is False and f.site in address.in_doubt}
        sites = sorted({*found.stale, *back})
        return self._service.let_go(address.id, sites) if sites else None
