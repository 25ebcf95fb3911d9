"""One process of the service, which does one verb, dies on the way if it is told to, or tells what came of it."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multisite.jobs.view import Job
from multisite.store.database import Database
from tests.matrix.plants import PLANTS
from tests.matrix.watch import Watch
from tests.sim.service import STORE, Service

LOG, TOLD, NOTES = "process.log", "told.json", "passed"
FREEZE_SECONDS = 30


@dataclass(frozen=True)
class Order:
    """``words``: of the stage, ``name`` of the application among them.  ``death``: the key of a point;
    ``record``: note the boundaries; ``plant``: a bug to have.
    """

    folder: str
    verb: str
    words: dict[str, Any]
    death: tuple[str, str, int] | None = None
    record: bool = False
    plant: str | None = None


def _open(service: Service, words: dict[str, Any]) -> Job | None:
    """Register the sites and decide how the application is protected, so that no other process has to."""
    members = [{"id": server} for server in words["servers"]]
    service.applications.create(service.owner(words["site"]), words["name"], words["site"], members)
    service.protection(words["name"], freeze_timeout=FREEZE_SECONDS)
    return None


def _protect(service: Service, words: dict[str, Any]) -> Job:
    return service.protect(words["name"])[0]


def _recover(service: Service, words: dict[str, Any]) -> Job:
    newest = next(p for p in service.points() if p.state in ("available", "superseded"))
    return service.recover(newest.id, **words.get("mapping", {}))[0]


def _undo(service: Service, words: dict[str, Any]) -> Job:
    """Undo what was done last."""
    last = service.jobs.list()[0]
    for recovery in service.recoveries.list(service.caller):
        if recovery.job_id == last.id:
            return service.undo(recovery.id)[0]
    service.jobs.undo(last.id, "tester")
    return service.rest(last.id)


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
    "recover": _recover,
    "undo": _undo,
    "clear": _clear,
    "rest": _rest,
}


def run(order: Order) -> int:
    """In a fresh process: all of it; the process's exit status."""
    folder = Path(order.folder)
    log = (folder / LOG).open("ab")
    os.dup2(log.fileno(), sys.stdout.fileno())
    os.dup2(log.fileno(), sys.stderr.fileno())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(threadName)s %(message)s")
    (folder / TOLD).unlink(missing_ok=True)
    try:
        if order.plant is not None:
            PLANTS[order.plant]()
        Watch(folder / NOTES if order.record else None, order.death, str(folder / STORE)).install()
        service = Service(folder)
        service.patience = order.words.get("patience", service.patience)
        service.open()
        job = VERBS[order.verb](service, order.words)
        told = None if job is None else {"job": job.id, "state": job.state, "error": job.error}
        (folder / TOLD).write_text(json.dumps(told))
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def warm(folder: Path) -> None:
    """Import what is imported late, once for all the processes to come; starts no thread."""
    database = Database(f"sqlite:///{folder / 'warm.sqlite'}")
    database.upgrade()
    database.close()
    for name in (
        "dbos._sys_db_sqlite",
        "openstack.connection",
        "keystoneauth1.loading._plugins.identity.generic",
    ):
        __import__(name)
