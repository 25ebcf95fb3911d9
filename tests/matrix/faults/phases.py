"""What is done: runs, each begun where an earlier one ended; and phases, a run with the site whose calls fail in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from multisite.domain.errors import Conflict
from multisite.domain.model import Purpose
from multisite.jobs.model import JobState
from multisite.jobs.view import Job
from multisite.store.types import now
from multisite_lab.guest.console import FREEZE_MARK
from tests.matrix.mirrors import METHOD
from tests.matrix.verbs import ZONE
from tests.sim.deploy import deploy_for_images
from tests.sim.service import MAPPING, SITE, TARGET, Service

APPLICATION, IMAGED = "mme", "img"
LOST, BACK = "lost", "back"
RULES = {name: value for name, value in MAPPING.items() if name != "source_is_fenced"}


@dataclass
class Known:
    """``point``: id of the newest restore point of the run's application; ``recovery``: of the newest recovery.
    ``looks``: how often warm standbys were looked at.
    """

    point: str = ""
    recovery: str = ""
    looks: int = 0


@dataclass(frozen=True)
class Run:
    """``base``: the run it begins where that ended; "": with the application just deployed.  ``do``: does it; the job.

    ``state``: of the job at its end.  ``source``: what becomes of the source site before it begins: ``LOST``, ``BACK``,
    or nothing.  ``undone_by``: the run that undoes it.
    """

    name: str
    base: str
    do: Callable[[Service, Known], Job]
    state: JobState = JobState.DONE
    source: str = ""
    undone_by: str = ""


@dataclass(frozen=True)
class Phase:
    """``site``: whose calls fail.  ``short``: four letters for tables."""

    name: str
    short: str
    site: str
    run: str


def protect(service: Service, known: Known, name: str = APPLICATION) -> Job:
    job, point = service.protect(name)
    known.point = point.id
    return job


def protect_images(service: Service, known: Known) -> Job:
    return protect(service, known, IMAGED)


def recover(service: Service, known: Known) -> Job:
    job, recovery = service.recover(known.point)
    known.recovery = recovery.id
    return job


def undo(service: Service, known: Known) -> Job:
    return service.undo(known.recovery)[0]


def drill(service: Service, known: Known) -> Job:
    begun = service.recoveries.drills.start(service.caller, known.point, TARGET, RULES, {"verify": "none"})
    known.recovery = begun.id
    return service.rest(begun.job_id)


def move(service: Service, known: Known) -> Job:
    begun = service.recoveries.start(
        service.caller, known.point, TARGET, RULES, confirm=APPLICATION, purpose=Purpose.MOVE
    )
    known.recovery = begun.id
    return service.rest(begun.job_id)


def make_images_known(service: Service, _known: Known) -> Job:
    """Deploy the other application, one of whose servers boots from an image; no job of its own."""
    members = [{"id": server} for server in deploy_for_images(service.cloud(), IMAGED)]
    service.applications.create(service.owner(), IMAGED, SITE, members)
    service.protections.create(
        service.caller, IMAGED, "instance-snapshot", target_site=TARGET, options={"console_mark": FREEZE_MARK}
    )
    return protect_images(service, Known())


def stop_source(service: Service, known: Known) -> Job:
    return service.rest(service.failback.stop_source(service.caller, known.recovery, APPLICATION)[0])


def undo_stop_source(service: Service, known: Known) -> Job:
    """Start the old copy again, whose recovery was undone."""
    stopped = next(job for job in service.jobs.list(subject=known.recovery) if job.kind == "stop-source")
    service.jobs.undo(stopped.id, "tester")
    return service.rest(stopped.id)


def remove_source(service: Service, known: Known) -> Job:
    job_id, _ = service.failback.commit(
        service.caller, known.recovery, remove_source=True, confirm=APPLICATION
    )
    return service.rest(str(job_id))


def replicate(service: Service, known: Known) -> Job:
    """One restore point of replicated volumes."""
    made = [p for p in service.protections.list(service.caller) if p.method == METHOD]
    if not made:
        options = {"freeze_timeout": 10}
        made = [
            service.protections.create(
                service.caller, APPLICATION, METHOD, target_site=TARGET, options=options
            )
        ]
    job = service.rest(service.protections.run(service.caller, made[0].id))
    known.point = next(point.id for point in service.points() if point.job_id == job.id)
    return job


def keep_standby(service: Service, known: Known) -> Job:
    """Keep the newest restore point restored at the target; what failed before is tried again, for time passes."""
    standby, protection = service.recoveries.standby, service.protection(APPLICATION)
    before = {job.id for job in service.jobs.list()}
    if protection.standby != 1:
        standby.set(service.caller, protection.id, 1)
    known.looks += 1
    moment = now() + known.looks * timedelta(hours=1)
    standby._now = standby._check._now = lambda: moment
    for _ in range(2):
        standby.run()
        standby.settle(600)
        for job in service.jobs.list(settled=False):
            service.rest(job.id)
    done = [job for job in service.jobs.list() if job.kind == "standby" and job.id not in before]
    if not done:
        raise Conflict(
            service.recoveries.standby.of([protection])[protection.id].note or "no standby was begun"
        )
    return done[0]


def recover_names(service: Service, known: Known) -> Job:
    """By a plan that changes the application's name in the target's DNS."""
    application = service.application(APPLICATION)
    if not service.plans.list(service.caller):
        record = {"name": f"{APPLICATION}.{ZONE}", "zone": ZONE, "driver": "designate", "ttl": 30}
        members = [member.server_name for member in application.members]
        record |= {"members": members, "network": f"{APPLICATION}-mgmt", "timeout": 20.0}
        owner = replace(service.caller, project_id=application.project_id)
        service.plans.create(owner, "by-name", APPLICATION, TARGET, mapping=RULES, dns=[record])
    begun = service.recoveries.start(
        service.caller, known.point, None, {"source_is_fenced": True}, confirm=APPLICATION, plan="by-name"
    )
    known.recovery = begun.id
    return service.rest(begun.job_id)


UNDONE = JobState.UNDONE
# fmt: off
RUNS = {run.name: run for run in (
    Run("full", "", protect),
    Run("incremental", "full", protect),
    Run("recover", "incremental", recover, source=LOST, undone_by="undo"),
    Run("undo", "recover", undo, UNDONE),
    Run("drill", "incremental", drill, UNDONE),
    Run("move", "full", move, undone_by="undo-move"),
    Run("undo-move", "move", undo, UNDONE),
    Run("images", "", make_images_known),
    Run("images-again", "images", protect_images),
    Run("recover-images", "images-again", recover, source=LOST, undone_by="undo-images"),
    Run("undo-images", "recover-images", undo, UNDONE),
    Run("stop-source", "recover", stop_source, source=BACK),
    Run("remove-source", "stop-source", remove_source),
    Run("undo-stopped", "stop-source", undo, UNDONE),
    Run("undo-stop-source", "undo-stopped", undo_stop_source, UNDONE),
    Run("recover-names", "incremental", recover_names, source=LOST, undone_by="undo-names"),
    Run("undo-names", "recover-names", undo, UNDONE),
    Run("standby", "incremental", keep_standby),
    Run("promote", "standby", recover, source=LOST, undone_by="undo-promote"),
    Run("undo-promote", "promote", undo, UNDONE),
    Run("replicate", "", replicate),
    Run("promote-copies", "replicate", recover, source=LOST, undone_by="undo-copies"),
    Run("undo-copies", "promote-copies", undo, UNDONE),
)}
PHASES = {phase.name: phase for phase in (
    Phase("full", "full", SITE, "full"),
    Phase("incremental", "incr", SITE, "incremental"),
    Phase("recover", "reco", TARGET, "recover"),
    Phase("undo", "undo", TARGET, "undo"),
    Phase("drill", "dril", TARGET, "drill"),
    Phase("move", "move", TARGET, "move"),
    Phase("move-source", "mvso", SITE, "move"),
    Phase("undo-move", "unmo", TARGET, "undo-move"),
    Phase("undo-move-source", "unms", SITE, "undo-move"),
    Phase("images", "imag", SITE, "images-again"),
    Phase("recover-images", "reim", TARGET, "recover-images"),
    Phase("undo-images", "unim", TARGET, "undo-images"),
    Phase("stop-source", "stop", SITE, "stop-source"),
    Phase("undo-stop-source", "unst", SITE, "undo-stop-source"),
    Phase("remove-source", "rmso", SITE, "remove-source"),
    Phase("recover-names", "dns", TARGET, "recover-names"),
    Phase("undo-names", "undn", TARGET, "undo-names"),
    Phase("standby", "stby", TARGET, "standby"),
    Phase("promote", "prom", TARGET, "promote"),
    Phase("undo-promote", "unpr", TARGET, "undo-promote"),
    Phase("replicate", "repl", SITE, "replicate"),
    Phase("promote-copies", "copy", TARGET, "promote-copies"),
    Phase("undo-copies", "unco", TARGET, "undo-copies"),
)}
# fmt: on


def needed(phases: Iterable[str]) -> list[Run]:
    """The runs of these phases, those they begin from and those that undo them, in an order they can be done in."""
    wanted: set[str] = set()
    rest = [PHASES[phase].run for phase in phases]
    while rest:
        run = RUNS[rest.pop()]
        if run.name not in wanted:
            wanted.add(run.name)
            rest += [name for name in (run.base, run.undone_by) if name]
    return [run for run in RUNS.values() if run.name in wanted]
