"""How much longer a recovery takes than its critical path: 8 servers with 3 volumes each, over simulated sites.

The floor is the critical path of the calls a restore cannot do without, asked of the same site in the same run and in
their best order: network, records, volumes (as many at once as the product restores), each server as soon as its
volumes are there and the one before it is ready.  No plan, no checks, no records, no undo.
Beside it ``baseline_restore.sh``, the runbook of `openstack` commands, one after the other.  Needs no lab.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from bench.report import ratio
from multisite.domain.manifest import Manifest, ServerRecord, VolumeRecord
from multisite.jobs.model import JobState
from multisite.recovery.methods.cinder_backups.payload import BackupRecord, chain_of
from multisite_lab.sim.model import Settings
from multisite_lab.sim.world import make_world
from tests.sim import deploy
from tests.sim.deploy import CINDER, NOVA, ask, until
from tests.sim.service import CLOUDS, SITE, STORE, TARGET, Service, running_service

SERVERS, VOLUMES, ROUNDS = 8, 3, 3
RESTORES = 4
"""At once in a site: the product's default."""
POLL = 0.1
GOAL_PATH, GOAL_SCRIPT = 1.15, 3.0
NAME = "rto"
NETWORK = "10.40.0.0/24"
SPEED = Settings(
    import_record=0.2, restore=4.0, build_server=2.0, boot=3.0, dhcp=0.1, l3=0.1, create_volume=0.5
)
"""Seconds of a site at the recovery: 1 GiB restored at 250 MiB/s, a guest that boots in three."""
SCRIPT = Path(__file__).parent / "baseline_restore.sh"


class Floor:
    """The bare calls of one recovery."""

    def __init__(self, service: Service, manifest: Manifest) -> None:
        self._site, self._manifest = service.cloud(TARGET), manifest
        self._pool = ThreadPoolExecutor(SERVERS)
        self._restoring = ThreadPoolExecutor(RESTORES)
        self._importing = ThreadPoolExecutor(8)

    def recover(self) -> float:
        """Seconds from the first call to the last guest that is ready."""
        begun = time.monotonic()
        network, flavor = deploy.network(self._site, NAME, NETWORK), self._flavor()
        order = sorted(self._manifest.servers, key=lambda one: one.order)
        records = {record.id: record for record in self._manifest.volumes}
        volumes = {id: self._volume(records[id]) for server in order for id in server.volume_ids}
        last: Future[None] | None = None
        for server in order:
            last = self._pool.submit(self._serve, server, flavor, network, volumes, last)
        if last is not None:
            last.result()
        return time.monotonic() - begun

    def _flavor(self) -> str:
        wanted = self._manifest.servers[0].flavor
        body = {"name": f"floor-{time.monotonic()}", "vcpus": wanted.vcpus, "ram": wanted.memory_mib}
        answer = ask(
            self._site.compute, "POST", "/flavors", {"flavor": body | {"disk": wanted.disk_gib}}, NOVA
        )
        return str(answer["flavor"]["id"])

    def _volume(self, record: VolumeRecord) -> Future[str]:
        backup = chain_of(record)[-1]
        known = self._importing.submit(self._import, backup)
        return self._restoring.submit(self._restore, record, backup, known)

    def _import(self, backup: BackupRecord) -> None:
        proxy = self._site.volume
        there = proxy.request(f"/backups/{backup.id}", "GET", microversion=CINDER, raise_exc=False)
        if there.status_code == 404:
            ask(proxy, "POST", "/backups/import_record", {"backup-record": dict(backup.record)}, CINDER)
        self._until("backup", f"/backups/{backup.id}", "available")

    def _restore(self, record: VolumeRecord, backup: BackupRecord, known: Future[None]) -> str:
        known.result()
        body = {"restore": {"name": record.name}}
        path = f"/backups/{backup.id}/restore"
        made = str(ask(self._site.volume, "POST", path, body, CINDER)["restore"]["volume_id"])
        self._until("volume", f"/volumes/{made}", "available")
        if record.bootable:
            flag = {"os-set_bootable": {"bootable": True}}
            ask(self._site.volume, "POST", f"/volumes/{made}/action", flag, CINDER)
        return made

    def _until(self, kind: str, path: str, wanted: str) -> None:
        def seen() -> bool | None:
            return ask(self._site.volume, "GET", path, None, CINDER)[kind]["status"] == wanted or None

        until(seen, path, pause=POLL)

    def _serve(
        self,
        server: ServerRecord,
        flavor: str,
        network: str,
        volumes: Mapping[str, Future[str]],
        before: Future[None] | None,
    ) -> None:
        port = deploy.port(self._site, server.name, network)
        disks = [volumes[id].result() for id in server.volume_ids]
        if before is not None:
            before.result()
        made = deploy.server(self._site, server.name, flavor, disks, [port])
        deploy.working(self._site, made)


