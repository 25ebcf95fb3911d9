"""One process of the service, which does one verb, dies on the way if it is told to, or tells what came of it."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multisite.recovery.plans.outside import outside
from tests.matrix import mirrors
from tests.matrix.plants import PLANTS
from tests.matrix.verbs import PROGRAMS, VERBS
from tests.matrix.watch import Watch
from tests.sim.service import STORE, Service

LOG, TOLD, NOTES = "process.log", "told.json", "passed"


@dataclass(frozen=True)
class Order:
    """``words``: of the stage, ``name`` of the application among them.  ``death``: the key of a point;
    ``record``: note the boundaries; ``plant``: a bug to have; ``commits``: those of the verb itself are boundaries.
    """

    folder: str
    verb: str
    words: dict[str, Any]
    death: tuple[str, str, int] | None = None
    record: bool = False
    plant: str | None = None
    commits: bool = False


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
        watch = Watch(folder / NOTES if order.record else None, order.death, str(folder / STORE))
        watch.install()
        watch.watch_calls(mirrors.RemoteMirror, mirrors.CHANGES)
        hooks = outside(hook_folder=str(folder / PROGRAMS))
        service = Service(folder, outside=hooks, mirrors=mirrors.found_in(folder))
        service.patience = order.words.get("patience", service.patience)
        service.open()
        watch.commits = order.commits
        job = VERBS[order.verb](service, order.words)
        told = None if job is None else {"job": job.id, "state": job.state, "error": job.error}
        (folder / TOLD).write_text(json.dumps(told))
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def warm(folder: Path) -> None:
    """Import what is imported late and make what is made once, for all the processes to come; starts no thread."""
    service = Service(folder)
    service.audit.close()
    service.database.close()
    for name in (
        "dbos._sys_db_sqlite",
        "openstack.connection",
        "keystoneauth1.loading._plugins.identity.generic",
    ):
        __import__(name)
    running = [thread.name for thread in threading.enumerate()]
    if running != ["MainThread"]:
        raise RuntimeError(f"a process with threads must not be forked: {', '.join(running)}")
