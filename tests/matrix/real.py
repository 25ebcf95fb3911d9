"""Points tried on the lab's real sites, one at a time: the same scenarios, carried out again before each point.

The application is deployed once.  Every point gets a service that has never done anything; what it made is removed
afterwards, and the next point does not begin before nothing of it is left.  The source site is not lost for a
recovery: both copies run, each in networks of its site, and the operator says that the source is fenced.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from multisite.clouds import quiesce, resources, volumes
from multisite.clouds.connect import CloudSite, open_site
from multisite.domain.manifest import Manifest
from multisite.recovery.methods.cinder_backups.payload import chain_of
from multisite_lab import sites, vnf
from multisite_lab.vnf import inventory
from tests.matrix.processes import Processes
from tests.matrix.scenarios import chain
from tests.matrix.stage import Facts, common_facts
from tests.sim.service import CLOUDS, SITE, TARGET, Service

NAME = "crash"
PATIENCE = 900.0
READY = 240
MAPPING = {"ready_timeout": READY, "boot_timeout": READY}
_DIGESTS = re.compile(r"-ms-[0-9a-f]{8}-[0-9a-f]{8}$")
COUNTED = ("backup",)
"""Kinds whose names are those of a run: only how many there are, in which state, can be compared."""


@dataclass
class RealStage:
    """``folder``: where the services of the points live."""

    folder: Path
    servers: int = 2
    hurry: bool = False
    seconds: float = 2 * PATIENCE
    words: dict[str, Any] = field(
        default_factory=lambda: {"name": NAME, "patience": PATIENCE, "mapping": MAPPING}
    )
    _application: vnf.Vnf | None = None

    @contextmanager
    def deployed(self) -> Iterator[RealStage]:
        """The application, in site 1 for as long as this lasts."""
        _destroy()
        self._application = vnf.deploy(SITE, NAME, servers=self.servers)
        try:
            yield self
        finally:
            _destroy()

    @contextmanager
    def at(self, base: str, processes: Processes) -> Iterator[RealPlace]:
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        every = yaml.safe_load(sites.clouds_yaml().read_text())["clouds"]
        clouds = {"clouds": {name: every[name] for name in (SITE, TARGET)}}
        (folder / CLOUDS).touch(mode=0o600)
        (folder / CLOUDS).write_text(yaml.safe_dump(clouds))
        place = RealPlace(folder)
        assert self._application is not None, "deployed() comes first"
        servers = [server.id for server in self._application.servers]
        try:
            self._carry_out(processes, folder, "open", self.words | {"site": SITE, "servers": servers})
            for scenario in chain(base):
                self._carry_out(processes, folder, scenario.verb, self.words)
            yield place
        finally:
            for verb in ("rest", "clear"):
                self._carry_out(processes, folder, verb, self.words)
            place.clear_imported()
            place.must_be_clear()
            shutil.rmtree(folder)

    def _carry_out(self, processes: Processes, folder: Path, verb: str, words: dict[str, Any]) -> None:
        ended = processes.run(folder, verb, words)
        if ended.code:
            raise RuntimeError(f"{verb} around the point fails: {ended.words()}; look in {folder}")


@dataclass
class RealPlace:
    folder: Path

    def lose_source(self) -> None:
        """Not here: the site is needed for the next point."""

    def return_source(self) -> None:
        """It was never lost."""

    def keep(self, name: str) -> None:
        """Nothing is kept: ``RealStage.at`` does it again."""

    def facts(self, service: Service) -> Facts:
        manifests = sorted(service.manifests.list().manifests, key=lambda m: m.consistent_at)
        data: dict[str, str] = {}
        for recovery in service.recoveries.list(service.caller):
            if recovery.state == "done":
                data |= _recovered_data(service.manifests.read(recovery.restore_point_id))
        return {
            "sites": {name: _resources(name) for name in (SITE, TARGET)},
            "points": {str(number): _point(m) for number, m in enumerate(manifests)},
            "data recovered": data,
            **common_facts(service),
        }

    def problems(self, service: Service) -> list[str]:
        found: list[str] = []
        for name in (SITE, TARGET):
            site = self._site(name)
            for job in service.jobs.list():
                found += _of_job(site, job.id, undone=job.state == "undone")
            for server in vnf.servers(name, NAME):
                state = quiesce.state(site, server.id).state
                if state != "thawed":
                    found.append(f"{name}: server {server.name} is {state}")
        damaged = service.manifests.list().damaged
        found += [f"restore point {d.id}: {d.problem}" for d in damaged]
        # What backups hold is only seen by restoring them: a recovery that was done is asked for its data.
        data = self.facts(service)["data recovered"]
        return found + [f"{name}: {said}" for name, said in data.items() if said != "as marked"]

    def clear_imported(self) -> None:
        """Records of backups that a recovery imported stay, as deleting one deletes the data: now it is gone."""
        target = self._site(TARGET)
        service = Service(self.folder)
        left = volumes.backups_of_jobs(target, [job.id for job in service.jobs.list()])
        service.close()
        for backup in sorted(left, key=lambda b: b.data_at, reverse=True):
            volumes.delete_backup(target, backup.id)

    def must_be_clear(self) -> None:
        """RuntimeError naming what is left of this point's service."""
        service = Service(self.folder)
        jobs = [job.id for job in service.jobs.list()]
        service.close()
        left = [line for name in (SITE, TARGET) for job in jobs
                for line in _of_job(self._site(name), job, undone=True)]  # fmt: skip
        if left:
            raise RuntimeError(f"the sites are not as they were: {'; '.join(left)}")

    def _site(self, name: str) -> CloudSite:
        return open_site(name, name, self.folder / CLOUDS)