def furnish(service: Service) -> Manifest:
    """The application with its restore point; what it took is not measured."""
    site, members = service.cloud(SITE), []
    network = deploy.network(site, NAME, NETWORK)
    body = {"security_group": {"name": NAME}}
    group = ask(site.network, "POST", "/security-groups", body)["security_group"]["id"]
    image, flavor = deploy.image(site), deploy.flavor(site)
    for n in range(1, SERVERS + 1):
        disks = [deploy.volume(site, f"{NAME}-{n}-root", image=image)]
        disks += [deploy.volume(site, f"{NAME}-{n}-{k}") for k in range(1, VOLUMES)]
        port = deploy.port(site, f"{NAME}-{n}", network, security_groups=[group])
        members.append(deploy.server(site, f"{NAME}-{n}", flavor, disks, [port]))
    for server in members:
        deploy.working(site, server)
    service.applications.create(service.owner(), NAME, SITE, [{"id": server} for server in members])
    job, point = service.protect(NAME)
    if job.state is not JobState.DONE:
        raise RuntimeError(f"the protection run is {job.state}: {job.error}")
    return service.manifests.read(point.id)


def by_product(service: Service, point: str) -> float:
    """As an operator does it: the start with its preview until the job is done."""
    begun = time.monotonic()
    job, recovery = service.recover(point)
    seconds = time.monotonic() - begun
    if job.state is not JobState.DONE:
        raise RuntimeError(f"the recovery is {job.state}: {job.error}")
    service.undone(recovery.id)
    return seconds


def by_script(folder: Path, point: str) -> float:
    """Seconds the runbook takes; its own last line says so."""
    manifest = folder / STORE / "multisite" / "restore-points" / point / "manifest.json"
    environment = os.environ | {"OS_CLIENT_CONFIG_FILE": str(folder / CLOUDS)}
    argv = [str(SCRIPT), TARGET, str(manifest)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    if done.returncode or not (found := re.findall(r"^total ([\d.]+)", done.stdout, re.MULTILINE)):
        raise RuntimeError(f"the runbook failed:\n{done.stdout}\n{done.stderr[-2000:]}")
    return float(found[-1])


def main() -> int:
    mine, least = [], []
    with tempfile.TemporaryDirectory() as name, make_world(settings=SPEED) as world:
        folder = Path(name)
        with running_service(folder, world) as service:
            service.patience = 900.0
            manifest = furnish(service)
            world.lose(SITE)
            lost = world.save()
            for _ in range(ROUNDS):
                least.append(Floor(service, manifest).recover())
                world.go_back(lost)
                mine.append(by_product(service, manifest.id))
                print(f"critical path {least[-1]:.1f} s, product {mine[-1]:.1f} s", flush=True)
            peer = by_script(folder, manifest.id)
    print(
        f"RTO of {SERVERS} servers with {VOLUMES} volumes: product {statistics.median(mine):.1f} s, ", end=""
    )
    print(f"critical path {statistics.median(least):.1f} s, runbook of commands {peer:.1f} s")
    rounds = [one / floor for one, floor in zip(mine, least, strict=True)]
    slow = ratio("recovery_path", statistics.median(rounds), "<=", GOAL_PATH)
    return ratio("recovery_script", peer / statistics.median(mine), ">=", GOAL_SCRIPT) or slow


if __name__ == "__main__":
    sys.exit(main())
