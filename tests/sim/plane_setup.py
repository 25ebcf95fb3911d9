"""An application over two simulated sites with a way out and a default subnet pool, and its planes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from multisite.clouds import call, stretched
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.resources import lifecycle
from multisite.domain.caller import Caller
from multisite.domain.model import Application
from multisite.domain.planes import PlaneRecord
from multisite.networks.planes.service import PlaneService
from multisite.networks.stretch.reconcile import Reconciler
from multisite.networks.stretch.service import NetworkService
from multisite.sites.service import SiteService
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.sites import SiteRepository
from multisite_lab.sim.model import Settings, State
from multisite_lab.sim.world import PROJECT, World, make_world
from tests.sim import deploy
from tests.sim.service import Service
from tests.sim.tiny_engine import TinyEngine, TinyJob

SITES = ("site1", "site2")
POOL = "10.64.0.0/16"
FOUR: list[dict[str, Any]] = [
    {"name": "ext", "role": "external", "cidr": "10.5.0.0/24"},
    {"name": "hb", "role": "inter-component", "cidr": "10.99.0.0/24"},
    {"name": "copy", "role": "backup"},
    {"name": "mgmt", "role": "management"},
]
OWN = ("ext", "copy", "mgmt")
"""Those made by a job of their own."""


class Applications:
    """Those of the store, by name, as ``ApplicationService.get`` finds them."""

    def __init__(self, rows: ApplicationRepository) -> None:
        self._rows = rows

    def get(self, caller: Caller, id: str) -> Application:
        found = [a for a in self._rows.list() if id in (a.id, a.name)]
        assert found, f"{caller.user_name} asks for {id}"
        return found[0]


def furnish(site: CloudSite) -> None:
    """An external network, and the default subnet pool."""
    public = {"network": {"name": "public", "router:external": True}}
    made = deploy.ask(site.network, "POST", "/networks", public)["network"]["id"]
    subnet = {"network_id": made, "ip_version": 4, "cidr": "203.0.113.0/24", "enable_dhcp": False}
    deploy.ask(site.network, "POST", "/subnets", {"subnet": subnet})
    pool = {"name": "usual", "prefixes": [POOL], "default_prefixlen": 24, "is_default": True}
    deploy.ask(site.network, "POST", "/subnetpools", {"subnetpool": pool})


def planes_of(service: Service) -> tuple[PlaneService, Caller]:
    """The service with the engine itself, an application ``mme`` of four planes, and its owner."""
    reconciler = Reconciler(service.database, service.clouds, patience=60)
    networks = NetworkService(service.database, service.sites, service.clouds, service.jobs, reconciler)
    plane_service = PlaneService(
        service.database, service.applications, service.sites, service.clouds, service.jobs, networks
    )
    owner = replace(service.owner("site1"), project_name=PROJECT, project_domain_name="Default")
    ApplicationRepository(service.database).add(
        Application("a-1", "mme", owner.project_id, "site1", (), None)
    )
    for name in SITES:
        furnish(service.cloud(name))
    plane_service.describe(owner, "mme", FOUR, SITES)
    return plane_service, owner


class PlaneSetup:
    def __init__(self, folder: Path, world: World) -> None:
        self.world = world
        self.database = Database(f"sqlite:///{folder / 'multisite.sqlite'}")
        self.database.upgrade()
        self.file = world.write_clouds(folder / "clouds.yaml")
        self.clouds = Sites(config_file=self.file, timeout=5.0)
        self.engine = TinyEngine(self.database)
        self.rows = ApplicationRepository(self.database)
        self.sites = sites = SiteService(SiteRepository(self.database), self.clouds)
        jobs: Any = self.engine
        self.networks = NetworkService(
            self.database, sites, self.clouds, jobs, Reconciler(self.database, self.clouds, patience=60)
        )
        self.service = PlaneService(
            self.database, Applications(self.rows), sites, self.clouds, jobs, self.networks
        )
        project = self.clouds.open_for_service("site1").project_id
        self.caller = Caller("o", "olga", project, PROJECT, frozenset({"admin"}), "req-1", "Default")
        for name in SITES:
            sites.register(self.caller, name, name)
        self.application = self.rows.add(Application("a-1", "mme", project, "site1", (), None))
        for name in SITES:
            furnish(self.clouds.open_for_service(name))
        self.before = {name: self.there(name) for name in SITES}

    def by_others(self, who: str) -> PlaneService:
        """With other credentials: of a ``member``, without the role admin; ``other``: of another project."""
        clouds = Sites(lambda name: f"{name}-{who}", config_file=self.file, timeout=5.0)
        jobs: Any = self.engine
        return PlaneService(self.database, Applications(self.rows), self.sites, clouds, jobs, self.networks)

    def state(self, site: str) -> State:
        return self.world.sites[site].settle().state

    def there(self, site: str) -> set[str]:
        """Everything Neutron has in a site, but for the ports of DHCP."""
        state = self.state(site)
        ports = {id for id, p in state.ports.items() if p["device_owner"] != "network:dhcp"}
        return {*state.networks, *state.subnets, *state.routers, *ports}

    def left(self) -> dict[str, set[str]]:
        """What is more than in the beginning, by site; empty when nothing is."""
        return {name: more for name in SITES if (more := self.there(name) - self.before[name])}

    def describe(self, *entries: dict[str, Any]) -> list[PlaneRecord]:
        return self.service.describe(self.caller, "mme", entries, SITES)

    def plane(self, name: str) -> PlaneRecord:
        return self.service.get(self.caller, "mme", name)

    def realize(self, name: str, die_at: int | None = None) -> TinyJob:
        record = self.service.realize(self.caller, "mme", name)
        return self.engine.rest(str(record.job_id), die_at)

    def repair(self, name: str, die_at: int | None = None) -> TinyJob | None:
        job_id = self.service.repair(self.caller, "mme", name)
        return None if job_id is None else self.engine.rest(job_id, die_at)

    def remove(
        self, name: str, die_at: int | None = None, *without: str, left: bool = False
    ) -> TinyJob | None:
        job_id = self.service.remove(self.caller, "mme", name, without=without, left=left)
        return None if job_id is None else self.engine.rest(job_id, die_at)

    def guest(self, site: str, name: str) -> str:
        """A port as of a guest in a plane."""
        made = self.plane(name).made[site]
        fields = {"device_owner": "compute:nova", "device_id": "server-1"}
        return deploy.port(self.clouds.open_for_service(site), "mme-1", made.network_id, **fields)

    def drop_port(self, site: str, port: str) -> None:
        deploy.ask(self.clouds.open_for_service(site).network, "DELETE", f"/ports/{port}")


@contextmanager
def plane_setup(folder: Path) -> Iterator[PlaneSetup]:
    """Fresh sites; nothing is repeated or waited for for long."""
    kept = call.ATTEMPTS, lifecycle.SEARCH_AGAIN_SECONDS, stretched.DHCP_SECONDS
    call.ATTEMPTS, lifecycle.SEARCH_AGAIN_SECONDS, stretched.DHCP_SECONDS = 2, 0.3, 0.3
    with make_world(SITES, settings=Settings(remote_port=True, dhcp=0.0, l3=0.005)) as world:
        for number, name in enumerate(SITES, start=1):
            world.sites[name].sim.settings.vteps = {f"{name}-1": f"172.31.{number}.1"}
        made = PlaneSetup(folder, world)
        try:
            yield made
        finally:
            call.ATTEMPTS, lifecycle.SEARCH_AGAIN_SECONDS, stretched.DHCP_SECONDS = kept
            made.database.close()
