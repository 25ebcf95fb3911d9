"""Two simulated sites for the tests of what is done in a target: "paris", which is lost, and "lyon", which is empty.

They are those of the process, and begin anew with each ``Simulated``: there is one pair at a time.
"""

from __future__ import annotations

import atexit
import base64
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from multisite.clouds import waiting
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.resources import lifecycle
from multisite.domain.errors import NotFound
from multisite_lab.sim import site as sim_site
from multisite_lab.sim.cinder import backups, volumes
from multisite_lab.sim.content import Stored
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.model import Backup, Disk, Server, Settings, State, Volume, new_id
from multisite_lab.sim.neutron.ipam import DHCP, blank_port, new_row
from multisite_lab.sim.world import Saved, World, make_world

SOURCE, TARGET = "paris", "lyon"
FAST = Settings(
    create_volume=0, delete_volume=0, snapshot=0, delete_snapshot=0, backup=0, delete_backup=0, import_record=0,
    restore=0, build_server=0, boot=0, delete_server=0, freeze=0, dhcp=0,
    hosts={f"c{n}": "nova" for n in range(1, 9)},
)  # fmt: skip
"""Everything has happened when the site is asked the next time."""
MADE = (
    "networks",
    "subnets",
    "ports",
    "security_groups",
    "trunks",
    "flavors",
    "keypairs",
    "server_groups",
    "servers",
    "volumes",
)


@dataclass(frozen=True)
class Sent:
    """A request as it came in; ``path`` below the service's version."""

    service: str
    method: str
    path: str
    body: Any


class SimulatedSite:
    """``sent``: what it was asked, logins aside.  ``before`` is called with each request before the site sees it."""

    def __init__(self, world: World, clouds: Sites, name: str) -> None:
        self.name, self.clouds, self.store = name, clouds, world.store
        self._served = world.sites[name]
        self.sim = self._served.sim
        self.sim.settings = replace(FAST)
        self.account = self.sim.accounts[0]
        self.flavor = next(f for site in world.sites.values() for f in site.sim.state.flavors.values())
        self.sent: list[Sent] = []
        self.before: Callable[[Sent], object] = lambda sent: None
        vars(self._served)["reply"] = self._reply

    def _reply(self, wire: sim_site.Wire) -> sim_site.Reply:
        service, path = sim_site._service(wire.path)
        if service is not None and service.name != "identity":
            one = Sent(service.name, wire.method, path, json.loads(wire.content) if wire.content else None)
            self.sent.append(one)
            self.before(one)
        return sim_site.SimSite.reply(self._served, wire)

    @property
    def site(self) -> CloudSite:
        return self.clouds.open_for_service(self.name)

    @property
    def member(self) -> CloudSite:
        """By an account that is no administrator's."""
        return self.clouds.open_for_service(f"{self.name}-member")

    @property
    def state(self) -> State:
        """As it is now: what was due has happened."""
        return self._served.settle().state

    def strike(self, kind: Any, method: str, path: str, **more: Any) -> Rule:
        return self._served.strike(Rule(kind, "", method, path, **more))

    @property
    def faults(self) -> list[Rule]:
        return self._served.script.rules

    def heal(self) -> None:
        self._served.script.clear()

    def bodies(self, method: str, path: str) -> list[Any]:
        """What came with these requests."""
        return [s.body for s in self.sent if (s.method, s.path) == (method, path)]

    @property
    def changes(self) -> list[Sent]:
        return [s for s in self.sent if s.method != "GET"]

    @property
    def boots(self) -> list[str]:
        return [body["server"]["name"] for body in self.bodies("POST", "/servers")]

    def named(self, kind: str, name: str) -> Any:
        """The one of this name."""
        rows = getattr(self.state, kind).values()
        (found,) = [r for r in rows if (r["name"] if isinstance(r, dict) else r.name) == name]
        return found

    def left(self) -> dict[str, list[str]]:
        """Ids of what is there, but for backup records, ports of DHCP and default groups; names of key pairs."""
        state = self.state
        kinds: dict[str, dict[Any, Any]] = {kind: getattr(state, kind) for kind in MADE}
        kinds["ports"] = {k: p for k, p in state.ports.items() if p["device_owner"] != DHCP}
        groups = state.security_groups.items()
        kinds["security_groups"] = {k: g for k, g in groups if g["name"] != "default"}
        kinds["keypairs"] = {name: row for (_, name), row in state.keypairs.items()}
        return {kind: sorted(rows) for kind, rows in kinds.items() if rows}

    def fail_builds(self, sent: Sent) -> None:
        """For ``before``: no server becomes active."""
        for server in self.sim.state.servers.values():
            if server.status == "BUILD":
                server.status, server.task_state, server.fault = "ERROR", None, "No valid host was found."

    def say(self, *lines: str) -> Callable[[Sent], object]:
        """For ``before``: the consoles show these lines, whatever the guests write."""

        def shown(sent: Sent) -> None:
            for server in self.sim.state.servers.values():
                server.console[:] = lines

        return shown

    def add_volume(self, id: str, status: str = "available", name: str = "", **more: Any) -> Volume:
        made = Volume(
            id, name, None, 1, self.account.project_id, self.account.user_id, "rbd", self.sim.now, status
        )
        self.sim.state.volumes[id] = replace(made, **more)
        return self.sim.state.volumes[id]

    def add_volume_type(self, name: str) -> None:
        row = {"id": new_id(), "name": name, "description": None, "is_public": True, "extra_specs": {}}
        self.sim.state.volume_types[row["id"]] = row | {"is_default": False}

    def add_network(self, id: str, **more: Any) -> dict[str, Any]:
        row = new_row(self.sim, self.account.project_id, {"name": id})
        self.sim.state.networks[id] = row | {"id": id, "subnets": [], "router:external": False} | more
        return self.sim.state.networks[id]

    def add_port(self, id: str, network_id: str, **more: Any) -> dict[str, Any]:
        """Without an address."""
        made = blank_port(self.sim, self.sim.state.networks[network_id])
        self.sim.state.ports[id] = made | {"id": id} | more
        return self.sim.state.ports[id]

    def add_server(self, id: str, name: str, **more: Any) -> Server:
        flavor = more.pop("flavor", self.flavor)
        made = Server(
            id=id, name=name, project_id=self.account.project_id, user_id=self.account.user_id, created_at=self.sim.now,
            flavor=flavor, metadata={}, tags=[], description=None, hostname=name, key_name=None, user_data=None,
            availability_zone="nova", config_drive=False, disks=[], ports=[], group_id=None, status="ACTIVE",
            task_state=None,
        )  # fmt: skip
        self.sim.state.servers[id] = replace(made, **more)
        return self.sim.state.servers[id]

    def attach(self, volume_id: str, server_id: str) -> None:
        volume, server = self.sim.state.volumes[volume_id], self.sim.state.servers[server_id]
        disk = Disk(volume_id, f"/dev/vd{'abcdefgh'[len(server.disks)]}", False, new_id())
        server.disks.append(disk)
        volumes.attach(volume, server_id, disk.device, disk.attachment_id, self.sim.now)
        volume.status = "in-use"

    def add_backup(self, id: str, volume_id: str, parent_id: str | None = None, **more: Any) -> Backup:
        """The record of a backup; its data are in the store (``store_backup``)."""
        made = replace(_backup(id, volume_id, parent_id), project_id=self.account.project_id, **more)
        self.sim.state.backups[id] = made
        return made

    def store_backup(self, id: str, parent_id: str | None = None, **more: Any) -> None:
        self.store.objects[id] = Stored(parent_id, {}, **more)


