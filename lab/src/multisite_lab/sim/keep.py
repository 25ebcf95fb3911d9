"""A world put aside, and taken up again as often as one likes: each time another world in the same state.

What is still to happen is not kept, so there must be nothing that is.  Time goes on meanwhile, as it does for a
site nobody looks at.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass

from multisite_lab.sim.content import BackupStore
from multisite_lab.sim.model import Account, Settings, Sim
from multisite_lab.sim.site import SimSite
from multisite_lab.sim.world import Saved, World


@dataclass(frozen=True)
class KeptSite:
    """What of a site does not change."""

    region: str
    accounts: tuple[Account, ...]
    settings: Settings
    quotas: dict[str, int]


@dataclass(frozen=True)
class Kept:
    """A world at rest; scripted faults and the log are not part of it."""

    sites: dict[str, KeptSite]
    saved: Saved


def keep(world: World, patience: float = 5.0) -> Kept:
    """Put it aside once nothing more is to happen there; TimeoutError when that does not come."""
    end = time.monotonic() + patience
    while any(site.settle().busy for site in world.sites.values()):
        if time.monotonic() > end:
            raise TimeoutError(f"something is still to happen after {patience:.0f} s")
        time.sleep(0.02)
    sims = {name: site.sim for name, site in world.sites.items()}
    sites = {
        name: KeptSite(sim.region, sim.accounts, copy.deepcopy(sim.settings), dict(sim.quotas))
        for name, sim in sims.items()
    }
    return Kept(sites, world.save())


def take_up(kept: Kept) -> World:
    """A world of its own in that state; serve it as any other."""
    mine = copy.deepcopy(kept)
    store = BackupStore(mine.saved.stored)
    sites = {
        name: SimSite(
            Sim(
                name, site.region, store, site.accounts,
                settings=site.settings, quotas=site.quotas, state=mine.saved.states[name],
            )
        )
        for name, site in mine.sites.items()
    }  # fmt: skip
    return World(sites, store, lost=set(mine.saved.lost))
