"""A world put aside, and taken up again as often as one likes: each time another world in the same state.

What is still to happen is not kept, so there must be nothing that is.  Time goes on meanwhile, as it does for a
site nobody looks at.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass

from multisite_lab.sim.content import BackupStore
from multisite_lab.sim.model import Settings, Sim, State
from multisite_lab.sim.site import SimSite
from multisite_lab.sim.wire import Account
from multisite_lab.sim.world import World


@dataclass(frozen=True)
class KeptSite:
    region: str
    accounts: tuple[Account, ...]
    settings: Settings
    quotas: dict[str, int]
    state: State


@dataclass(frozen=True)
class Kept:
    """A world at rest; scripted faults and the log are not part of it."""

    sites: dict[str, KeptSite]
    store: BackupStore
    lost: set[str]


def keep(world: World, patience: float = 5.0) -> Kept:
    """Put it aside once nothing more is to happen there; TimeoutError when that does not come."""
    end = time.monotonic() + patience
    while any(site.settle().busy for site in world.sites.values()):
        if time.monotonic() > end:
            raise TimeoutError(f"something is still to happen after {patience:.0f} s")
        time.sleep(0.02)
    sites = {}
    for name, site in world.sites.items():
        sim = site.sim
        sites[name] = KeptSite(sim.region, sim.accounts, sim.settings, sim.quotas, sim.state)
    return copy.deepcopy(Kept(sites, world.store, world.lost))


def take_up(kept: Kept) -> World:
    """A world of its own in that state; serve it as any other."""
    mine = copy.deepcopy(kept)
    sites = {
        name: SimSite(
            Sim(
                name, site.region, mine.store, site.accounts,
                settings=site.settings, quotas=site.quotas, state=site.state,
            )
        )
        for name, site in mine.sites.items()
    }  # fmt: skip
    return World(sites, mine.store, lost=mine.lost)
