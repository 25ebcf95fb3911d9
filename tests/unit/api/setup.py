"""What the served API stands on: two simulated sites, a database, and the services as ``multisite`` builds them.

They are those of the process: each ``Services`` begins with sites and rows as they were made, so there is one at a
time.  A job is carried out when a test says so (``carry_out``), or put there in the state that it needs (``put_job``).
"""

from __future__ import annotations

import atexit
import hashlib
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import yaml

from multisite.clouds.connect import CloudSite
from multisite.command import options, wiring
from multisite.domain.audit import AuditKind, Intent
from multisite.domain.caller import Caller
from multisite.domain.drill import Drill, DrillOptions
from multisite.domain.epoch import Epoch
from multisite.domain.model import Application, ProjectGrant, Purpose, Recovery, RecoveryState, Site
from multisite.jobs.model import Ended, JobState, StepState
from multisite.jobs.view import Job
from multisite.networks.members import MemberAsked
from multisite.recovery.recover.drills.report import report_writer
from multisite.store.addresses import AddressRepository
from multisite.store.applications import ApplicationRepository
from multisite.store.audit import AuditRepository
from multisite.store.drills import DrillRepository
from multisite.store.grants import ProjectGrantRepository
from multisite.store.paths import PathRepository
from multisite.store.recoveries import RecoveryRepository
from multisite.store.sites import SiteRepository
from multisite.store.stretched import StretchedRepository
from multisite_lab.sim.model import Server
from multisite_lab.sim.site import SimSite
from multisite_lab.sim.world import Saved, World
from tests.sim.tiny_engine import TinyJob
from tests.unit.simulated import FAST, open_sites

from . import networks, protected
from .edges import Outside, furnish, outside
from .jobs import BEGAN, job, keep, new_id, step
from .worker import Worker

MINE, FOREIGN = "p-mine", "p-foreign"
FREE = "p-free"
"""Of the sites; nobody has a grant for it."""
SITES = ("paris", "lyon")
SETTINGS = replace(FAST, l3=0.005, remote_port=True)
FILE, STORE, KEPT = "multisite.sqlite", "store", "store-kept"
PORTS = {"paris": ("p-1", "hb-1", "gw-1"), "lyon": ("p-2", "hb-2", "gw-2")}
"""Of MINE: of nothing yet, of the path ``heartbeat``, of the address ``gw``; FOREIGN has each with ``-theirs``."""
SERVERS = {"s-1": {"vnf": "hss"}, "s-2": {"vnf": "hss"}, "s-3": {"vnf": "pcrf"}}
"""Of MINE in paris, with their metadata."""


def operator(project: str) -> Caller:
    """An administrator in a project."""
    return Caller("u-1", "olga", project, "vnf", frozenset({"admin"}), "req-1")


@dataclass(frozen=True)
class _Prepared:
    """The sites as they are to begin with; the services, and a copy of their database."""

    world: World
    saved: Saved
    outside: Outside
    services: wiring.Services
    database: sqlite3.Connection
    folder: Path
    carried_out: dict[str, TinyJob]


@cache
def _prepared() -> _Prepared:
    world, config_file = open_sites(SETTINGS)
    folder = config_file.parent
    sim = world.sites["paris"].sim
    owner, flavor = sim.accounts[0], next(iter(sim.state.flavors.values()))
    for id, metadata in SERVERS.items():
        name = f"{metadata['vnf']}-{id}"
        sim.state.servers[id] = Server(
            id=id, name=name, project_id=owner.project_id, user_id=owner.user_id, created_at=sim.now,
            flavor=dict(flavor), metadata=dict(metadata), tags=[], description=None, hostname=name, key_name=None,
            user_data=None, availability_zone="nova", config_drive=False, disks=[], ports=[], group_id=None,
        )  # fmt: skip
    clouds = yaml.safe_load(config_file.read_text())["clouds"]
    clouds |= dict.fromkeys(("oslo", "oslo1"), clouds["lyon"])
    config_file.write_text(yaml.safe_dump({"clouds": clouds}))
    with outside(world) as around:
        services = _built(folder)
    for name in SITES:
        SiteRepository(services.database).add(
            Site(name, name, name, "RegionOne", clouds[name]["auth"]["auth_url"])
        )
    for name in SITES:
        _grant(world, services, name)
    with patch.object(AuditRepository, "add"):  # the trail tells of nothing but what tests ask for
        carried_out = _made(world, services)
    changes = [Intent(AuditKind.CLOUD, "olga", "POST", "/servers", project_id=project, job_id="j", site="lyon")
               for project in (MINE, FOREIGN)]  # fmt: skip
    AuditRepository(services.database).add(changes)
    kept = sqlite3.connect(":memory:", check_same_thread=False)
    with closing(sqlite3.connect(folder / FILE)) as made:
        made.backup(kept)
        shutil.copytree(folder / STORE, folder / KEPT)
    return _Prepared(world, world.save(), around, services, kept, folder, carried_out)


