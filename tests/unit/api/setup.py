"""What the served API stands on: two simulated sites, a database, and the services as ``multisite`` builds them.

They are those of the process: each ``ApiSetup`` begins with sites and rows as they were made, so there is one at a
time.  No job is carried out: a test that needs one in some state puts it there (``put_job``).
"""

from __future__ import annotations

import atexit
import shutil
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

import yaml

from multisite.command import options, wiring
from multisite.domain.audit import AuditKind, Intent
from multisite.domain.model import Site
from multisite.jobs.view import Job
from multisite.store.applications import ApplicationRepository
from multisite.store.audit import AuditRepository
from multisite.store.sites import SiteRepository
from multisite_lab.sim.model import Server
from multisite_lab.sim.world import Saved, World, make_world

from .jobs import keep

MINE, FOREIGN = "p-mine", "p-foreign"
SITES = ("paris", "lyon")
FILE = "multisite.sqlite"
SERVERS = {"s-1": {"vnf": "hss"}, "s-2": {"vnf": "hss"}, "s-3": {"vnf": "pcrf"}}
"""Of MINE in paris, with their metadata."""


@cache
def _prepared() -> tuple[World, Saved, wiring.Services, sqlite3.Connection]:
    """The sites as they are to begin with; the services; a copy of their database of sites and two changes."""
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
    services = _built(folder)
    for name in SITES:
        SiteRepository(services.database).add(
            Site(name, name, name, "RegionOne", clouds[name]["auth"]["auth_url"])
        )
    changes = [Intent(AuditKind.CLOUD, "olga", "POST", "/servers", project_id=project, job_id="j", site="lyon")
               for project in (MINE, FOREIGN)]  # fmt: skip
    AuditRepository(services.database).add(changes)
    kept = sqlite3.connect(":memory:", check_same_thread=False)
    with closing(sqlite3.connect(folder / FILE)) as made:
        made.backup(kept)
    return world, world.save(), services, kept


def _built(folder: Path) -> wiring.Services:
    (folder / "multisite.conf").write_text("[DEFAULT]\n")
    overrides = {
        ("DEFAULT", "state_path"): str(folder),
        ("clouds", "config_file"): str(folder / "clouds.yaml"),
        ("backup_store", "path"): str(folder / "store"),
    }
    services = wiring.build(options.load([str(folder / "multisite.conf")], overrides))
    atexit.register(services.close)
    return services


class ApiSetup:
    """``world``: its sites; ``close`` when it is no longer served."""

    def __init__(self) -> None:
        self.world, saved, built, kept = _prepared()
        self.world.go_back(saved)
        built.audit.flush()  # what a test has left is of rows that go now
        with closing(sqlite3.connect(str(built.database.path))) as database:
            kept.backup(database)
        self.database, self.audit, self.jobs = built.database, built.audit, built.jobs
        self.sites, self.applications = built.sites, built.applications
        self.kept_applications = ApplicationRepository(self.database)

    def put_job(self, job: Job) -> Job:
        """As the database holds it from now on; it keeps the lines of the journal that it has."""
        keep(self.database, job)
        return job

    def close(self) -> None:
        """Nothing is left to write."""
        self.audit.flush()
