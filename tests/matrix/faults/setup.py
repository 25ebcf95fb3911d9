"""Where cases are tried: ``Setup`` is all a case knows of the sites, simulated (here) or real (``lab``)."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from multisite.domain.manifest import Manifest
from multisite.recovery.methods.cinder_backups.payload import chain_of
from multisite.store.standby import StandbyRepository
from multisite_lab.guest.console import marked
from multisite_lab.sim.content import Content
from multisite_lab.sim.faults import Rule, Seen
from multisite_lab.sim.model import Sim
from multisite_lab.sim.world import Saved, World, make_world
from tests.matrix import mirrors
from tests.matrix.faults.cases import Call, Case, Heard
from tests.matrix.faults.pauses import ANSWER_SECONDS, hurried
from tests.matrix.faults.phases import APPLICATION, BACK, LOST, PHASES, Known, Run, needed
from tests.matrix.simulated import make_name, names_of, stored_data
from tests.sim.judge import application_problems
from tests.sim.mirror import simulated_mirrors
from tests.sim.outcome import compare, compare_data, outcome, site_facts
from tests.sim.service import SITE, TARGET, Service, prepare

CUT_SECONDS = 2.0
"""How long a cut lasts while a job does not come to rest: waits for a site's work outlast it."""
LATE_SECONDS = 0.1
"""Shorter than the service's pause before it looks again, as an effect that comes late is in a real site."""
PATIENCE = 60.0


class Setup(Protocol):
    """``begin`` first; then ``strike``, whatever the case does, and ``reconnect`` before anything is judged."""

    def begin(self, phase: str) -> Service:
        """Bring sites and service to where the phase begins; no faults."""

    def known(self) -> Known:
        """The restore point a recovery is of, and the recovery an undo is of; for whoever asks to change."""

    def strike(self, case: Case) -> None:
        """From now on the case's fault waits for its call."""

    def struck(self) -> tuple[int, int]:
        """How many requests it met, and how many of them it struck."""

    def reconnect(self) -> None:
        """No faults any more, every site reachable that was."""

    def rest(self) -> None:
        """Wait until nothing is under way in the sites, late effects too."""

    def protected(self, manifest: Manifest) -> list[str]:
        """What is wrong with the data of a restore point, and with the site it was taken in."""

    def recovered(self, manifest: Manifest) -> list[str]:
        """What is wrong with the recovered application, its data above all."""

    def undone(self) -> list[str]:
        """What a recovery that was undone left."""

    def as_after(self, run: str) -> list[str]:
        """Where sites, data and applications are not as after that run without faults."""

    def problems(self) -> list[str]:
        """Frozen servers, orphans, duplicates, fields that were lost, a wrong order."""


@dataclass(frozen=True)
class Stage:
    """Where a run begins: the world, the service's folder, what is known; ``after``: what there was at its end."""

    world: Saved
    images: mirrors.Images
    folder: Path
    known: Known
    after: dict[str, Any]


@dataclass(frozen=True)
class End:
    """Where a run has ended."""

    world: Saved
    images: mirrors.Images
    folder: Path
    known: Known