def _grant(world: World, services: wiring.Services, site: str) -> None:
    """MINE is that of the service's account there, FOREIGN has the same id; in FREE the account has a role, too."""
    sim = world.sites[site].sim
    own = sim.accounts[0]
    sim.accounts += tuple(replace(own, project_id=id, project_name=id) for id in (FOREIGN, FREE))
    rows = ProjectGrantRepository(services.database)
    for project, there in ((MINE, own.project_id), (FOREIGN, FOREIGN)):
        rows.add(ProjectGrant(f"{project}-{site}", project, site, there, "there", "olga", BEGAN))


def owner_of(services: wiring.Services | Services, caller: Caller) -> str:
    """The project in paris that is a caller's."""
    return services.images._clouds.open("paris", for_project=caller.project_id).project_id


def put_image(site: SimSite, owner: str) -> str:
    """An image with data, of a project there."""
    id = new_id()
    data = id.encode()
    site.sim.state.image_data[id] = data
    site.sim.state.images[id] = {
        "id": id, "name": f"image-of-{owner}", "status": "active", "visibility": "private", "owner": owner,
        "disk_format": "raw", "container_format": "bare", "min_disk": 0, "min_ram": 0, "size": len(data), "tags": [],
        "os_hash_algo": "sha512", "os_hash_value": hashlib.sha512(data).hexdigest(), "schema": "/v2/schemas/image",
    }  # fmt: skip
    return id


def _made(world: World, services: wiring.Services) -> dict[str, TinyJob]:
    """A path, an address, a stretched network and a protected application with planes of each project.

    Gives the jobs that made them.
    """
    worker = Worker(services, {})
    for name, site in world.sites.items():
        theirs = {f"{id}-theirs": FOREIGN for id in PORTS[name]}
        cloud = services.paths._clouds.open_for_service(name)
        furnish(site, cloud, dict.fromkeys(PORTS[name], cloud.project_id) | theirs)
        networks.furnish(cloud)
    for project, suffix, address in ((MINE, "", "203.0.113.5"), (FOREIGN, "-theirs", "203.0.113.7")):
        caller = operator(project)
        ends, members = ([MemberAsked(s, PORTS[s][n] + suffix) for s in SITES] for n in (1, 2))
        for made in (
            services.paths.create(caller, f"heartbeat{suffix}", ends, "udp", 5000),
            services.addresses.create(caller, f"gw{suffix}", address, members, "paris"),
        ):
            worker.done(made.job_id)
        image = put_image(world.sites["paris"], owner_of(services, caller))
        worker.done(services.images.create(caller, image, "paris", ["lyon"]).job_id)
        wanted = {"source_site": "paris", "target_sites": ["lyon"], "kinds": ["security-group"]}
        services.resource_syncs.create(caller, f"groups{suffix}", **wanted)
        services.quotas.create(caller, project, ["paris", "lyon"], {"security_group": 90})
        networks.make_stretched(services, worker, caller, suffix)
        protected.make(services, worker, caller, suffix.lstrip("-") or "mme")
        networks.make_planes(services, worker, caller, suffix.lstrip("-") or "mme")
    services.audit.flush()
    return worker.known


def _built(folder: Path) -> wiring.Services:
    (folder / STORE).mkdir()
    (folder / "multisite.conf").write_text("[DEFAULT]\n")
    overrides = {
        ("DEFAULT", "state_path"): str(folder),
        ("clouds", "config_file"): str(folder / "clouds.yaml"),
        ("backup_store", "path"): str(folder / STORE),
    }
    services = wiring.build(options.load([str(folder / "multisite.conf")], overrides))
    atexit.register(services.close)
    services.protections._manifests.initialize()
    return services


