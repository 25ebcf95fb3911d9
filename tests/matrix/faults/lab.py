"""The same cases on the real sites, through the fault proxies; run inside the core namespace.

Nothing can be put back here: cases follow each other, and a recovery is of the newest restore point, so that
the data of protections that met a fault is proven by the recoveries after them.  The source runs on meanwhile:
networks of the two sites have nothing to do with each other.  Actions of a server are one call here, and lists
are never partial: the proxy looks into no body.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from multisite.clouds import build, flavors, quiesce, resources, volumes
from multisite.clouds.errors import SiteError
from multisite.domain.manifest import Manifest
from multisite.jobs.model import JobState
from multisite.recovery.methods.cinder_backups.payload import chain_of
from multisite_lab import sites
from multisite_lab.faults.core import Faults, running
from multisite_lab.faults.rules import Orders, Rule
from multisite_lab.guest.console import marked, parse
from tests.contract.sites.pair import remove
from tests.matrix.faults.cases import Call, Case, Heard, cases_of, chosen
from tests.matrix.faults.phases import APPLICATION, PHASES, Known
from tests.matrix.faults.run import Result, run
from tests.sim.deploy import Deployed
from tests.sim.service import CLOUDS, SITE, TARGET, Service

SERVICES = {
    "keystone": "identity",
    "nova": "compute",
    "cinder": "volume",
    "neutron": "network",
    "glance": "image",
}
"""The proxy's names, and those of the matrix."""
TRIED = ("full", "incremental", "recover", "undo")
"""Phases whose beginning can be brought about again and again on sites that are not put back."""
SAMPLE = 20
ANSWER_SECONDS = 15.0
LATE_SECONDS = 1.5
"""Before the service looks again, and after what a busy site takes to answer a list."""
CUT_SECONDS = 20.0
PATIENCE = 900.0
Progress = Callable[[Iterable[Result], int], Iterator[Result]]


