"""Two tenants, alice and bob, of one Multisite over two simulated sites, asked through its API.

Each has an application that is protected, a network of its own with free ports and a floating IP in both sites, an
L3 path and a moving address.  The service's account has a role in the project of each; ``member`` is what the
documentation asks for.  Whatever is alice's has "alice" in its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from flask.testing import FlaskClient

from multisite.api.app import create_app
from multisite.clouds.connect import CloudSite, Sites
from multisite.command import options, wiring
from multisite.domain.caller import Caller
from multisite.domain.model import Recovery, RecoveryState
from multisite.domain.stretched import Member, StretchedNetwork, StretchKind, StretchState
from multisite.jobs.view import Job
from multisite.store.recoveries import RecoveryRepository
from multisite.store.stretched import StretchedRepository
from multisite_lab.guest.console import FREEZE_MARK
from multisite_lab.sim.model import Account, Row, Settings, new_id
from multisite_lab.sim.world import PASSWORD, World, make_world
from tests.sim import deploy

SITES = SITE, TARGET = "site1", "site2"
ALICE, BOB = "alice", "bob"
MEMBER = ("member", "reader")
ADDRESSES = {ALICE: "203.0.113.70", BOB: "203.0.113.80"}
"""Of the moving address of each; the next one is a floating IP that nothing uses."""
BEGAN = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
_ADMIN = Caller("u-olga", "olga", "p-olga", "olgas", frozenset({"admin"}), "req-1", "Default")


@dataclass
class Tenant:
    """``user`` is its own account in each site, not the service's; ``made`` ids by kind, or (kind, site)."""

    name: str
    made: dict[Any, str] = field(default_factory=dict)

    @property
    def project_id(self) -> str:
        """In our own Keystone."""
        return f"project-of-{self.name}"

    @property
    def caller(self) -> Caller:
        roles = frozenset(MEMBER)
        return Caller(f"u-{self.name}", self.name, self.project_id, self.name, roles, "req-1", "Default")

    @property
    def headers(self) -> dict[str, str]:
        """As keystonemiddleware gives them to the API."""
        return {
            "X-User-Id": f"u-{self.name}", "X-User-Name": self.name, "X-Roles": ",".join(MEMBER),
            "X-Project-Id": self.project_id, "X-Project-Name": self.name, "X-Project-Domain-Name": "Default",
        }  # fmt: skip


@dataclass
class Tenants:
    """``client`` asks the API."""

    world: World
    services: wiring.Services
    client: FlaskClient
    alice: Tenant
    bob: Tenant

    def there(self, tenant: str, site: str) -> str:
        """Id of a tenant's project in a site."""
        return next(a.project_id for a in self.world.sites[site].sim.accounts if a.user_name == tenant)

    def ask(
        self, who: Tenant, method: str, path: str, body: Any = None, query: Any = None
    ) -> tuple[int, Any]:
        answer = self.client.open(path, method=method, json=body, query_string=query, headers=who.headers)
        return answer.status_code, answer.get_json(silent=True)

    def rest(self, job_id: str) -> Job:
        job = self.services.jobs.wait(job_id, 120.0)
        assert job.settled, job.state
        return job

    def things_of(self, who: Tenant) -> dict[str, Any]:
        """Everything that is a tenant's in the sites, as it is now; what agents report by themselves is left out."""
        found: dict[str, Any] = {}
        for name in SITES:
            sim, project = self.world.sites[name].settle(), self.there(who.name, name)
            for kind, things in vars(sim.state).items():
                rows = things.values() if isinstance(things, dict) else ()
                own = [_plain(row) for row in rows if _project(row) == project]
                found[f"{name} {kind}"] = sorted(own, key=str)
        return found


def _project(thing: object) -> object:
    if isinstance(thing, dict):
        return thing.get("project_id") or thing.get("owner")
    return getattr(thing, "project_id", None)


def _plain(thing: Any) -> Row:
    row = thing if isinstance(thing, dict) else vars(thing)
    gone = ("status", "revision_number", "guest", "console", "content", "freeze")
    return {key: str(value) for key, value in row.items() if key not in gone}


@contextmanager
def two_tenants(folder: Path, roles: tuple[str, ...] = MEMBER) -> Iterator[Tenants]:
    """``roles`` of the service's account in the tenants' projects; it is an administrator in its own."""
    with make_world(SITES, settings=Settings(l3=0.005, dhcp=0.0)) as world:
        world.store.folder = folder / "store"
        clouds = _accounts(world, folder, roles)
        services = _built(folder)
        try:
            client = create_app(services, services_conf(folder), auth=False).test_client()
            made = Tenants(world, services, client, Tenant(ALICE), Tenant(BOB))
            _begin(made)
            for tenant in (made.alice, made.bob):
                _furnish(made, tenant, clouds)
            yield made
        finally:
            services.close()


