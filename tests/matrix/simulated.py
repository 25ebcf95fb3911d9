"""Points tried on simulated sites: each on copies of its own, so several at a time and in any order."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from multisite.clouds.connect import open_site
from multisite.domain.manifest import Manifest
from multisite.recovery.methods.cinder_backups.payload import chain_of
from multisite_lab.guest.console import marked
from multisite_lab.sim import designate
from multisite_lab.sim.keep import Kept, keep, take_up
from multisite_lab.sim.model import Settings
from multisite_lab.sim.world import World, make_world
from tests.matrix import mirrors
from tests.matrix.process import LOG, NOTES, TOLD
from tests.matrix.processes import Processes
from tests.matrix.scenarios import DEPLOYED
from tests.matrix.stage import Facts, common_facts
from tests.matrix.verbs import ADDRESS, ZONE
from tests.sim import deploy as template
from tests.sim.judge import application_problems
from tests.sim.mirror import SimulatedMirror
from tests.sim.outcome import outcome
from tests.sim.service import CLOUDS, SITE, TARGET, Service

NAME, IMAGED = "mme", "img"
OF_ONE_LIFE = (LOG, NOTES, TOLD)


@dataclass
class SimStage:
    """``folder``: where kept states are; ``servers``: how many the application has; ``settings``: of the sites."""

    folder: Path
    servers: int = 2
    hurry: bool = True
    seconds: float = 300.0
    words: dict[str, Any] = field(
        default_factory=lambda: {"name": NAME, "imaged": {"name": IMAGED}, "patience": 240.0}
    )
    settings: Settings | None = None
    _worlds: dict[str, Kept] = field(default_factory=dict)
    _images: dict[str, mirrors.Images] = field(default_factory=dict)

    @contextmanager
    def at(self, base: str, processes: Processes) -> Iterator[SimPlace]:
        if base == DEPLOYED and base not in self._worlds:
            self._deploy(processes)
        with self._place(base) as place:
            yield place

    @contextmanager
    def _place(self, base: str) -> Iterator[SimPlace]:
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        shutil.copytree(self.folder / base, folder, dirs_exist_ok=True)
        try:
            with (
                take_up(self._worlds[base]) as world,
                mirrors.served(world, folder, self._images[base]) as storages,
            ):
                world.write_clouds(folder / CLOUDS)
                yield SimPlace(folder, world, self, storages)
        finally:
            shutil.rmtree(folder)

    def _deploy(self, processes: Processes) -> None:
        """The application, known to a service that has done nothing yet."""
        first = self.folder / f"{DEPLOYED}-first"
        first.mkdir()
        with make_world(settings=self.settings) as world:
            world.write_clouds(first / CLOUDS)
            site = open_site(SITE, SITE, first / CLOUDS)
            made = template.deploy(site, NAME, self.servers, full=True)
            imaged = {"name": IMAGED, "servers": template.deploy_for_images(site, IMAGED)}
            words = self.words | {"site": SITE, "servers": list(made.servers), "imaged": imaged}
            ended = processes.run(first, "open", words)
            if ended.code:
                raise RuntimeError(f"the application cannot be made known: {ended.words()}")
            make_name(world, open_site(TARGET, TARGET, first / CLOUDS).project_id)
            SimPlace(first, world, self, {}).keep(DEPLOYED)

    def store(self, name: str, folder: Path, world: World, storages: dict[str, SimulatedMirror]) -> None:
        self._worlds[name], self._images[name] = keep(world), mirrors.saved(storages)
        shutil.copytree(folder, self.folder / name, ignore=shutil.ignore_patterns(*OF_ONE_LIFE))


@dataclass
class SimPlace:
    folder: Path
    world: World
    stage: SimStage
    storages: dict[str, SimulatedMirror]

    def lose_source(self) -> None:
        if SITE not in self.world.lost:
            self.world.lose(SITE)

    def return_source(self) -> None:
        if SITE in self.world.lost:
            self.world.reconnect(SITE)

    def facts(self, service: Service) -> Facts:
        seen = outcome(self.world, service)
        manifests = sorted(service.manifests.list().manifests, key=lambda m: m.consistent_at)
        return {
            "sites": seen.sites,
            "points": {str(number): point for number, point in enumerate(seen.points)},
            "data in the store": {str(n): self._data(m) for n, m in enumerate(manifests)},
            "data recovered": seen.data,
            "storages": mirrors.images_of(self.storages),
            "names": names_of(self.world),
            **common_facts(service),
        }

    def _data(self, manifest: Manifest) -> Facts:
        if mirrors.is_replicated(manifest):
            return mirrors.copied_data(self.storages[TARGET], manifest)
        return stored_data(self.world, manifest)

    def problems(self, service: Service) -> list[str]:
        sims = [site.settle() for name, site in self.world.sites.items() if name not in self.world.lost]
        frozen = [
            f"{sim.name}: server {server.name} is {server.freeze.state}"
            for sim in sims
            for server in sim.state.servers.values()
            if server.freeze.state != "thawed"
        ]
        manifests = service.manifests.list()
        torn = [f"the data of {name} is not as marked" for m in manifests.manifests
                for name, verdict in self._data(m).items() if verdict != "as marked"]  # fmt: skip
        damaged = [f"restore point {d.id}: {d.problem}" for d in manifests.damaged]
        kept = mirrors.kept_snapshots(list(manifests.manifests))
        left = [line for line in self.world.problems(service.owners()) if not any(id in line for id in kept)]
        return [*left, *application_problems(self.world, service), *frozen, *torn, *damaged]

    def keep(self, name: str) -> None:
        self.stage.store(name, self.folder, self.world, self.storages)


def stored_data(world: World, manifest: Manifest) -> Facts:
    """By server: "as marked" when the backups of its volumes hold the very record it was frozen on.

    Of a restore point without any mark, made with the application stopped: what its disks hold at the source.
    """
    disks = world.sites[manifest.source.name].settle().state.volumes
    marks = {mark.server_id: marked(mark.text) for mark in manifest.marks}
    found = {}
    for server in manifest.servers:
        mark, verdicts = marks.get(server.id), []
        for volume in (manifest.volume(volume_id) for volume_id in server.volume_ids):
            content = world.store.content_of([backup.id for backup in chain_of(volume)])
            same = mark is not None and (content.seq, content.sum) == (mark.number, mark.sum)
            if not manifest.marks and volume.id in disks:
                same = content == disks[volume.id].content
            verdicts.append("as marked" if same else f"{asdict(content)} is not {mark}")
        found[server.name] = "; ".join(sorted(set(verdicts)))
    return found


def make_name(world: World, project_id: str) -> None:
    """Let the target have DNS, and the application a name in a zone of the project."""
    world.sites[TARGET].sim.settings.dns = True
    sim = world.sites[TARGET].settle()
    zone = designate.make_zone(sim, f"{ZONE}.", project_id)
    designate.make_recordset(sim, zone, {"name": f"{NAME}.{ZONE}.", "type": "A", "records": [ADDRESS]})


def names_of(world: World) -> list[str]:
    """What the target's DNS has."""
    rows = world.sites[TARGET].settle().state.recordsets.values()
    return sorted(f"{r['name']} {r['type']} {r['ttl']} {sorted(r['records'])} {r['status']}" for r in rows)
