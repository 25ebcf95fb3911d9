"""Reading the ports of all sites at the same time, without waiting long for any of them.

A site that does not answer in time is unknown for this pass.  Its question goes on in the background and its answer
is not used later: it would be old.  It is not asked a second time meanwhile.  A site that failed is given a moment
only, until it has answered once: one dead site must not slow down the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from multisite.clouds import remote_ports
from multisite.clouds.ask import ask_all
from multisite.clouds.connect import Sites
from multisite.clouds.errors import SiteError
from multisite.domain.errors import MultisiteError
from multisite.domain.stretched import SitePorts, StretchedNetwork

DOWN_PATIENCE = 0.5
"""Seconds for a site that failed the last time."""


@dataclass(frozen=True)
class SiteAnswer:
    """What one site told, by network id: its ports, or why there is none (a network that is gone there, too)."""

    ports: Mapping[str, SitePorts]
    errors: Mapping[str, str]


class PortsReader:
    """Asks all sites at once; remembers who has not answered yet, and who failed the last time."""

    def __init__(self, clouds: Sites, patience: float) -> None:
        self._clouds, self._patience = clouds, patience
        self._asked: set[str] = set()
        self._down: set[str] = set()

    def read(self, networks: list[StretchedNetwork]) -> dict[str, SiteAnswer]:
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

    def _ask(self, site: str, here: Mapping[str, tuple[str, str]]) -> SiteAnswer:
        self._asked.add(site)
        try:
            found = self._read_site(site, here)
        finally:
            self._asked.discard(site)
        (self._down.discard if found.ports else self._down.add)(site)
        return found

    def _read_site(self, site: str, here: Mapping[str, tuple[str, str]]) -> SiteAnswer:
        try:
            found = remote_ports.read_ports(self._clouds.open_for_service(site), here)
        except (SiteError, MultisiteError) as error:
            return _silent(here, str(error))
        except Exception as error:  # whatever is wrong with an answer, it tells nothing
            return _silent(here, f"site {site}: its answer makes no sense: {type(error).__name__}: {error}")
        gone = (network for network, ports in found.items() if ports is None)
        return SiteAnswer(
            {network: ports for network, ports in found.items() if ports is not None},
            {n: f"site {site} has no network {here[n][0]} any more" for n in gone},
        )


def _silent(here: Mapping[str, tuple[str, str]], why: str) -> SiteAnswer:
    return SiteAnswer({}, dict.fromkeys(here, why))