class LabSetup:
    """``setup.Setup`` on sites 1 and 2.  Leaving it removes the application and its restore points."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._around = ExitStack()
        self._deployed: Deployed | None = None
        self._case: Case | None = None
        self._since = 0
        self._jobs_before: frozenset[str] = frozenset()
        self._recovery = ""
        self._cut: _Cut | None = None
        self.heard: list[Heard] = []

    def __enter__(self) -> LabSetup:
        self._faults: Faults = self._around.enter_context(running([SITE, TARGET], self._folder / "faults"))
        self._service = self._open()
        self._around.callback(self._service.close)
        self._around.callback(self._tidy)
        self._deployed = self._service.deploy(APPLICATION, 1, full=False)
        self._service.protection(APPLICATION)
        for phase in TRIED:
            self._record(phase)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.reconnect()
        self._around.close()

    def _open(self) -> Service:
        home = self._folder / "service"
        home.mkdir(parents=True)
        through: dict[str, Any] = yaml.safe_load(self._faults.folder.clouds.read_text())
        entries = {name: through["clouds"][name] for name in (SITE, TARGET)}
        (home / CLOUDS).touch(mode=0o600)
        (home / CLOUDS).write_text(yaml.safe_dump({"clouds": entries}))
        service = Service(home, answer_seconds=ANSWER_SECONDS, patience=PATIENCE)
        service.open()
        return service

    def _tidy(self) -> None:
        """Newest first: the older ones are what they build on."""
        service = self._service
        for point in service.points():
            if (job := service.protections.delete_restore_point(service.caller, point.id)) is not None:
                service.rest(job)
        if self._deployed is not None:
            remove(service.cloud(SITE), self._deployed)

    def _record(self, phase: str) -> None:
        """The phase without faults; undoing is recorded on the recovery that was recorded."""
        if phase != "undo":
            self.begin(phase)
        before = len(self._faults.requests)
        if phase in ("full", "incremental"):
            job, _ = self._service.protect(APPLICATION, incremental=phase == "incremental")
        elif phase == "recover":
            job, recovery = self._service.recover(self._point())
            self._recovery = recovery.id
        else:
            job, _ = self._service.undo(self._recovery)
        assert job.state in (JobState.DONE, JobState.UNDONE), f"without faults: {job.state}: {job.error}"
        lines = [line for line in self._faults.requests[before:] if line["site"] == PHASES[phase].site]
        self.heard += (Heard(_call(phase, line)) for line in lines if line["number"] is not None)

    def begin(self, phase: str) -> Service:
        self.reconnect()
        service = self._service
        if phase == "undo":
            job, recovery = service.recover(self._point())
            assert job.state == JobState.DONE, f"the recovery to be undone: {job.error}"
            self._recovery = recovery.id
        for name in (SITE, TARGET):
            service.clouds.drop(name)  # so that logging in and finding versions are among the calls
        self._jobs_before = frozenset(job.id for job in service.jobs.list())
        return service

    def known(self) -> Known:
        return Known(self._point(), self._recovery)

    def _point(self) -> str:
        return next(
            point.id for point in self._service.points() if point.state in ("available", "superseded")
        )

    def strike(self, case: Case) -> None:
        self._case, self._since = case, len(self._faults.requests)
        self._order(PHASES[case.call.phase].site, Orders((rule_of(case),)))
        if case.fault == "cut":
            self._cut = _Cut(self, PHASES[case.call.phase].site)

    def struck(self) -> tuple[int, int]:
        if self._case is None:
            return 0, 0
        call = self._case.call
        lines = [
            line
            for line in self._faults.requests[self._since :]
            if line["number"] is not None and _call(call.phase, line) == call
        ]
        hits = [line for line in lines if line["fault"] and not line["fault"].startswith("stale:")]
        return len(lines), len(hits)

    def _order(self, site: str, orders: Orders) -> None:
        self._faults.order(**{site: orders})

    def reconnect(self) -> None:
        cut, self._cut = self._cut, None
        if cut is not None:
            cut.end()
        self._faults.order()

    def rest(self) -> None:
        if self._case is not None and self._case.fault == "late":
            time.sleep(2 * LATE_SECONDS)

    def protected(self, manifest: Manifest) -> list[str]:
        wrong = [] if len(manifest.marks) == len(manifest.servers) else ["a server has no mark"]
        for volume in manifest.volumes:
            for kept in chain_of(volume):
                try:
                    status = volumes.get_backup(self._service.cloud(SITE), kept.id).status
                except SiteError as error:
                    status = str(error)
                if status != "available":
                    wrong.append(f"volume {volume.name}: backup {kept.id}: {status}")
        return wrong

    def recovered(self, manifest: Manifest) -> list[str]:
        marks = {mark.server_name: marked(mark.text) for mark in manifest.marks}
        recovery = next(r for r in self._service.recoveries.list(self._service.caller) if r.state == "done")
        wrong = []
        for server in recovery.servers:
            verdict = parse(build.console(self._service.cloud(TARGET), server["id"])).verdict
            mark = marks.get(server["name"])
            if verdict is None or not verdict.consistent or verdict.record != mark:
                wrong.append(f"server {server['name']}: it found {verdict}, marked was {mark}")
        missing = {record.name for record in manifest.servers} - {s["name"] for s in recovery.servers}
        return wrong + [f"server {name} was not recovered" for name in sorted(missing)]

    def undone(self) -> list[str]:
        """``problems`` looks for all that jobs that were undone have left."""
        return []

    def as_after(self, run: str) -> list[str]:
        """Of phases that are not tried here."""
        raise NotImplementedError(run)

    def problems(self) -> list[str]:
        found = [line for server in self._members() for line in self._still(server)]
        for job in self._service.jobs.list():
            if job.id in self._jobs_before and job.subject != self._recovery:
                continue
            for name in (SITE, TARGET):
                cloud = self._service.cloud(name)
                things = [t for t in resources.find_of_job(cloud, job.id) if not _kept(cloud, t)]
                fleeting = [t for t in things if job.state == JobState.UNDONE or t.kind == "snapshot"]
                found += [f"{name}: {t.kind} {t.id} of job {job.id}, which is {job.state}" for t in fleeting]
                counts = Counter((t.kind, t.token or t.name) for t in things if t.kind != "snapshot")
                found += [f"{name}: {count} times {what}" for what, count in counts.items() if count > 1]
        return found

    def _members(self) -> tuple[str, ...]:
        return self._deployed.servers if self._deployed is not None else ()

    def _still(self, server_id: str) -> list[str]:
        state = quiesce.state(self._service.cloud(SITE), server_id).state
        return [] if state == "thawed" else [f"{SITE}: server {server_id} is {state}"]

    def hit(self) -> bool:
        return self.struck()[1] > 0

    def cut(self, site: str, how: str | None) -> None:
        self._order(site, Orders(cut=how))


def _kept(cloud: Any, thing: resources.Found) -> bool:
    """A flavor stays while others use it."""
    return thing.kind == "flavor" and bool(flavors.flavor_users(cloud, thing.id))


def _call(phase: str, line: dict[str, Any]) -> Call:
    """A line of the proxy's log by the matrix's names: versions are not part of a call."""
    path = re.sub(r"^/v[0-9.]+(?=/)", "", line["path"]).rstrip("/") or "/"
    if re.fullmatch(r"/v[0-9.]+", path):
        path = "/"
    if line["service"] == "keystone" and path.endswith("/auth/tokens"):
        path = "/v3/auth/tokens"
    return Call(phase, SERVICES.get(line["service"], line["service"]), line["method"], path)


def rule_of(case: Case) -> Rule:
    """The case's fault as the proxy knows it."""
    names = {ours: theirs for theirs, ours in SERVICES.items()}
    kinds: dict[str, dict[str, Any]] = {
        "500": {"fault": "error", "status": 500, "request_id": True},
        "503": {"fault": "error", "status": 503},
        "drop": {"fault": "drop"},
        "lost": {"fault": "late-success", "answer": "cut"},
        "504": {"fault": "late-success", "answer": "504"},
        "late": {"fault": "late-effect", "seconds": LATE_SECONDS},
        "old": {"fault": "stale"},
        "401": {"fault": "unauthorized"},
        "slow": {"fault": "delay", "seconds": ANSWER_SECONDS + 2},
        "cut": {"fault": "drop"},
    }
    call, nth = case.call, () if case.fault == "cut" else (case.nth,)
    return Rule(
        service=names.get(call.service, call.service),
        method=call.method,
        path=pattern(call.path),
        nth=nth,
        **kinds[case.fault.rstrip("+")],
    )


