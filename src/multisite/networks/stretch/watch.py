"""Looking at all sites at the same time, without waiting long for any of them.

A site that does not answer in time is unknown for this pass.  Its question goes on in the background and its answer
is not used later: it would be old.  It is not asked a second time meanwhile.  A site that failed is given a moment
only, until it has answered once: one dead site must not slow down the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from multisite.clouds import remote_ports
from multisite.clouds.ask import ask_all
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
    """Asks all sites at once; remembers who has not answered yet, and who failed the last time."""

    def __init__(self, clouds: Sites, patience: float) -> None:
        self._clouds, self._patience = clouds, patience
        self._asked: set[str] = set()
        self._down: set[str] = set()

    def look(self, networks: list[StretchedNetwork]) -> dict[str, Seen]:
        """By site; never raises for what a site does."""
        wanted: dict[str, dict[str, tuple[str, str]]] = {}
        for network in networks:
            for m in network.members:
                wanted.setdefault(m.site, {})[network.id] = (m.network_id, m.project_id)
        busy = self._asked & wanted.keys()
        patience = {site: DOWN_PATIENCE if site in self._down else self._patience for site in wanted}
        answers = ask_all(
            [site for site in wanted if site not in busy],
            lambda site: self._ask(site, wanted[site]),
            seconds=patience,
        )
        self._down |= answers.unknown.keys()
        why = {s: f"site {s} has not answered an earlier question yet" for s in busy} | answers.reasons
        return {s: answers.known.get(s) or _silent(here, why[s]) for s, here in wanted.items()}

    def _ask(self, site: str, here: Mapping[str, tuple[str, str]]) -> Seen:
        self._asked.add(site)
        try:
            found = look_at(lambda: self._clouds.open_for_service(site), site, here)
            (self._down.discard if found.looks else self._down.add)(site)
            return found
        finally:
            self._asked.discard(site)


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