def _accounts(world: World, folder: Path, roles: tuple[str, ...]) -> Path:
    """clouds.yaml with the service's accounts, and one of each tenant: ``<site>-<tenant>``.

    The service has two: one with ``roles`` in the tenants' projects, and one that imports backup records there.
    """
    path = world.write_clouds(folder / "clouds.yaml")
    clouds = yaml.safe_load(path.read_text())["clouds"]
    for name in SITES:
        sim = world.sites[name].sim
        service = sim.accounts[0]
        importer = replace(service, user_id=new_id(), user_name="importer", roles=("admin",))
        for tenant in (ALICE, BOB):
            own = Account(new_id(), tenant, new_id().replace("-", ""), f"{tenant}s", PASSWORD, MEMBER)
            scope = {"project_id": own.project_id, "project_name": own.project_name}
            sim.accounts += (own, replace(service, roles=roles, **scope), replace(importer, **scope))
            auth = clouds[name]["auth"] | {"username": tenant, "project_name": own.project_name}
            clouds[f"{name}-{tenant}"] = clouds[name] | {"auth": auth}
        auth = clouds[name]["auth"] | {"username": "importer", "project_name": f"{BOB}s"}
        clouds[f"{name}-importer"] = clouds[name] | {"auth": auth}
        clouds[name]["multisite_administrator"] = f"{name}-importer"
    path.write_text(yaml.safe_dump({"clouds": clouds}))
    return path


def services_conf(folder: Path) -> Any:
    (folder / "multisite.conf").write_text("[DEFAULT]\n")
    overrides = {
        ("DEFAULT", "state_path"): str(folder),
        ("clouds", "config_file"): str(folder / "clouds.yaml"),
        ("backup_store", "path"): str(folder / "store"),
    }
    return options.load([str(folder / "multisite.conf")], overrides)


def _built(folder: Path) -> wiring.Services:
    (folder / "store").mkdir()
    services = wiring.build(services_conf(folder))
    services.protections._manifests.initialize()
    services.jobs.launch()
    return services


def _begin(made: Tenants) -> None:
    """Sites, grants, and an external network in each."""
    for name in SITES:
        made.services.sites.register(_ADMIN, name, name)
        for tenant in (made.alice, made.bob):
            made.services.grants.create(_ADMIN, tenant.project_id, name, made.there(tenant.name, name))
        cloud = made.services.paths._clouds.open_for_service(name)
        fields = {"name": "public", "router:external": True}
        made.bob.made["external", name] = made.alice.made["external", name] = external = deploy.ask(
            cloud.network, "POST", "/networks", {"network": fields}
        )["network"]["id"]
        subnet = {"network_id": external, "ip_version": 4, "cidr": "203.0.113.0/24", "enable_dhcp": False}
        deploy.ask(cloud.network, "POST", "/subnets", {"subnet": subnet})


def _furnish(made: Tenants, who: Tenant, clouds: Path) -> None:
    own = Sites(lambda name: f"{name}-{who.name}", config_file=clouds)
    keep = who.made
    for name in SITES:
        cloud = own.open_for_service(name)
        keep["network", name] = deploy.network(cloud, f"{who.name}-net", "10.9.0.0/24")
        for use in ("path", "address", "free"):
            keep[f"{use}-port", name] = deploy.port(cloud, f"{who.name}-{use}", keep["network", name])
        group = {"security_group": {"name": f"{who.name}-group"}}
        keep["group", name] = deploy.ask(cloud.network, "POST", "/security-groups", group)["security_group"][
            "id"
        ]
        _floating_ips(made, who, name)
        body = {"router": {"name": f"{who.name}-edge"}}
        keep["router", name] = deploy.ask(cloud.network, "POST", "/routers", body)["router"]["id"]
    for use in ("image", "free-image"):
        keep[use, SITE] = _image(own.open_for_service(SITE), f"{who.name}-{use}")
    app = deploy.deploy(own.open_for_service(SITE), f"{who.name}-app", 1)
    keep["server"] = app.servers[0]
    _limit(made, who, app.ports[0])
    _leave(own.open_for_service(SITE), who, app.networks[0], app.ports[0])
    _served(made, who)


def _image(cloud: CloudSite, name: str) -> str:
    fields = {"name": name, "disk_format": "raw", "container_format": "bare", "visibility": "private"}
    made = str(deploy.ask(cloud.image, "POST", "/images", fields)["id"])
    headers = {"Content-Type": "application/octet-stream"}
    assert cloud.image.put(f"/images/{made}/file", data=name.encode(), headers=headers).ok
    return made


