"""What a process of the service does, one verb each.  Each tells the job it is about, None for one without a job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from multisite.domain.model import Purpose, Recovery
from multisite.jobs.view import Job
from multisite.recovery.policies.scheduler import PolicyScheduler
from multisite.recovery.policies.service import PolicyService
from multisite.store.types import now
from multisite_lab.guest.console import FREEZE_MARK
from tests.matrix.mirrors import METHOD
from tests.sim.service import MAPPING, TARGET, Service

FREEZE_SECONDS = 30
PROGRAMS, KEYS, CLOCK = "programs", "hook-keys", "clock"
"""In the service's folder: programs of hooks, the keys these were told, and the time the scheduler is told."""
PROGRAM = "note"
NOTE = f"""#!/bin/sh
cat > /dev/null
echo "$MULTISITE_KEY" >> "$(dirname "$0")/../{KEYS}"
"""
PLAN, WAITING, NAMES, POLICY = "by-night", "waiting", "by-name", "gold"
ZONE, ADDRESS = "vnf.example.org", "192.0.2.10"
"""Of the target's Designate, and what the application's name there leads to at first."""
KEPT = {name: value for name, value in MAPPING.items() if name != "source_is_fenced"}


def _open(service: Service, words: dict[str, Any]) -> Job | None:
    """Register the sites and decide how the application is protected, so that no other process has to."""
    (service.folder / PROGRAMS).mkdir(exist_ok=True)
    (service.folder / PROGRAMS / PROGRAM).write_text(NOTE)
    (service.folder / PROGRAMS / PROGRAM).chmod(0o755)
    members = [{"id": server} for server in words["servers"]]
    service.applications.create(service.owner(words["site"]), words["name"], words["site"], members)
    service.protection(words["name"], freeze_timeout=FREEZE_SECONDS)
    if "servers" in (imaged := words.get("imaged", {})):
        members = [{"id": server} for server in imaged["servers"]]
        service.applications.create(service.owner(words["site"]), imaged["name"], words["site"], members)
        options = {"console_mark": FREEZE_MARK}
        service.protections.create(
            service.caller, imaged["name"], "instance-snapshot", target_site=TARGET, options=options
        )
    return None


def _images(service: Service, words: dict[str, Any]) -> Job:
    """Protect by images: a server that boots from a volume and one that does not."""
    return service.protect(words["imaged"]["name"])[0]


def _protect(service: Service, words: dict[str, Any]) -> Job:
    return service.protect(words["name"])[0]


def _recover(service: Service, words: dict[str, Any]) -> Job:
    newest = next(p for p in service.points() if p.state in ("available", "superseded"))
    return service.recover(newest.id, **words.get("mapping", {}))[0]


def _drill(service: Service, words: dict[str, Any]) -> Job:
    newest = next(p for p in service.points() if p.state == "available")
    rules = {**MAPPING, **words.get("mapping", {})}
    begun = service.recoveries.drills.start(service.caller, newest.id, TARGET, rules, {"verify": "none"})
    return service.rest(begun.job_id)


def _move(service: Service, words: dict[str, Any], **more: Any) -> Job:
    """Move the application, from its newest restore point."""
    newest = next(p for p in service.points() if p.state == "available")
    rules = {**MAPPING, **words.get("mapping", {}), "source_is_fenced": False, **more}
    begun = service.recoveries.start(
        service.caller, newest.id, TARGET, rules, confirm=words["name"], purpose=Purpose.MOVE
    )
    return service.rest(begun.job_id)


def _one_by_one(service: Service, words: dict[str, Any]) -> Job:
    """Move it member by member; its networks are made at the target."""
    return _move(service, words, one_by_one=True, accept_split=True)


def _one_by_one_back(service: Service, words: dict[str, Any]) -> Job:
    """So, but the second member never says what the plan waits for: it is taken back."""
    name = words["name"]
    application = service.application(name)
    first, *others = (m.server_name for m in sorted(application.members, key=lambda m: m.order))
    if WAITING not in {plan.name for plan in service.plans.list(service.caller)}:
        gates = [{"kind": "console", "match": "never said", "timeout": 1}]
        groups = [{"name": "data", "members": [first]}, {"name": "front", "members": others, "gates": gates}]
        owner = replace(service.caller, project_id=application.project_id)
        service.plans.create(
            owner, WAITING, name, TARGET, mapping={**KEPT, "one_by_one": True}, groups=groups
        )
    newest = next(p for p in service.points() if p.state == "available")
    begun = service.recoveries.start(
        service.caller,
        newest.id,
        None,
        {"accept_split": True},
        confirm=name,
        plan=WAITING,
        purpose=Purpose.MOVE,
    )
    return service.rest(begun.job_id)


