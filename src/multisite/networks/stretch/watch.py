"""Looking at all sites at the same time, without waiting long for any of them.

A site that does not answer in time is unknown for this pass.  Its question goes on in the background and its answer
is not used later: it would be old.  It is not asked a second time meanwhile.  A site that failed is given a moment
only, until it has answered once: one dead site must not slow down the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from multisite.clouds import remote_ports
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.errors import SiteError
from multisite.domain.errors import MultisiteError
from multisite.domain.stretched import Look, StretchedNetwork

DOWN_PATIENCE = 0.5
"""Seconds for a site that failed the last time."""


@dataclass(frozen=True)
class Seen:
    """What one site told, by network id: looks, or why there is none (a network that is gone there, too)."""

    looks: Mapping[str, Look]
    errors: Mapping[str, str]


class Watch:
    """Asks sites, a thread each; remembers who has not answered yet, and who failed the last time."""

    def __init__(self, clouds: Sites, patience: float) -> None:
        self._clouds, self._patience = clouds, patience
        self._asking: dict[str, threading.Thread] = {}
        self._down: set[str] = set()

    def look(self, networks: list[StretchedNetwork]) -> dict[str, Seen]:
        """By site; never raises for what a site does."""
        wanted: dict[str, dict[str, tuple[str, str]]] = {}
        for network in networks:
            for m in network.members:
                wanted.setdefault(m.site, {})[network.id] = (m.network_id, m.project_id)
        answers: dict[str, Seen] = {}
        asked: dict[str, threading.Thread] = {}
        for site, here in wanted.items():
            old = self._asking.get(site)
            if old is not None and old.is_alive():
                answers[site] = _silent(here, f"site {site} has not answered an earlier question yet")
                continue
            asked[site] = self._ask(site, here, answers)
        begun, down = time.monotonic(), set(self._down)
        for site, thread in sorted(asked.items(), key=lambda one: one[0] in down):
            deadline = begun + (DOWN_PATIENCE if site in down else self._patience)
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                self._down.add(site)
        late = {s: _silent(here, f"site {s} did not answer in time") for s, here in wanted.items()}
        return {site: answers.get(site) or late[site] for site in wanted}

    def _ask(self, site: str, here: dict[str, tuple[str, str]], answers: dict[str, Seen]) -> threading.Thread:
        def ask() -> None:
            found = look_at(lambda: self._clouds.open_for_service(site), site, here)
            (self._down.discard if found.looks else self._down.add)(site)
            answers[site] = found

        thread = threading.Thread(target=ask, name=f"look-{site}", daemon=True)
        self._asking[site] = thread
        thread.start()
        return thread


def look_at(open_site: Callable[[], CloudSite], site: str, here: Mapping[str, tuple[str, str]]) -> Seen:
    """Ask one site now."""
    try:
        found = remote_ports.look(open_site(), here)
    except (SiteError, MultisiteError) as error:
        return _silent(here, str(error))
    except Exception as error:  # whatever is wrong with an answer, it is no look
        return _silent(here, f"site {site}: its answer makes no sense: {type(error).__name__}: {error}")
    looks = {network: look for network, look in found.items() if look is not None}
    gone = {
        n: f"site {site} has no network {here[n][0]} any more" for n, look in found.items() if look is None
    }
    return Seen(looks, gone)


def _silent(here: Mapping[str, tuple[str, str]], why: str) -> Seen:
    return Seen({}, dict.fromkeys(here, why))
