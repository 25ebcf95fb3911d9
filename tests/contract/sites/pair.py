"""Two sites under examination, and one machine in the first that several checks look at."""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from multisite.clouds import build, quiesce, restore, volumes
from multisite.clouds.call import read_all
from multisite.clouds.classification import answer_words
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.quotas import read_quotas
from tests.sim import deploy
from tests.sim.deploy import NOVA, Deployed, ask, until

Check = Callable[["Pair"], None]


@dataclass
class Machine:
    """A server of two volumes and two ports that works, with all it needs, by ids."""

    made: Deployed

    @property
    def id(self) -> str:
        return self.made.servers[0]


@dataclass
class Pair:
    """``one`` has image and flavor, ``two`` is bare; ``member`` is no administrator of ``one``.

    ``tick``: seconds after which two things surely have different times in Cinder.
    """

    clouds: Sites
    tick: float = 0.0
    stem: str = field(default_factory=lambda: f"ct{uuid.uuid4().hex[:8]}")
    machines: list[Machine] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)
    _count: int = 0

    @property
    def one(self) -> CloudSite:
        return self.clouds.open_for_service("site1")

    @property
    def two(self) -> CloudSite:
        return self.clouds.open_for_service("site2")

    @property
    def member(self) -> CloudSite:
        return self.clouds.open_for_service("site1-member")

    def name(self, word: str) -> str:
        """A name nobody else has."""
        self._count += 1
        return f"{self.stem}-{word}-{self._count}"

    def token(self, word: str) -> str:
        return f"multisite:{self.stem}:{self.name(word)}"

    def pause(self) -> None:
        time.sleep(self.tick)

    def later(self, act: Callable[..., object], *args: Any) -> None:
        """Tidy up with this when the check is over, last first."""
        self._stack.callback(act, *args)

    @contextmanager
    def checking(self) -> Iterator[Pair]:
        with ExitStack() as stack:
            self._stack = stack
            yield self

    def machine(self) -> Machine:
        """Made when first asked for."""
        if not self.machines:
            self.machines.append(Machine(deploy.deploy(self.one, self.stem, servers=1)))
        return self.machines[0]

    def close(self) -> None:
        for machine in self.machines:
            remove(self.one, machine.made)

    # Things that go again when the check is over

    def volume(self, size: int = 1, site: CloudSite | None = None) -> str:
        where = site or self.one
        made = deploy.volume(where, self.name("volume"), size=size)
        self.later(restore.remove_volume, where, made, 120)
        return made

    def snapshot(self, volume_id: str, token: str | None = None) -> volumes.Snapshot:
        """Available."""
        name = self.name("snapshot")
        made = volumes.create_snapshot(self.one, token or self.token("snapshot"), volume_id, name, 60)
        self.later(volumes.delete_snapshot, self.one, made.id, 120)

        def done() -> volumes.Snapshot | None:
            return next(
                (s for s in volumes.snapshots_named(self.one, name, 60) if s.status == "available"), None
            )

        return until(done, f"snapshot {name} available")

    def backup(self, snapshot: volumes.Snapshot, *, incremental: bool) -> volumes.Backup:
        """Available."""
        made = volumes.create_backup(
            self.one,
            self.token("backup"),
            volume_id=snapshot.volume_id,
            snapshot_id=snapshot.id,
            name=self.name("backup"),
            incremental=incremental,
        )
        self.later(volumes.delete_backup, self.one, made.id, 120)
        return volumes.wait_backup(self.one, made.id, 120)

    def carried(self, backup: volumes.Backup) -> None:
        """Its record imported at the second site."""
        record = volumes.export_record(self.one, backup.id)
        restore.import_record(self.two, backup.id, record, 60)
        self.later(volumes.delete_backup, self.two, backup.id, 120)

    def network(self, cidr: str = "10.77.0.0/24") -> str:
        made = deploy.network(self.one, self.name("net"), cidr)
        self.later(ask, self.one.network, "DELETE", f"/networks/{made}")
        return made

    def port(self, network_id: str, **fields: Any) -> str:
        made = deploy.port(self.one, self.name("port"), network_id, **fields)
        self.later(send, self.one.network, "DELETE", f"/ports/{made}")
        return made

    @contextmanager
    def quota(self, service: str, **limits: int) -> Iterator[None]:
        """With other limits meanwhile."""
        site = self.one
        proxy = {"compute": site.compute, "volume": site.volume, "network": site.network}[service]
        path = f"/quotas/{site.project_id}" if service == "network" else f"/os-quota-sets/{site.project_id}"
        key, version = ("quota", None) if service == "network" else ("quota_set", None)
        before = {quota.resource: quota.limit for quota in read_quotas(site) if quota.resource in limits}
        ask(proxy, "PUT", path, {key: limits}, version)
        try:
            yield
        finally:
            ask(proxy, "PUT", path, {key: before}, version)


def send(
    proxy: Any, method: str, path: str, body: Any = None, version: str | None = None
) -> requests.Response:
    """One raw request, whatever the answer."""
    answer: requests.Response = proxy.request(path, method, json=body, microversion=version, raise_exc=False)
    return answer


def where_neutron_has(alias: str) -> Callable[[Check], Check]:
    """Ask a check only of sites whose Neutron has this extension."""

    def only_there(check: Check) -> Check:
        @functools.wraps(check)
        def asked(pair: Pair) -> None:
            site = pair.one
            rows = read_all(site, "list extensions", lambda: site.network, "/extensions", "extensions")
            if alias in {row["alias"] for row in rows}:
                check(pair)

        return asked

    return only_there


def refused(answer: requests.Response, status: int, *words: str) -> None:
    """It was refused with this status, and says all these words."""
    said = answer_words(answer)
    assert answer.status_code == status, f"{answer.status_code}, not {status}: {said}"
    missing = [word for word in words if word.lower() not in said.lower()]
    assert not missing, f"{said!r} does not say {missing}"


def remove(site: CloudSite, made: Deployed) -> None:
    """Take an application apart again."""
    for server in made.servers:
        quiesce.thaw(site, server)
        build.remove_server(site, server, 120)
    for volume_id in made.volumes:
        restore.remove_volume(site, volume_id, 120)
    for kind, ids in (("ports", made.ports), ("networks", made.networks), ("security-groups", made.groups)):
        for one in ids:
            send(site.network, "DELETE", f"/{kind}/{one}")
    send(site.compute, "DELETE", f"/os-server-groups/{made.server_group}", None, NOVA)
    send(site.compute, "DELETE", f"/os-keypairs/{made.name}", None, NOVA)


def simulated(folder: Path) -> Pair:
    """A pair over the simulated sites whose clouds.yaml is in this folder."""
    return Pair(Sites(config_file=folder / "clouds.yaml"))


def real(clouds: Path) -> Pair:
    """MariaDB keeps Cinder's times to the second."""
    return Pair(Sites(config_file=clouds), tick=1.2)