def pattern(path: str) -> str:
    """The paths of a call, with or without the version, and nothing else."""
    if path == "/":
        return r"^/(v[0-9.]+/?)?$"
    parts = [r"(?!detail$)[^/]+" if part == "{id}" else re.escape(part) for part in path.split("/")]
    return rf"^(/v[0-9.]+)?{'/'.join(parts)}/?$"


class _Cut(threading.Thread):
    """Takes the whole site away once the call was struck, and gives it back a while later."""

    def __init__(self, setup: LabSetup, site: str) -> None:
        super().__init__(name="cut", daemon=True)
        self._setup, self._site = setup, site
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        while not (hit := self._setup.hit()) and not self._over.wait(0.1):
            pass
        if hit:
            self._setup.cut(self._site, "refuse")
            self._over.wait(CUT_SECONDS)
            self._setup.cut(self._site, None)

    def end(self) -> None:
        self._over.set()
        self.join()


def on_lab(
    told: argparse.Namespace, progress: Progress, collected: Callable[[Iterable[Result]], list[Result]]
) -> list[Result]:
    """The cases that were asked for, a sample of at least ``SAMPLE`` otherwise, phase by phase."""
    for name in (SITE, TARGET):
        if not sites.is_alive(name):
            raise SystemExit(f"{name} does not run: make lab-up")
    sample = None if told.only else max(told.sample or 0, SAMPLE)
    with tempfile.TemporaryDirectory(prefix="fault-matrix-") as folder, LabSetup(Path(folder)) as setup:
        cases = chosen(cases_of(setup.heard), told.only, sample, told.seed)
        print(f"{len(setup.heard)} requests without faults; {len(cases)} cases", flush=True)
        return collected(progress((run(setup, case) for case in cases), len(cases)))
