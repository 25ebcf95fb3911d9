"""Carrying out what was decided: requests to all sites at the same time, bounded in each."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from multisite.clouds import remote_ports
from multisite.clouds.administrator import STRETCH_NETWORKS, administrator
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.errors import NotFoundInSite, OverQuota, Refused, SiteError
from multisite.domain.fence import FencedThreads
from multisite.domain.stretched import StretchedNetwork
from multisite.networks.stretch.decide import Change

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """``error``: why it was not done.  ``refused``: the site decided so, and will again."""

    change: Change
    error: str | None = None
    refused: bool = False

    def __str__(self) -> str:
        change = self.change
        said = f"{change.act} remote port at {change.site} for port {change.real_id} of {change.of_site}: {change.why}"
        return said if self.error is None else f"{said}: FAILED: {self.error}"


def apply(
    clouds: Sites, network: StretchedNetwork, changes: Iterable[Change], parallel: int
) -> list[Outcome]:
    """Make the changes; ``parallel`` requests at most at once in each site.

    Never raises for what a site does; a site that fails as a whole is left alone for the rest.  Raises LeaseLost.
    """
    by_site: dict[str, list[Change]] = {}
    for change in changes:
        by_site.setdefault(change.site, []).append(change)
    if not by_site:
        return []
    with FencedThreads(max_workers=len(by_site), thread_name_prefix="remote-ports") as pool:
        lists = list(pool.map(lambda site: _in_site(clouds, network, site, by_site[site], parallel), by_site))
    return [outcome for outcomes in lists for outcome in outcomes]


def _in_site(
    clouds: Sites, network: StretchedNetwork, site: str, changes: list[Change], parallel: int
) -> list[Outcome]:
    stop = threading.Event()
    # What frees addresses comes first; what is made anew is made by the same task as its removal.
    order = {"delete": 0, "update": 1, "create": 2}
    found: list[Outcome] = []
    for act in sorted({c.act for c in changes}, key=order.__getitem__):
        part = [c for c in changes if c.act == act]
        with FencedThreads(max_workers=min(parallel, len(part)), thread_name_prefix=f"ports-{site}") as pool:
            found += _mapped(pool, clouds, network, part, stop)
    return found


def _mapped(
    pool: ThreadPoolExecutor,
    clouds: Sites,
    network: StretchedNetwork,
    part: list[Change],
    stop: threading.Event,
) -> list[Outcome]:
    def one(change: Change) -> Outcome:
        if stop.is_set():
            return Outcome(change, "not tried: the site failed before")
        return _one(clouds, network, change, stop)

    return list(pool.map(one, part))


def _one(clouds: Sites, network: StretchedNetwork, change: Change, stop: threading.Event) -> Outcome:
    try:
        site = clouds.open(change.site, for_project=network.project_id)
        _request(administrator(site, STRETCH_NETWORKS), network, change)
    except OverQuota as error:
        stop.set()
        return Outcome(change, str(error), refused=True)
    except NotFoundInSite as error:
        return Outcome(change, str(error))  # it went meanwhile: the next pass decides anew
    except Refused as error:
        return Outcome(change, str(error), refused=error.site_status in (400, 403, 409))
    except SiteError as error:
        stop.set()
        return Outcome(change, str(error))
    return Outcome(change)


def _request(site: CloudSite, network: StretchedNetwork, change: Change) -> None:
    member = network.member(change.site)
    if change.act == "create":
        token = remote_ports.token_of(network.id, change.of_site, change.real_id)
        # In the project of the network, whose security groups it is in and whose quota it takes.
        fields = {**change.fields, "project_id": member.project_id}
        remote_ports.create(site, member.network_id, token, fields, tags=member.tags)
        return
    assert change.remote_id is not None
    if change.act == "update":
        remote_ports.update(site, change.remote_id, change.fields)
        return
    remote_ports.delete(site, change.remote_id)
    if change.then_create is not None:
        _request(site, network, replace(change.then_create, act="create"))


def tally(outcomes: Iterable[Outcome]) -> str:
    """One line for the log: what was done how often."""
    counts = Counter(f"{o.change.act} at {o.change.site}{' FAILED' if o.error else ''}" for o in outcomes)
    return ", ".join(f"{count} x {what}" for what, count in sorted(counts.items()))
