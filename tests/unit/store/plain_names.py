"""Rows as the release before stored them under other names, and what is to become of them; on any database."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from multisite.jobs.values import decode
from multisite.networks.planes.repair import Repaired
from multisite.store.database import Database
from multisite.store.stretched import SitePortsStore
from multisite.store.types import UtcDateTime, now

BEFORE = "0010"
MENDED = {"mended": ["network down"], "left": []}
JOBS = {"repair": "repair-plane", "path": "create-path", "other": "another-kind"}
STEPS: list[tuple[str, str, str, Any]] = [
    ("repair", "mend:paris", "done", MENDED),
    ("repair", "mend:lyon", "running", None),
    ("path", "verify", "done", {"stranger_gets_in": {"paris": False, "lyon": None}}),
    ("path", "address-paris", "done", {"id": "f"}),
    ("other", "mend:paris", "done", MENDED),
]


def _insert(database: Database, name: str, row: dict[str, object]) -> None:
    types: dict[str, Any] = {
        **dict.fromkeys(("params", "needs", "result", "members", "look"), sa.JSON()),
        **dict.fromkeys(("created_at", "seen_at", "tried_at"), UtcDateTime()),
    }
    table = sa.table(name, *(sa.column(key, types.get(key)) for key in row))
    with database.session() as session:
        session.execute(table.insert().values(row))


def fill(database: Database) -> None:
    """Into a database of the release before."""
    for id, kind in JOBS.items():
        job = {
            "id": id, "kind": kind, "title": "t", "state": "running", "requested_by": "me", "params": {}, "run": 1,
            "epoch": 1, "intent": "run", "cancel_requested": False, "settled": False, "created_at": now(),
        }  # fmt: skip
        _insert(database, "job", job)
    for position, (job_id, name, state, result) in enumerate(STEPS):
        site = name.partition(":")[2]
        step = {
            "job_id": job_id, "name": name, "position": position, "title": f"Mend what can be mended at {site}",
            "state": state, "needs": [], "epoch": 1, "attempt": 1, "interrupted": False, "undo_attempt": 0,
            "unit": "", "detail": "", "waits": "", "result": result,
        }  # fmt: skip
        _insert(database, "step", step)
    network = {
        "id": "n", "name": "n", "project_id": "p", "kind": "vxlan", "state": "active", "cidr": "192.0.2.0/24",
        "members": [], "gateway": "none", "dhcp": "each", "remote_groups": "", "port_security": True,
        "requested_by": "me", "created_at": now(),
    }  # fmt: skip
    _insert(database, "stretched_network", network)
    ports = {"site": "paris", "seen_at": "2026-01-01T00:00:00Z", "ports": [], "group_names": {"web": "g"}}
    kept = {"network_id": "n", "site": "paris", "seen_at": now(), "tried_at": now(), "look": ports}
    _insert(database, "stretched_look", kept)


def check(database: Database) -> None:
    """In a database that was upgraded."""
    step = sa.table("step", *map(sa.column, ("job_id", "name", "title")), sa.column("result", sa.JSON))
    with database.session() as session:
        rows = {(row.job_id, row.name): row for row in session.execute(sa.select(step))}
    repaired, path = rows["repair", "repair:paris"], rows["path", "verify"]
    assert decode(repaired.result, Repaired, "stored") == Repaired(["network down"], [])
    assert repaired.title == "Repair what can be repaired at paris"
    assert rows["repair", "repair:lyon"].result is None
    assert path.result == {"reachable_from_outside": {"paris": False, "lyon": None}}
    other = rows["other", "mend:paris"]
    assert (other.result, other.title) == (MENDED, "Mend what can be mended at paris"), "of another kind"
    assert len(rows) == len(STEPS)
    kept = SitePortsStore(database).read("n")["paris"]
    assert kept.ports is not None
    assert dict(kept.ports.group_names) == {"web": "g"}