def _destroy() -> None:
    for name in (SITE, TARGET):
        vnf.destroy(name, NAME)


def _of_job(site: CloudSite, job_id: str, *, undone: bool) -> list[str]:
    """Snapshots of a job at rest, what it made twice, and of an undone one everything."""
    made = resources.find_of_job(site, job_id)
    if undone:
        return [f"{site.name}: {t.kind} {t.id} of {t.token or t.name}: an orphan" for t in made]
    left = [f"{site.name}: snapshot {t.id}: left behind" for t in made if t.kind == "snapshot"]
    counts = Counter((t.kind, t.token or t.name) for t in made if t.kind != "snapshot")
    twice = [f"{site.name}: {n} times {kind} of {token}" for (kind, token), n in counts.items() if n > 1]
    return left + twice


def _resources(cloud: str) -> Facts:
    """What a site has of the application, by kind and name; servers with their states and addresses."""
    every = inventory.everything(vnf.connect(cloud))
    ours = inventory.parts(every, NAME)
    # A repeated run is another job, whose digests are in the names of what can carry a token nowhere else.
    found: Facts = {kind: sorted(_DIGESTS.sub("", row.name) for row in rows) for kind, rows in ours.items()}
    # To the lab a backup belongs to nobody; its name begins with its application's.
    for kind in COUNTED:
        rows = [row for row in every[kind] if (row.name or "").startswith(f"{NAME}-")]
        found[kind] = sorted((row.status, bool(row.is_incremental)) for row in rows)
    found["server"] = sorted((row.name, row.status, _addresses(row)) for row in ours["server"])
    return found


def _addresses(server: Any) -> list[str]:
    return sorted(row["addr"] for rows in (server.addresses or {}).values() for row in rows)


def _point(manifest: Manifest) -> Facts:
    return {
        "incremental": manifest.incremental,
        "quiesced": manifest.quiesced,
        "chains": sorted(len(chain_of(volume)) for volume in manifest.volumes),
        "marks": len(manifest.marks),
    }


def _recovered_data(manifest: Manifest) -> dict[str, str]:
    """By server: "as marked" when its guest is whole and on the record its source stood on."""
    marks = {mark.server_name: vnf.marked(mark.text) for mark in manifest.marks}
    found = {}
    for server in vnf.servers(TARGET, NAME):
        proof, mark = vnf.proof(TARGET, server.id, timeout=READY), marks.get(server.name)
        same = mark is not None and proof.matches(mark)
        found[server.name] = "as marked" if same else f"{proof} is not {mark}"
    return found
