"""Moving addresses, L3 paths and measurements that remember instead of work (see ``fakes``)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, NotFound
from multisite.domain.findings import Comparison, Finding, Severity, unknown
from multisite.domain.l3_path import L3Path, PathEnd, PathState
from multisite.domain.moving_address import (
    AddressMember,
    AddressState,
    EpochRecord,
    Judgment,
    MovingAddress,
    Verdict,
)
from multisite.networks.probe.measure import Report

AT = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
_ids = itertools.count(1)


def _id(kind: int) -> str:
    return f"00000000-0000-4000-{kind:04d}-{next(_ids):012d}"


class Kept:
    noun = "thing"

    def __init__(self, jobs: Any, job: Any) -> None:
        self.items: dict[str, Any] = {}
        self._jobs, self._job = jobs, job
        self.asked: list[tuple[Any, ...]] = []

    def put(self, item: Any) -> Any:
        self.items[item.id] = item
        return item

    def list(self, caller: Caller) -> list[Any]:
        return [i for i in self.items.values() if i.project_id == caller.project_id]

    def get(self, caller: Caller, id: str) -> Any:
        if id not in self.items:
            raise NotFound(f"{self.noun}: there is no {self.noun} {id!r}")
        return self.items[id]

    def delete(self, caller: Caller, id: str) -> Any:
        found = self.items.pop(id)
        return replace(found, job_id=self.started(found.project_id, id))

    def started(self, project: str, subject: str) -> str:
        return str(self._jobs.put_job(self._job(subject, project)).id)


class Addresses(Kept):
    noun = "address"
    verdict = Verdict.ONE

    def make(
        self, project: str, name: str = "gw", address: str = "203.0.113.5", **more: Any
    ) -> MovingAddress:
        members = tuple(AddressMember(s, f"p-{s}", "ext", f"f-{s}") for s in ("paris", "lyon"))
        values: dict[str, Any] = {"members": members, "active_site": "paris", "probe": "icmp"} | more
        id = _id(8000)
        job = self.started(project, id)
        made: MovingAddress = self.put(
            MovingAddress(
                id, name, address, project, values["members"], values["active_site"], 1, AddressState.HELD,
                values["probe"], job, None, "olga", AT,
            )
        )  # fmt: skip
        return made

    def create(
        self,
        caller: Caller,
        name: str,
        address: str,
        members: Sequence[Any],
        active: str,
        probe: str = "icmp",
    ) -> MovingAddress:
        made = tuple(AddressMember(m.site, m.port, m.network or "ext") for m in members)
        return self.make(caller.project_id, name, address, members=made, active_site=active, probe=probe)

    def history(self, caller: Caller, id: str) -> list[EpochRecord]:
        return [EpochRecord(id, 1, "paris", AT, "olga", "create", "j-1")]

    def check(self, caller: Caller, id: str) -> Judgment:
        findings = (
            Finding("paris", "held", "holds it", severity=Severity.NOTE),
            unknown("lyon", "no route", "it may hold it"),
        )
        return Judgment(self.verdict, "paris holds it", findings, (), None)

    def move(
        self, caller: Caller, id: str, to: str, *, fenced: Sequence[str] = (), why: str = ""
    ) -> MovingAddress:
        known = self.get(caller, id)
        self.asked.append((to, tuple(fenced), why))
        if to == known.active_site:
            raise Conflict(f"address {known.name}: {to} holds it already")
        job = self.started(known.project_id, id)
        moved = replace(known, active_site=to, epoch=known.epoch + 1, job_id=job, move_job_id=job)
        result: MovingAddress = self.put(moved)
        return result

    def undo(self, caller: Caller, id: str) -> MovingAddress:
        known = self.get(caller, id)
        job = self.started(known.project_id, id)
        result: MovingAddress = self.put(replace(known, job_id=job, move_job_id=job, active_site="paris"))
        return result


class Paths(Kept):
    noun = "path"
    judgment = Comparison(())

    def make(
        self, project: str, name: str = "heartbeat", port: int | None = 5000, protocol: str = "udp"
    ) -> L3Path:
        ends = (
            PathEnd("paris", "p-1", "ext", "f-1", "203.0.113.51", "g-1"),
            PathEnd("lyon", "p-2", "ext", "f-2", "203.0.113.101", "g-2"),
        )
        id = _id(9000)
        job = self.started(project, id)
        made: L3Path = self.put(
            L3Path(id, name, project, ends, protocol, port, PathState.READY, job, "olga", AT)
        )
        return made

    def create(
        self, caller: Caller, name: str, ends: Sequence[Any], protocol: str, port: int | None
    ) -> L3Path:
        return self.make(caller.project_id, name, port, protocol)

    def check(self, caller: Caller, id: str) -> Comparison:
        return self.judgment

    def drifted(self) -> None:
        found = Finding("lyon", "rule too wide", "udp 5000 from anybody", "", "delete that rule")
        self.judgment = Comparison((found,))


class Probe:
    def __init__(self) -> None:
        self.report = Report("203.0.113.5", "icmp", 0.2, 20, 20, 0.0, 0.4, 0.5, 0.9, 0.21, tuple(range(20)))

    def measure(self, address: str, how: str = "icmp", **_pace: Any) -> Report:
        return replace(self.report, address=address, way=how)