def _undo(service: Service, words: dict[str, Any]) -> Job:
    """Undo what was done last."""
    last = service.jobs.list()[0]
    for recovery in service.recoveries.list(service.caller):
        if recovery.job_id == last.id:
            return service.undo(recovery.id)[0]
    service.jobs.undo(last.id, "tester")
    return service.rest(last.id)


def _recovery(service: Service) -> Recovery | None:
    """The newest one that is no drill."""
    known = {recovery.job_id: recovery for recovery in service.recoveries.list(service.caller)}
    return next((known[job.id] for job in service.jobs.list() if job.id in known), None)


def _its_recovery(service: Service) -> Recovery:
    found = _recovery(service)
    assert found is not None, "there is no recovery"
    return found


def _recover_plan(service: Service, words: dict[str, Any]) -> Job:
    """Recover by a recovery plan with groups, a gate, programs to run and a question."""
    name = words["name"]
    application = service.application(name)
    first, *others = (m.server_name for m in sorted(application.members, key=lambda m: m.order))
    if PLAN not in {plan.name for plan in service.plans.list(service.caller)}:
        gates = [{"kind": "agent", "timeout": 60}]
        groups = [{"name": "data", "members": [first], "gates": gates}, {"name": "front", "members": others}]
        run = {"kind": "command", "command": PROGRAM}
        hooks = [
            {"name": "first", "when": "before-recovery", **run},
            {
                "name": "sure",
                "kind": "prompt",
                "when": "before-group",
                "group": "front",
                "question": "Go on?",
            },
            {"name": "told", "when": "after-recovery", **run},
            {"name": "gone", "when": "before-undo", **run},
        ]
        owner = replace(service.caller, project_id=application.project_id)
        service.plans.create(owner, PLAN, name, TARGET, mapping=KEPT, groups=groups, hooks=hooks)
    newest = next(p for p in service.points() if p.state == "available")
    fenced = {"source_is_fenced": True}
    service.recoveries.start(service.caller, newest.id, None, fenced, confirm=name, plan=PLAN)
    answered = _answer(service, words)
    assert answered is not None
    return answered


def _recover_names(service: Service, words: dict[str, Any]) -> Job:
    """Recover by a plan that changes the application's name in DNS."""
    name = words["name"]
    application = service.application(name)
    record = {"name": f"{name}.{ZONE}", "zone": ZONE, "driver": "designate", "ttl": 30}
    members = [m.server_name for m in application.members]
    record |= {"members": members, "network": f"{name}-mgmt", "timeout": 60.0}
    if NAMES not in {plan.name for plan in service.plans.list(service.caller)}:
        owner = replace(service.caller, project_id=application.project_id)
        service.plans.create(owner, NAMES, name, TARGET, mapping=KEPT, dns=[record])
    newest = next(p for p in service.points() if p.state == "available")
    fenced = {"source_is_fenced": True}
    begun = service.recoveries.start(service.caller, newest.id, None, fenced, confirm=name, plan=NAMES)
    return service.rest(begun.job_id)


def _standby(service: Service, words: dict[str, Any]) -> Job | None:
    """Keep the newest restore point restored at the target; carried out again it goes on."""
    _rest(service, words)
    standby, protection = service.recoveries.standby, service.protection(words["name"])
    if protection.standby != 1:
        standby.set(service.caller, protection.id, 1)
    for _ in range(3):  # one is restored, then the older one goes, then its row
        standby.run()
        standby.settle()
        _rest(service, words)
    standby.close()
    return next((job for job in service.jobs.list() if job.kind == "standby"), None)


def _set_replication(service: Service, words: dict[str, Any]) -> Job | None:
    """From now on its volumes are replicated."""
    if not any(p.method == METHOD for p in service.protections.list(service.caller)):
        options = {"freeze_timeout": FREEZE_SECONDS}
        service.protections.create(service.caller, words["name"], METHOD, target_site=TARGET, options=options)
    return None


def _replicate(service: Service, words: dict[str, Any]) -> Job:
    found = next(p for p in service.protections.list(service.caller) if p.method == METHOD)
    return service.rest(service.protections.run(service.caller, found.id))


