"""Several simulated sites in one process, with one backup store, and the clouds.yaml that leads to them."""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from multisite_lab.sim.clock import Clock, WallClock
from multisite_lab.sim.content import BackupStore, Stored
from multisite_lab.sim.model import Account, Row, Settings, Sim, State, new_id
from multisite_lab.sim.nova.resources import make_flavor
from multisite_lab.sim.problems import problems
from multisite_lab.sim.server import Served
from multisite_lab.sim.site import SimSite

PROJECT, OTHER = "vnf", "other"
PASSWORD = "sim-secret"


def make_site(
    name: str,
    region: str,
    store: BackupStore,
    *,
    clock: Clock | None = None,
    settings: Settings | None = None,
    furnished: bool = True,
) -> SimSite:
    """A site as the lab makes one: its accounts, and volume type ``rbd``.

    ``furnished``: with the image ``guest`` and the flavor ``t128`` too.
    """
    project, other = new_id().replace("-", ""), new_id().replace("-", "")
    operator, member = new_id(), new_id()
    accounts = (
        Account(operator, "operator", project, PROJECT, PASSWORD, ("admin", "member", "reader")),
        Account(member, "member", project, PROJECT, PASSWORD, ("member", "reader")),
        Account(new_id(), "other", other, OTHER, PASSWORD, ("member", "reader")),
    )
    sim = Sim(name, region, store, accounts, clock or WallClock(), settings or Settings())
    for kind, default in (("rbd", True), ("__DEFAULT__", False)):
        row: Row = {"id": new_id(), "name": kind, "description": None, "is_public": True, "extra_specs": {}}
        sim.state.volume_types[row["id"]] = {**row, "is_default": default}
    specs = {"consistent_group_snapshot_enabled": "<is> True"}
    group_type = new_id()
    sim.state.group_types[group_type] = {"id": group_type, "name": "consistent", "group_specs": specs}
    if furnished:
        make_flavor(sim, {"name": "t128", "vcpus": 1, "ram": 128, "disk": 1})
        image = new_id()
        sim.state.images[image] = {
            "id": image, "name": "guest", "status": "active", "visibility": "public", "owner": other,
            "disk_format": "raw", "container_format": "bare", "min_disk": 1, "min_ram": 0,
            "hw_qemu_guest_agent": "yes", "os_require_quiesce": "yes", "tags": [], "schema": "/v2/schemas/image",
        }  # fmt: skip
    return SimSite(sim)


@dataclass(frozen=True)
class Saved:
    """A world as it was at some moment."""

    states: dict[str, State]
    stored: dict[str, Stored]
    lost: frozenset[str]


@dataclass
class World:
    """Sites by name.  Use it as a context manager: leaving it closes the ports."""

    sites: dict[str, SimSite]
    store: BackupStore
    served: dict[str, Served] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)

    def __enter__(self) -> World:
        self.served = {name: Served(site) for name, site in self.sites.items()}
        for name in self.lost:  # of a world that was put aside
            self.cut(name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for served in self.served.values():
            served.close()

    def cut(self, name: str) -> None:
        """Nobody reaches the site; what runs there goes on."""
        self.served[name].cut()

    def lose(self, name: str) -> None:
        """The site burns: nobody reaches it, and nothing runs there any more."""
        self.cut(name)
        self.lost.add(name)

    def reconnect(self, name: str) -> None:
        """It is reachable again at its old address."""
        self.lost.discard(name)
        self.served[name].reconnect()

    def save(self) -> Saved:
        """Everything as it is now, to go back to as often as you like; ValueError while a site is at work."""
        states = {name: site.save() for name, site in self.sites.items()}
        return Saved(states, copy.deepcopy(self.store.objects), frozenset(self.lost))

    def go_back(self, saved: Saved) -> None:
        """To what was saved, at the same addresses; rules and logs are forgotten."""
        for name, site in self.sites.items():
            site.go_back(saved.states[name])
            if name in saved.lost:
                self.lose(name)
            else:
                self.reconnect(name)
        self.store.objects = copy.deepcopy(saved.stored)
        self.store.show()

    def write_clouds(self, path: Path) -> Path:
        """clouds.yaml: ``<site>`` (administrator and member of the project), ``<site>-member``,
        ``<site>-other`` (of another project).
        """
        clouds: dict[str, Any] = {}
        for name, site in self.sites.items():
            for suffix, account in zip(("", "-member", "-other"), site.sim.accounts, strict=False):
                clouds[name + suffix] = _entry(site, account)
        path.write_text(yaml.safe_dump({"clouds": clouds}))
        return path

    def problems(self, jobs: Collection[str] = (), working: Collection[str] = ()) -> list[str]:
        """See ``problems.problems``; of the sites that still are."""
        sims = [site.settle() for name, site in self.sites.items() if name not in self.lost]
        return problems(sims, jobs, working)


def _entry(site: SimSite, account: Account) -> dict[str, Any]:
    return {
        "region_name": site.sim.region,
        "auth": {
            "auth_url": f"{site.address}/identity",
            "username": account.user_name,
            "password": account.password,
            "project_name": account.project_name,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
    }


def make_world(
    names: Sequence[str] = ("site1", "site2"), *, clock: Clock | None = None, settings: Settings | None = None
) -> World:
    """Sites that share one backup store; as in the lab only the first has an image and a flavor."""
    if len(set(names)) != len(names) or not names:
        raise ValueError(f"names: {', '.join(names) or 'none'}: each site needs one of its own")
    store = BackupStore()
    sites = {
        name: make_site(
            name, f"Region{number}", store, clock=clock, settings=replace(settings or Settings()),
            furnished=number == 1,
        )
        for number, name in enumerate(names, start=1)
    }  # fmt: skip
    return World(sites, store)
