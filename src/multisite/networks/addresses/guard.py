"""The guard: reads every address again and again, and makes a site let go that came back with an old binding.

One process does it (``periodic``, continuous).
"""

from __future__ import annotations

import logging
import time

from multisite.domain.errors import MultisiteError
from multisite.domain.moving_address import MovingAddress, Verdict
from multisite.networks.addresses.service import AddressService

LOG = logging.getLogger(__name__)

SECONDS = 5.0
"""Between two checks of addresses in doubt."""
EVERY = 12
"""All others are looked at every so many rounds: a hand-made second holder is seen within a minute."""
BACK_OFF = 60.0
"""Seconds before an address is acted on again."""


class AddressGuard:
    """Its ``tick`` is a periodic task, every SECONDS."""

    def __init__(self, service: AddressService) -> None:
        self._service = service
        self._acted: dict[str, float] = {}
        self._ticks = 0

    def tick(self) -> list[str]:
        """A round; over all addresses only every so many rounds."""
        self._ticks += 1
        return self.round(everything=self._ticks % EVERY == 1)

    def round(self, *, everything: bool = True) -> list[str]:
        """One round; the jobs it started."""
        started = []
        for address in self._service.watched():
            if not (everything or address.in_doubt) or self._resting(address):
                continue
            try:
                job_id = self._check(address)
            except MultisiteError as error:
                LOG.warning("address %s could not be read: %s", address.name, error)
                continue
            if job_id is not None:
                self._acted[address.id] = time.monotonic()
                started.append(job_id)
        return started

    def _resting(self, address: MovingAddress) -> bool:
        return time.monotonic() - self._acted.get(address.id, -BACK_OFF) < BACK_OFF

    def _check(self, address: MovingAddress) -> str | None:
        found = self._service.read(address)
        if found.verdict is not Verdict.ONE:
            LOG.warning("address %s: %s: %s", address.name, found.verdict, found.sentence)
        back = {*found.released} & {*address.in_doubt}
        sites = sorted({*found.stale, *back})
        return self._service.let_go(address.id, sites) if sites else None