def _backup(id: str, volume_id: str, parent_id: str | None) -> Backup:
    made = Backup(id, None, None, volume_id, 1, "", 1.0, 1.0, status="available", parent_id=parent_id)
    return replace(made, container=f"{id}-objects", service=backups.SERVICE)


def backup_record(id: str, volume_id: str, parent_id: str | None = None) -> dict[str, str]:
    """As Cinder exports it."""
    row = json.dumps(backups._record(_backup(id, volume_id, parent_id)))
    return {"backup_service": backups.SERVICE, "backup_url": base64.b64encode(row.encode()).decode()}


class Simulated:
    """Both sites; ``world.reconnect(SOURCE)`` brings the lost one back."""

    def __init__(self) -> None:
        self.world, saved, self.clouds = _prepared()
        self.world.go_back(saved)
        self.clouds.drop(SOURCE)
        self.source = SimulatedSite(self.world, self.clouds, SOURCE)
        self.target = SimulatedSite(self.world, self.clouds, TARGET)


def simulated_target(monkeypatch: pytest.MonkeyPatch) -> SimulatedSite:
    """The target alone, for those who are quick."""
    quick(monkeypatch)
    return Simulated().target


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks again at once, and polls without a pause worth the name."""
    monkeypatch.setattr(lifecycle, "SEARCH_AGAIN_SECONDS", 0.0)
    clock = SimpleNamespace(sleep=lambda seconds: time.sleep(min(seconds, 0.01)), monotonic=time.monotonic)
    monkeypatch.setattr(waiting, "time", clock)


def open_sites(settings: Settings) -> tuple[World, Path]:
    """Both, for as long as the process lives, and their clouds.yaml in a folder that lives as long."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    world = make_world((SOURCE, TARGET), settings=settings).__enter__()
    atexit.register(world.__exit__, None, None, None)
    return world, world.write_clouds(folder / "clouds.yaml")


@cache
def _prepared() -> tuple[World, Saved, Sites]:
    world, config_file = open_sites(FAST)
    names = {name: name for name in (SOURCE, TARGET, f"{TARGET}-member")}

    def cloud_of(name: str) -> str:
        if name not in names:
            raise NotFound(f"site: there is no site {name!r}")
        return names[name]

    clouds = Sites(cloud_of, config_file=config_file, timeout=5.0)
    clouds.open_for_service(TARGET).login()
    world.lose(SOURCE)
    return world, world.save(), clouds
