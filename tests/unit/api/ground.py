"""What the served API stands on: two simulated sites, a database of its own, and the services that need no more.

The sites are those of the process: each ``Ground`` begins with them as they were made, so there is one at a time.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import yaml

from multisite.applications.service import ApplicationService
from multisite.clouds.connect import Sites
from multisite.domain.audit import AuditKind, Intent
from multisite.domain.model import Site
from multisite.sites.service import SiteService
from multisite.store.applications import ApplicationRepository
from multisite.store.audit import AuditRepository
from multisite.store.database import Database
from multisite.store.sites import SiteRepository
from multisite.store.trail import AuditTrail
from multisite_lab.sim.model import Server
from multisite_lab.sim.world import Saved, World, make_world

MINE, FOREIGN = "p-mine", "p-foreign"
SITES = ("paris", "lyon")
FILE = "multisite.sqlite"
SERVERS = {"s-1": {"vnf": "hss"}, "s-2": {"vnf": "hss"}, "s-3": {"vnf": "pcrf"}}
"""Of MINE in paris, with their metadata."""


@cache
def _prepared() -> tuple[World, Saved, Path]:
    """The sites, as they are to begin with; a folder with ``clouds.yaml`` and a database of sites and two changes."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    world = make_world(SITES).__enter__()
    atexit.register(world.__exit__, None, None, None)
    sim = world.sites["paris"].sim
    owner, flavor = sim.accounts[0], next(iter(sim.state.flavors.values()))
    for id, metadata in SERVERS.items():
        name = f"{metadata['vnf']}-{id}"
        sim.state.servers[id] = Server(
            id=id, name=name, project_id=owner.project_id, user_id=owner.user_id, created_at=sim.now,
            flavor=dict(flavor), metadata=dict(metadata), tags=[], description=None, hostname=name, key_name=None,
            user_data=None, availability_zone="nova", config_drive=False, disks=[], ports=[], group_id=None,
        )  # fmt: skip
    clouds = yaml.safe_load(world.write_clouds(folder / "clouds.yaml").read_text())["clouds"]
    clouds |= dict.fromkeys(("oslo", "oslo1"), clouds["lyon"])
    (folder / "clouds.yaml").write_text(yaml.safe_dump({"clouds": clouds}))
    database = Database(f"sqlite:///{folder / FILE}")
    database.upgrade()
    for name in SITES:
        SiteRepository(database).add(Site(name, name, name, "RegionOne", clouds[name]["auth"]["auth_url"]))
    changes = [Intent(AuditKind.CLOUD, "olga", "POST", "/servers", project_id=project, job_id="j", site="lyon")
               for project in (MINE, FOREIGN)]  # fmt: skip
    AuditRepository(database).add(changes)
    database.close()
    return world, world.save(), folder


class Ground:
    """``world``: its sites; ``close`` when it is no longer served."""

    def __init__(self) -> None:
        self.world, saved, folder = _prepared()
        self.world.go_back(saved)
        self._folder = Path(tempfile.mkdtemp(dir=folder))
        shutil.copy(folder / FILE, self._folder)
        self.database = Database(f"sqlite:///{self._folder / FILE}")
        rows = SiteRepository(self.database)
        self.audit = AuditTrail(self.database)
        clouds = Sites(
            lambda name: rows.by_name(name).cloud,
            config_file=folder / "clouds.yaml",
            timeout=5.0,
            trail=self.audit,
        )
        self.sites = SiteService(rows, clouds)
        self.kept_applications = ApplicationRepository(self.database)
        self.applications = ApplicationService(self.kept_applications, clouds)

    def close(self) -> None:
        self.audit.close()
        self.database.close()
        shutil.rmtree(self._folder, ignore_errors=True)