def _answer(service: Service, words: dict[str, Any]) -> Job | None:
    """Carry on, as the operator who answers the question."""
    rested, recovery = _rest(service, words), _recovery(service)
    if recovery is None or rested is None or rested.state != "paused" or "Go on?" not in str(rested.error):
        return rested
    return service.rest(service.recoveries.answer(service.caller, recovery.id, "yes").job_id)


def _stop_source(service: Service, words: dict[str, Any]) -> Job:
    """Shut the old copy off, whose site is back."""
    return service.rest(
        service.failback.stop_source(service.caller, _its_recovery(service).id, words["name"])[0]
    )


def _reprotect(service: Service, words: dict[str, Any]) -> Job | None:
    service.failback.reprotect(service.caller, _its_recovery(service).id)
    return None


def _undo_reprotect(service: Service, words: dict[str, Any]) -> Job | None:
    service.failback.undo_reprotect(service.caller, _its_recovery(service).id)
    return None


def _commit(service: Service, words: dict[str, Any]) -> Job:
    """Remove the old copy."""
    id, name = _its_recovery(service).id, words["name"]
    job_id, _ = service.failback.commit(service.caller, id, remove_source=True, confirm=name)
    return service.rest(str(job_id))


def _undo_recovery(service: Service, words: dict[str, Any]) -> Job:
    return service.undo(_its_recovery(service).id)[0]


def _rest_recovery(service: Service, words: dict[str, Any]) -> Job | None:
    """As ``_rest``; tells of the recovery's job, which is not the newest."""
    _rest(service, words)
    return service.jobs.get(_its_recovery(service).job_id)


def _scheduled_drill(service: Service, words: dict[str, Any]) -> Job | None:
    """A policy's drill, a day later; carried out again it goes on, at the same time of day."""
    _rest(service, words)
    protection, owner = service.protection(words["name"]), service.owner()
    policies = PolicyService(service.database, service.protections, now)
    if POLICY not in {policy.name for policy in policies.list(owner)}:
        policies.create(owner, POLICY, drill_cron="0 3 * * *")
    if protection.policy_id is None:
        policies.assign(owner, protection.id, {"policy": POLICY})
    kept = service.folder / CLOCK
    if not kept.exists():
        kept.with_suffix(".new").write_text((now() + timedelta(days=1)).isoformat())
        kept.with_suffix(".new").rename(kept)
    moment = datetime.fromisoformat(kept.read_text())
    drills = service.recoveries.drills
    scheduler = PolicyScheduler(
        service.database, service.protections, service.jobs, lambda: moment, drills=drills
    )
    for _ in range(2):
        scheduler.run()
        scheduler.settle()
        _rest(service, words)
    scheduler.close()
    return _rest(service, words)


def _clear(service: Service, words: dict[str, Any]) -> Job | None:
    """Leave nothing of ours in any site: recoveries undone, restore points deleted, the newest first."""
    for recovery in service.recoveries.list(service.caller):
        if recovery.state != "undone":
            service.undo(recovery.id)
    for point in service.points():
        job_id = service.protections.delete_restore_point(service.caller, point.id)
        if job_id is not None:
            service.rest(job_id)
    return None


def _rest(service: Service, words: dict[str, Any]) -> Job | None:
    """Carry on with whatever an earlier process left, until every job is at rest."""
    jobs = [service.rest(job.id) for job in service.jobs.list()]
    return jobs[0] if jobs else None


VERBS: dict[str, Callable[[Service, dict[str, Any]], Job | None]] = {
    "open": _open,
    "protect": _protect,
    "images": _images,
    "recover": _recover,
    "drill": _drill,
    "move": _move,
    "one-by-one": _one_by_one,
    "one-by-one-back": _one_by_one_back,
    "recover-plan": _recover_plan,
    "answer": _answer,
    "recover-names": _recover_names,
    "standby": _standby,
    "set-replication": _set_replication,
    "replicate": _replicate,
    "stop-source": _stop_source,
    "reprotect": _reprotect,
    "undo-reprotect": _undo_reprotect,
    "commit": _commit,
    "undo-recovery": _undo_recovery,
    "rest-recovery": _rest_recovery,
    "scheduled-drill": _scheduled_drill,
    "undo": _undo,
    "clear": _clear,
    "rest": _rest,
}