def _leave(cloud: CloudSite, who: Tenant, network: str, member: str) -> None:
    """A router of the application, with its gateway in the external network; a floating IP of a member's port."""
    gateway = {"external_gateway_info": {"network_id": who.made["external", SITE]}}
    body = {"router": {"name": f"{who.name}-router", **gateway}}
    made = deploy.ask(cloud.network, "POST", "/routers", body)["router"]["id"]
    port = deploy.port(cloud, "", network, fixed_ips=[{"ip_address": "10.31.0.254"}])
    path = f"/routers/{made}/add_router_interface"
    deploy.ask(cloud.network, "PUT", path, {"port_id": port})
    fields = {"floating_network_id": who.made["external", SITE], "port_id": member}
    row = deploy.ask(cloud.network, "POST", "/floatingips", {"floatingip": fields})["floatingip"]
    who.made["floating-address"] = row["floating_ip_address"]


def _limit(made: Tenants, who: Tenant, port_id: str) -> None:
    """A QoS policy, as the site's administrator gives it to a project."""
    network = made.services.paths._clouds.open_for_service(SITE).network
    policy = {"name": f"{who.name}-policy", "project_id": made.there(who.name, SITE)}
    policy_id = deploy.ask(network, "POST", "/qos/policies", {"policy": policy})["policy"]["id"]
    deploy.ask(network, "PUT", f"/ports/{port_id}", {"port": {"qos_policy_id": policy_id}})


def _floating_ips(made: Tenants, who: Tenant, site: str) -> None:
    """As the site's administrator gives them to a project: a member cannot choose an address."""
    cloud = made.services.paths._clouds.open_for_service(site)
    first = ADDRESSES[who.name]
    for number, use in enumerate(("address", "spare")):
        address = first[:-1] + str(number)
        fields = {
            "floating_network_id": who.made["external", site], "floating_ip_address": address,
            "project_id": made.there(who.name, site), "description": f"{who.name}-{use}",
        }  # fmt: skip
        row = deploy.ask(cloud.network, "POST", "/floatingips", {"floatingip": fields})["floatingip"]
        who.made["floating_ip", site, use] = row["id"]


def _served(made: Tenants, who: Tenant) -> None:
    """What is the tenant's in Multisite: one thing of each noun, by their names in URLs."""
    keep, services = who.made, made.services

    def post(path: str, body: Any) -> Any:
        status, answer = made.ask(who, "POST", path, body)
        assert status < 300, answer
        if "job_id" in answer:
            job = made.rest(answer["job_id"])
            assert job.state == "done", job.error
        return answer

    name = f"{who.name}-app"
    keep["applications"] = post(
        "/v1/applications", {"name": name, "site": SITE, "servers": [{"id": keep["server"]}]}
    )["id"]
    options_ = {"freeze_timeout": 30, "console_mark": FREEZE_MARK}
    keep["protections"] = post(
        "/v1/protections", {"application": name, "target_site": TARGET, "options": options_}
    )["id"]
    keep["jobs"] = post(f"/v1/protections/{keep['protections']}/run", {})["job_id"]
    (point,) = services.protections.restore_points(who.caller)
    keep["restore-points"] = point.id
    members = [{"site": s, "port": keep["address-port", s]} for s in SITES]
    wanted = {"name": f"{who.name}-gw", "address": ADDRESSES[who.name], "members": members, "active": SITE}
    keep["addresses"] = post("/v1/addresses", wanted | {"probe": "none"})["address"]["id"]
    ends = [{"site": s, "port": keep["path-port", s]} for s in SITES]
    path = {"name": f"{who.name}-path", "ends": ends, "protocol": "udp", "port": 5000}
    keep["paths"] = post("/v1/paths", path)["path"]["id"]
    copied = {"image": keep["image", SITE], "source_site": SITE, "target_sites": [TARGET]}
    keep["image-replications"] = post("/v1/image-replications", copied)["image_replication"]["id"]
    wanted = {
        "name": f"{who.name}-groups",
        "source_site": SITE,
        "target_sites": [TARGET],
        "kinds": ["security-group"],
    }
    keep["resource-syncs"] = post("/v1/resource-syncs", wanted)["id"]
    keep["quotas"] = services.quotas.create(_ADMIN, who.project_id, SITES, {"cores": 40}).id
    grants = services.grants.list(who.caller)
    keep["project-grants"] = grants[0].id
    recovery = Recovery(
        new_id(), name, who.project_id, point.id, TARGET, RecoveryState.UNDONE, keep["jobs"], who.name, BEGAN
    )
    keep["recoveries"] = RecoveryRepository(services.database).add(recovery).id
    network = StretchedNetwork(
        new_id(), f"{who.name}-hb", who.project_id, StretchKind.VXLAN, StretchState.FAILED, "10.20.0.0/24",
        tuple(Member(s) for s in SITES), 5000, 1450, job_id=keep["jobs"], requested_by=who.name,
    )  # fmt: skip
    keep["stretched-networks"] = StretchedRepository(made.services.database).add(network).id
