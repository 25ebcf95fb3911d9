"""How long the API takes for a page of each list, with 10,000 of everything, in SQLite and PostgreSQL.  Needs no lab.

Requests go through the whole application (identity headers in place of Keystone) over a real database and backup store.
The largest page there is (1,000), one of 100, the first and one in the middle; the slowest of the medians counts.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import insert

from bench.report import ratio
from multisite.api.app import create_app
from multisite.command import options, wiring
from multisite.command.backup_store import manifest_store
from multisite.recovery.manifests import DIGEST, MANIFEST
from multisite.store.database import Database
from multisite.store.models import AuditRow, Base, JobRow, JournalRow, RecoveryRow, RestorePointRow, StepRow
from multisite_lab import postgres

COUNT = 10_000
STEPS = 5
"""Of each job: 100,000 rows in all."""
ROUNDS = 5
GOAL = 0.5
PROJECTS = ("p0", "p1")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
HEADERS = {"X-User-Id": "u", "X-User-Name": "olga", "X-Roles": "admin,member,reader", "X-Project-Id": "p0"}
PLAN = {"volumes": [{"id": n, "size_gib": 10} for n in range(50)]}


def job(n: int) -> dict[str, Any]:
    return {
        "id": f"job-{n:05}", "kind": "protect", "title": f"Protect mme-{n}", "state": "done", "params": PLAN,
        "project_id": PROJECTS[n % 2], "subject": f"app-{n % 50}", "requested_by": "olga", "run": 1, "epoch": 1,
        "intent": "run", "cancel_requested": False, "settled": True, "created_at": BEGAN + timedelta(minutes=n),
        "ended_at": BEGAN + timedelta(minutes=n + 1),
    }  # fmt: skip


def step(n: int) -> dict[str, Any]:
    return {
        "job_id": f"job-{n // STEPS:05}", "name": f"s{n % STEPS}", "position": n % STEPS, "title": "back a volume up",
        "state": "done", "needs": [], "epoch": 1, "attempt": 1, "interrupted": False, "undo_attempt": 0, "unit": "",
        "detail": "", "waits": "", "result": {"id": f"backup-{n}"},
    }  # fmt: skip


def line(n: int) -> dict[str, Any]:
    return {"job_id": f"job-{n:05}", "at": BEGAN, "who": "olga", "message": "requested", "data": {}}


def point(n: int) -> dict[str, Any]:
    windows = [{"server_id": f"server-{i}", "frozen_at": BEGAN.isoformat(), "seconds": 1.5} for i in range(5)]
    return {
        "id": f"point-{n:05}", "application_id": f"app-{n % 50}", "application": f"mme-{n % 50}", "incremental": True,
        "project_id": PROJECTS[n % 2], "method": "consistent-backup", "state": "available", "quiesced": True,
        "created_at": BEGAN + timedelta(minutes=n), "consistent_at": BEGAN, "frozen": windows, "marks": [],
        "digest": "0" * 64, "job_id": f"job-{n:05}",
    }  # fmt: skip


def recovery(n: int) -> dict[str, Any]:
    return {
        "id": f"recovery-{n:05}", "application": f"mme-{n % 50}", "project_id": PROJECTS[n % 2], "state": "done",
        "restore_point_id": f"point-{n:05}", "target_site": "lyon", "job_id": f"job-{n:05}", "requested_by": "olga",
        "created_at": BEGAN + timedelta(minutes=n), "mapping": {}, "servers": [],
    }  # fmt: skip


def record(n: int) -> dict[str, Any]:
    return {
        "key": f"key-{n}", "at": BEGAN + timedelta(minutes=n), "kind": "cloud", "user": "olga", "undoing": False,
        "project_id": PROJECTS[n % 2], "job_id": f"job-{n:05}", "method": "POST", "path": "/backups",
    }  # fmt: skip


ROWS: tuple[tuple[type[Base], Callable[[int], dict[str, Any]], int], ...] = (
    (JobRow, job, COUNT),
    (StepRow, step, COUNT * STEPS),
    (JournalRow, line, COUNT),
    (RestorePointRow, point, COUNT),
    (RecoveryRow, recovery, COUNT),
    (AuditRow, record, COUNT),
)
LISTS = ("jobs", "restore-points", "recoveries", "audit")


def furnish(database: Database, store: Path) -> None:
    """All rows, and a folder in the backup store for each restore point."""
    for row, make, count in ROWS:
        for begin in range(0, count, 10_000):
            with database.session() as session:
                session.execute(insert(row), [make(n) for n in range(begin, min(begin + 10_000, count))])
    for n in range(COUNT):
        folder = store / "multisite" / "restore-points" / f"point-{n:05}"
        folder.mkdir(parents=True, exist_ok=True)
        for name in (MANIFEST, DIGEST):
            (folder / name).write_bytes(b"{}")


def timed(client: FlaskClient, path: str) -> tuple[float, float, Any]:
    """Median seconds of a request, of the clock and of the processor; and its answer."""
    clock, processor, answer = [], [], None
    for _ in range(ROUNDS):
        begun, used = time.perf_counter(), time.process_time()
        answer = client.get(path, headers=HEADERS)
        clock.append(time.perf_counter() - begun)
        processor.append(time.process_time() - used)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:300]}")
    return statistics.median(clock), statistics.median(processor), answer


def measure(name: str, client: FlaskClient) -> float:
    """The slowest median, after one line for each list."""
    slowest = 0.0
    for noun in LISTS:
        plural, said = noun.replace("-", "_"), []
        middle = ""
        for limit in (1000, 100):
            for where in ("first", "middle"):
                path = f"/v1/{noun}?limit={limit}" + (f"&marker={middle}" if where == "middle" else "")
                clock, processor, answer = timed(client, path)
                items = answer.json[plural]
                if len(items) != limit:
                    raise RuntimeError(f"{path}: {len(items)} items")
                middle = middle or str(items[-1]["id"])
                said.append(f"{where} {limit}: {clock:.3f} s ({processor:.3f} s of a processor)")
                slowest = max(slowest, clock)
        print(f"{name}, {COUNT} {plural}: {', '.join(said)}", flush=True)
    return slowest


def run(name: str, folder: Path, url: str) -> float:
    store = folder / "store"
    store.mkdir(parents=True)
    file = folder / "multisite.conf"
    file.write_text(
        f"[DEFAULT]\nstate_path = {folder}/state\n[database]\nconnection = {url}\n[backup_store]\npath = {store}\n"
    )
    conf = options.load([str(file)])
    services = wiring.build(conf)  # nothing is begun
    try:
        manifest_store(conf).initialize()
        furnish(services.database, store)
        return measure(name, create_app(services, conf, auth=False).test_client())
    finally:
        services.close()


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        embedded = run("SQLite", Path(folder), f"sqlite:///{folder}/multisite.db")
    with tempfile.TemporaryDirectory() as folder, postgres.running() as server:
        shared = run("PostgreSQL", Path(folder), server.url)
    return ratio("lists", max(embedded, shared), "<=", GOAL)


if __name__ == "__main__":
    sys.exit(main())