class SimSetup:
    """Two simulated sites, each phase's beginning prepared once.  Use it as a context manager.

    Preparing is the run without faults: ``heard`` are its calls.  ``phases``: those that are tried.
    """

    def __init__(self, folder: Path, servers: int = 2, phases: Iterable[str] = tuple(PHASES)) -> None:
        self._folder, self._servers, self._phases = folder, servers, tuple(phases)
        self._around = ExitStack()
        self._stages: dict[str, Stage] = {}
        self._ends: dict[str, End] = {}
        self._service: Service | None = None
        self._rule: Rule | None = None
        self._cut: _Cut | None = None
        self._was_cut = False
        self._site = SITE
        self._cases = 0
        self._known = Known()
        self.heard: list[Heard] = []

    def __enter__(self) -> SimSetup:
        self._around.enter_context(hurried())
        self.world: World = self._around.enter_context(make_world())
        home = self._folder / "deployed"
        home.mkdir(parents=True)
        prepare(home, self.world)
        self._storages = simulated_mirrors(self.world)
        self._settle_in(home)
        self._ends[""] = End(self.world.save(), {}, home, Known())
        for run in needed(self._phases):
            self._record(run)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        self._around.close()

    def _open(self, folder: Path) -> Service:
        self._service = Service(
            folder, answer_seconds=ANSWER_SECONDS, patience=PATIENCE, mirrors=self._storages
        )
        self._service.open()
        return self._service

    def _leave(self) -> None:
        self.reconnect()
        service, self._service = self._service, None
        if service is not None:
            service.close()

    def _settle_in(self, home: Path) -> None:
        service = self._open(home)
        service.deploy(APPLICATION, self._servers)
        service.protection(APPLICATION, freeze_timeout=10)
        make_name(self.world, service.cloud(TARGET).project_id)
        self._leave()
        self.rest()

    def _record(self, run: Run) -> None:
        """Do it without faults, from where it begins, which is kept, as is its end."""
        base = self._ends[run.base]
        self.world.go_back(base.world)
        mirrors.restore(self._storages, base.images)
        if run.source == LOST:
            self.world.lose(SITE)
        elif run.source == BACK:
            self.world.reconnect(SITE)
        home, known = self._folder / run.name, replace(base.known)
        shutil.copytree(base.folder, home)
        begun = self.world.save()
        service = self._open(home)
        job = run.do(service, known)
        assert job.state is run.state, f"{run.name} without faults: {job.state}: {job.error}"
        self.rest()
        for phase in (one for one in PHASES.values() if one.run == run.name and one.name in self._phases):
            self.heard += (_heard(phase.name, seen) for seen in self.world.sites[phase.site].script.log)
        after = self._facts(service)
        if run.name == "full":
            after["manifest"] = shape(service.manifests.read(known.point))
        self._leave()
        self._stages[run.name] = Stage(begun, base.images, base.folder, base.known, after)
        self._ends[run.name] = End(self.world.save(), mirrors.saved(self._storages), home, known)

    def _facts(self, service: Service) -> dict[str, Any]:
        """What came of it.  Backups are judged by their content and their tokens."""
        seen = outcome(self.world, service)
        manifests = service.manifests.list().manifests
        applications = service.applications.list(service.caller)
        return {
            **{name: without_backups(facts) for name, facts in seen.sites.items()},
            "data recovered": seen.data,
            "data stored": sorted({v for m in manifests for v in self._stored(m).values()}),
            "storages": mirrors.images_of(self._storages),
            "names": names_of(self.world),
            "standbys": [str(standby.state) for standby in StandbyRepository(service.database).list()],
            "applications": {a.name: [a.site, a.epoch] for a in applications},
        }

    def _stored(self, manifest: Manifest) -> dict[str, str]:
        if mirrors.is_replicated(manifest):
            return mirrors.copied_data(self._storages[TARGET], manifest)
        return stored_data(self.world, manifest)

    def begin(self, phase: str) -> Service:
        self._leave()
        old = self._folder / f"case-{self._cases}"
        shutil.rmtree(old, ignore_errors=True)
        self._cases += 1
        folder = self._folder / f"case-{self._cases}"
        stage = self._stages[PHASES[phase].run]
        self.world.go_back(stage.world)
        mirrors.restore(self._storages, stage.images)
        shutil.copytree(stage.folder, folder)
        self._site, self._known = PHASES[phase].site, replace(stage.known)
        return self._open(folder)

    def known(self) -> Known:
        return self._known

    def strike(self, case: Case) -> None:
        self._rule = self.world.sites[self._site].strike(rule_of(case))
        self._was_cut = case.fault == "cut"
        if self._was_cut:
            self._cut = _Cut(self.world, self._site, self._rule)

    def struck(self) -> tuple[int, int]:
        return (self._rule.seen, self._rule.struck) if self._rule else (0, 0)

    def reconnect(self) -> None:
        cut, self._cut = self._cut, None
        if cut is not None:
            cut.end()
        for site in self.world.sites.values():
            site.script.clear()

    def rest(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while any(site.settle().busy for site in self.world.sites.values()):
            assert time.monotonic() < deadline, "the sites do not come to rest"
            time.sleep(0.01)

    def protected(self, manifest: Manifest) -> list[str]:
        expected = self._stages["full"].after
        wrong = compare(self._at(SITE), expected[SITE]) + compare(shape(manifest), expected["manifest"])
        return [*(f"{SITE}: {line}" for line in wrong), *stored_wrongly(self.world, manifest)]

    def recovered(self, manifest: Manifest) -> list[str]:
        found = compare_data(self.world.sites[TARGET].settle(), manifest)
        wrong = [f"server {name}: {its}" for name, its in found.items() if its != "as marked"]
        return wrong + self._differences(TARGET, "recover")

    def undone(self) -> list[str]:
        return self._differences(TARGET, "undo")

    def _at(self, site: str) -> dict[str, Any]:
        return without_backups(site_facts(self.world.sites[site].settle()))

    def _differences(self, site: str, run: str) -> list[str]:
        return [f"{site}: {line}" for line in compare(self._at(site), self._stages[run].after[site])]

    def as_after(self, run: str) -> list[str]:
        assert self._service is not None, "begin() comes first"
        expected = {name: its for name, its in self._stages[run].after.items() if name != "manifest"}
        return compare(self._facts(self._service), expected)

    def problems(self) -> list[str]:
        service = self._service
        assert service is not None, "begin() comes first"
        sims = [site.settle() for name, site in self.world.sites.items() if name not in self.world.lost]
        kept = mirrors.kept_snapshots(list(service.manifests.list().manifests))
        left = self.world.problems(service.owners())
        return [
            *(line for line in left if not any(id in line for id in kept)),
            *application_problems(self.world, service, ordered=not self._was_cut),
            *(line for sim in sims for line in _still(sim)),
        ]


def without_backups(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: its for name, its in facts.items() if name != "backups"}


def rule_of(case: Case) -> Rule:
    """The case's fault as the simulated site knows it."""
    call = case.call
    kinds: dict[str, dict[str, Any]] = {
        "500": {"kind": "error", "status": 500},
        "503": {"kind": "error", "status": 503},
        "drop": {"kind": "error"},
        "lost": {"kind": "lost"},
        "504": {"kind": "lost", "status": 504},
        "late": {"kind": "late", "status": 504, "seconds": LATE_SECONDS},
        "old": {"kind": "stale"},
        "few": {"kind": "partial", "keep": case.keep},
        "401": {"kind": "token"},
        "slow": {"kind": "delay", "seconds": ANSWER_SECONDS + 0.5},
        "cut": {"kind": "error", "times": 1_000_000},
    }
    return Rule(
        service=call.service,
        method=call.method,
        template=call.path,
        nth=case.nth,
        **kinds[case.fault.rstrip("+")],
    )


def shape(manifest: Manifest) -> dict[str, Any]:
    """What a restore point knows of the application, without ids."""
    groups = {group.id: group.name for group in manifest.server_groups}
    return {
        "servers": [
            (s.name, len(s.port_ids), len(s.volume_ids), s.key_name, groups.get(s.server_group_id or ""))
            for s in manifest.servers
        ],
        "volumes": [(v.name, v.device, v.bootable) for v in manifest.volumes],
        "ports": [(p.name, p.mac_address, len(p.security_group_ids)) for p in manifest.ports],
        "networks": sorted(n.name for n in manifest.networks),
        "subnets": sorted((s.name, s.cidr) for s in manifest.subnets),
        "security groups": sorted((g.name, len(g.rules)) for g in manifest.security_groups),
        "key pairs": sorted(k.name for k in manifest.keypairs),
        "server groups": sorted(groups.values()),
    }


def stored_wrongly(world: World, manifest: Manifest) -> list[str]:
    """What a recovery of it would find: each server's disks of one moment, and that the one marked."""
    wrong: list[str] = []
    found: dict[str, Content] = {}
    for volume in manifest.volumes:
        try:
            found[volume.id] = world.store.content_of([backup.id for backup in chain_of(volume)])
        except (KeyError, TypeError) as error:
            wrong.append(f"volume {volume.name}: its backups cannot be put together: {error!r}")
    marks = {mark.server_id: marked(mark.text) for mark in manifest.marks}
    for server in manifest.servers:
        disks = [found[v] for v in server.volume_ids if v in found]
        mark = marks.get(server.id)
        moments = {(disk.seed, disk.seq) for disk in disks}
        if len(moments) > 1:
            wrong.append(f"server {server.name}: its backups are of different moments {sorted(moments)}")
        elif mark is not None and disks and (disks[0].seq, disks[0].sum) != (mark.number, mark.sum):
            wrong.append(f"server {server.name}: its backups are of record {disks[0].seq}, marked was {mark}")
    return wrong


def _still(sim: Sim) -> list[str]:
    """With everything at rest nobody may stand still, also not within a time limit."""
    return [
        f"{sim.name}: server {server.name} is {server.freeze.state}"
        for server in sim.state.servers.values()
        if server.freeze.state != "thawed"
    ]


def _heard(phase: str, seen: Seen) -> Heard:
    assert seen.known, f"the simulation lacks {seen.call}"
    return Heard(Call(phase, seen.service, seen.method, seen.path), seen.rows)


class _Cut(threading.Thread):
    """Cuts a site once the rule has struck (until then only that call is reset), and reconnects it later."""

    def __init__(self, world: World, site: str, rule: Rule) -> None:
        super().__init__(name="cut", daemon=True)
        self._world, self._site, self._rule = world, site, rule
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._rule.struck and not self._over.wait(0.005):
            pass
        if self._rule.struck:
            self._world.cut(self._site)
            self._over.wait(CUT_SECONDS)
            self._world.sites[self._site].script.clear()
            self._world.reconnect(self._site)

    def end(self) -> None:
        self._over.set()
        self.join()