class Services:
    """``world``: its sites; ``close`` when it is no longer served."""

    def __init__(self) -> None:
        prepared = _prepared()
        self.world, self.outside, built = prepared.world, prepared.outside, prepared.services
        self.world.go_back(prepared.saved)
        for site in self.world.sites.values():
            site.sim.settings = replace(SETTINGS)
        self.outside.loses = set()
        built.audit.flush()  # what a test has left is of rows that go now
        built.networks._reconciler.release()
        built.networks._reconciler._memory.clear()
        with closing(sqlite3.connect(str(built.database.path))) as database:
            prepared.database.backup(database)
        shutil.rmtree(prepared.folder / STORE)
        shutil.copytree(prepared.folder / KEPT, prepared.folder / STORE)
        self.database, self.audit, self.jobs = built.database, built.audit, built.jobs
        self.sites, self.applications, self.grants = built.sites, built.applications, built.grants
        self.addresses, self.paths, self.probe = built.addresses, built.paths, built.probe
        self.networks, self.planes = built.networks, built.planes
        self.protections, self.recoveries = built.protections, built.recoveries
        self.policies, self.recovery_plans = built.policies, built.recovery_plans
        self.policies, self.failback = built.policies, built.failback
        self.staleness, self.images = built.staleness, built.images
        self.resource_syncs, self.quotas = built.resource_syncs, built.quotas
        self.kept_applications = ApplicationRepository(self.database)
        self.carry_out = Worker(built, prepared.carried_out).carry_out

    def put_job(self, job: Job) -> Job:
        """As the database holds it from now on; it keeps the lines of the journal that it has."""
        keep(self.database, job)
        return job

    def of(self, kind: str, project: str = MINE) -> Any:
        """The first thing of a kind (``applications``, ``restore_points``, ``paused jobs`` ...) in a project."""
        app = next(one for one in self.kept_applications.list(project) if one.name in ("mme", "theirs"))
        state, _, noun = kind.rpartition(" ")
        caller = replace(operator(project), roles=frozenset())
        if kind == "applications":
            return app
        if kind == "unused applications":  # by planes and protections
            name = f"unused-{project}"
            known = [one for one in self.kept_applications.list(project) if one.name == name]
            return known[0] if known else self.kept_applications.add(replace(app, id=new_id(), name=name))
        if kind == "project_grants":
            return self.grants.list(caller)[0]
        if kind == "networks":
            return StretchedRepository(self.database).list(project)[0]
        if noun == "planes":
            plane = self.planes.get(operator(project), app.id, "mgmt")
            if state == "left" and not plane.left:  # in a site that was lost when it was removed
                job_id = self.planes.remove(operator(project), app.id, "mgmt", without=["lyon"])
                self.carry_out(str(job_id))
                plane = self.planes.get(operator(project), app.id, "mgmt")
            return plane
        if kind == "paths":
            return PathRepository(self.database).list(project)[0]
        if noun == "images":
            return SimpleNamespace(id=put_image(self.world.sites["paris"], owner_of(self, operator(project))))
        if kind == "quotas":
            return self.quotas.list(caller)[0]
        if kind == "resource_syncs":
            return self.resource_syncs.list(caller)[0]
        if kind == "image_replications":
            return self.images.list(caller)[0]
        if noun == "addresses":
            address = AddressRepository(self.database).list(project)[0]
            if state == "moved" and address.active_site != "lyon":
                self.carry_out(self.addresses.move(operator(project), address.id, "lyon").job_id)
            return address
        if kind == "jobs":
            return self.jobs.list(project, subject=app.id)[0]
        if noun == "jobs":
            found = [one for one in self.jobs.list(project) if one.state == state]
            return found[0] if found else self.put_job(job(None, project, JobState(state)))
        if kind == "policies":
            return self.policies.list(caller)[0]
        if kind == "recovery_plans":
            return self.recovery_plans.list(caller)[0]
        if kind == "protections":
            return self.protections.list(caller)[0]
        if kind == "restore_points":  # the newest: nothing builds on it
            return self.protections.restore_points(caller)[0]
        if noun == "drills":
            return self._drill(app)
        assert noun == "recoveries", kind
        if state in ("current", "stopped", "reprotected"):
            found = self._current_recovery(app)
            return found if state == "current" else self._stopped(app, found, then=state)
        if state == "asking":
            return self._asking(app)
        return self._recovery(app, RecoveryState(state or "undone"))

    def _recovery(self, app: Application, state: RecoveryState) -> Recovery:
        """The one in a state, made as a row with its job unless it is there."""
        rows = RecoveryRepository(self.database)
        if known := rows.list(app.project_id, state=state):
            return known[0]
        id, point = new_id(), self.of("restore_points", app.project_id)
        done = self.put_job(job(id, app.project_id, JobState(state), kind="recover"))
        found = Recovery(id, app.name, app.project_id, point.id, "lyon", state, done.id, "olga", BEGAN)
        return rows.add(found)

    def _current_recovery(self, app: Application) -> Recovery:
        """One that is done, whose servers in lyon are the application; made as rows and servers unless it is there."""
        rows = RecoveryRepository(self.database)
        if known := [one for one in rows.list(app.project_id, state=RecoveryState.DONE) if one.epoch]:
            return known[0]
        id, point = new_id(), self.of("restore_points", app.project_id)
        done = self.put_job(job(id, app.project_id, JobState.DONE, kind="recover"))
        there, servers = self.cloud("lyon") if app.project_id == MINE else None, []
        for member in app.members:
            kept = self.world.sites["paris"].sim.state.servers[member.server_id]
            project = there.project_id if there else FOREIGN
            copy = replace(kept, id=new_id(), project_id=project, disks=[], ports=[], group_id=None)
            self.world.sites["lyon"].sim.state.servers[copy.id] = copy
            servers.append({"id": copy.id, "name": copy.name, "source_id": member.server_id})
        epoch = Epoch(1, "lyon", id, tuple(str(server["id"]) for server in servers), BEGAN)
        self.recoveries._epochs.begin(app.id, epoch)
        found = Recovery(
            id, app.name, app.project_id, point.id, "lyon", RecoveryState.DONE, done.id, "olga", BEGAN,
            servers=tuple(servers), application_id=app.id, epoch=1,
        )  # fmt: skip
        return rows.add(found)

    def _stopped(self, app: Application, recovery: Recovery, then: str) -> Recovery:
        """Its old copy is off; ``then`` it may be reprotected."""
        for server in self.world.sites["paris"].sim.state.servers.values():
            if server.name.startswith(app.name.replace("mme", "vnf")):
                server.status = "SHUTOFF"
        if then == "reprotected" and recovery.reprotected_at is None:
            return self.failback.reprotect(operator(app.project_id), recovery.id)
        return recovery

    def _asking(self, app: Application) -> Recovery:
        """One that is paused with a question of its plan, made as rows unless it is there."""
        rows, asked = RecoveryRepository(self.database), "a question"
        if known := [r for r in rows.list(app.project_id, state=RecoveryState.PAUSED) if r.error == asked]:
            return known[0]
        id, point = new_id(), self.of("restore_points", app.project_id)
        asks = (step("prompt-1", state=StepState.FAILED),)
        paused = self.put_job(job(id, app.project_id, JobState.PAUSED, kind="recover", steps=asks))
        state = RecoveryState.PAUSED
        found = Recovery(id, app.name, app.project_id, point.id, "lyon", state, paused.id, "olga", BEGAN)
        return rows.add(replace(found, error=asked))

    def _drill(self, app: Application) -> Recovery:
        """One that is kept, with a report, made as rows with its job unless it is there."""
        recoveries, drills = RecoveryRepository(self.database), DrillRepository(self.database)
        if known := recoveries.list(app.project_id, purpose=Purpose.DRILL):
            return known[0]
        id, point = new_id(), self.of("restore_points", app.project_id)
        done = self.put_job(job(id, app.project_id, JobState.DONE, kind="drill-kept"))
        drills.add(Drill(id, DrillOptions(keep=True)))
        found = Recovery(
            id, app.name, app.project_id, point.id, "lyon", RecoveryState.DONE, done.id, "olga", BEGAN,
            purpose=Purpose.DRILL,
        )  # fmt: skip
        made = recoveries.add(found)
        keys = self.recoveries._decider._manifests.keys
        write = report_writer(recoveries, drills, keys, lambda: BEGAN)
        write(id, Ended(done.id, JobState.DONE, None, {}))
        return made

    def cloud(self, site: str) -> CloudSite:
        """For changes past the services."""
        return self.paths._clouds.open_for_service(site)

    def close(self) -> None:
        """Nothing is left to write."""
        self.audit.flush()
