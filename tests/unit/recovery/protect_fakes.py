"""A site in memory that behaves as Nova's filter and Cinder do where protecting depends on it."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from multisite.clouds.errors import ConflictInSite, Failed, NotFoundInSite, Refused, Unreachable
from multisite.clouds.facts import ApplicationFacts
from multisite.clouds.quiesce import Frozen, QuiesceRecord, Thawed
from multisite.clouds.volumes import Backup, GroupSnapshot, Snapshot, next_parent
from multisite.domain.manifest import FlavorRecord, ServerRecord, SourceSite, VolumeRecord
from multisite.domain.model import Application, Member
from multisite.jobs import graph
from multisite.jobs.model import JobKind, JobState
from multisite.jobs.values import plain
from multisite.recovery.protect.cloud import Sight
from multisite.recovery.protect.plan import ServerSeen, VolumeSeen

FLAVOR = FlavorRecord("f1", "small", 1, 128, 1)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Guest:
    id: str
    name: str
    volumes: tuple[str, ...]
    status: str = "ACTIVE"
    quiesce: bool = True
    frozen_at: datetime | None = None
    limit: float = 0.0
    expired: bool = False
    thawed_at: datetime | None = None

    @property
    def frozen(self) -> bool:
        if self.frozen_at is None or self.thawed_at is not None:
            return False
        if now() - self.frozen_at > timedelta(seconds=self.limit):
            self.expire()
        return not self.expired

    def expire(self) -> None:
        self.expired, self.thawed_at = True, now()


@dataclass
class Made:
    """A snapshot in the making; ``frozen`` are the servers that stood still when it was complete."""

    id: str
    volume_id: str
    name: str
    token: str
    ready_at: float
    group: str | None = None
    status: str = "creating"
    frozen: frozenset[str] | None = None


@dataclass
class Saved:
    backup: Backup
    token: str
    parent: str | None


@dataclass
class FakeCloud:
    """``trouble(verb, thing)`` may raise before a verb takes effect, ``late`` after it did."""

    name: str = "s1"
    guests: dict[str, Guest] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    snapshot_seconds: float = 0.0
    consoles: dict[str, str] = field(default_factory=dict)
    group: str | None = None
    trouble: Callable[[str, str], None] = lambda verb, thing: None
    late: Callable[[str, str], None] = lambda verb, thing: None
    snapshots: dict[str, Made] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    saved: dict[str, Saved] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    counter: int = 0
    clock: datetime = field(default_factory=now)

    @classmethod
    def with_servers(cls, count: int = 3, **more: object) -> FakeCloud:
        cloud = cls(**more)  # type: ignore[arg-type]
        for n in range(1, count + 1):
            cloud.guests[f"id{n}"] = Guest(f"id{n}", f"web{n}", (f"v{n}a", f"v{n}b"))
            cloud.sizes |= {f"v{n}a": 1, f"v{n}b": 2}
        return cloud

    @property
    def application(self) -> Application:
        members = tuple(
            Member(g.id, g.name, order, g.quiesce) for order, g in enumerate(self.guests.values(), start=1)
        )
        return Application("app-1", "demo", "p1", self.name, members)

    @property
    def frozen(self) -> set[str]:
        return {g.id for g in self.guests.values() if g.frozen}

    def verbs(self, *wanted: str) -> list[tuple[str, str]]:
        return [(verb, thing) for verb, thing in self.log if verb in wanted]

    def new_id(self, kind: str) -> str:
        with self.lock:
            self.counter += 1
            return f"{kind}{self.counter}"

    def asked(self, verb: str, thing: str = "") -> None:
        with self.lock:
            self.log.append((verb, thing))
        self.trouble(verb, thing)

    def source(self) -> SourceSite:
        return SourceSite(self.name, "RegionOne", "http://keystone/v3")

    def look(self, application: Application, *, quiesce: bool) -> Sight:
        self.asked("look")
        servers, records, volumes, seen = [], [], [], {}
        for order, member in enumerate(application.members, start=1):
            guest = self.guests.get(member.server_id)
            if guest is None:
                raise NotFoundInSite(self.name, "look", f"no server {member.server_id}", site_status=404)
            servers.append(
                ServerSeen(guest.id, guest.name, order, member.quiesce, guest.status, guest.volumes)
            )
            records.append(
                ServerRecord(
                    guest.id,
                    guest.name,
                    order,
                    member.quiesce,
                    FLAVOR,
                    (),
                    guest.volumes,
                    user_data="c2VjcmV0",
                )
            )
            for letter, volume in zip("abcd", guest.volumes, strict=False):
                seen[volume] = VolumeSeen(volume, volume, self.sizes[volume], "in-use", f"/dev/vd{letter}")
                volumes.append(
                    VolumeRecord(volume, volume, self.sizes[volume], "rbd", letter == "a", f"/dev/vd{letter}")
                )
        facts = ApplicationFacts("p1", tuple(records), tuple(volumes), (), (), (), (), (), ())
        return Sight(facts, tuple(servers), seen)

    def warm(self, pool: object, threads: int, seconds: float) -> None:
        self.asked("warm")

    def freeze(self, server_id: str, timeout: float, within: float) -> Frozen:
        self.asked("freeze", server_id)
        guest = self.guests[server_id]
        if guest.frozen:
            raise ConflictInSite(self.name, "freeze", "it is frozen already", site_status=409)
        guest.frozen_at, guest.thawed_at, guest.limit, guest.expired = now(), None, timeout, False
        self.late("freeze", server_id)
        return Frozen(server_id, guest.frozen_at, guest.frozen_at + timedelta(seconds=timeout), int(timeout))

    def thaw(self, server_id: str) -> Thawed:
        self.asked("thaw", server_id)
        guest = self.guests[server_id]
        _ = guest.frozen
        guest.thawed_at = guest.thawed_at or now()
        self.late("thaw", server_id)
        return Thawed(server_id, guest.frozen_at, guest.thawed_at, guest.expired, "thawed")

    def freeze_record(self, server_id: str) -> QuiesceRecord:
        guest = self.guests[server_id]
        return QuiesceRecord(server_id, "frozen" if guest.frozen else "thawed", guest.frozen_at)

    def console(self, server_id: str) -> str:
        self.asked("console", server_id)
        return self.consoles.get(server_id, "")

    def consistent_group(self, volume_ids: object) -> str | None:
        return self.group

    def snapshot(self, token: str, volume_id: str, name: str, within: float) -> Snapshot:
        self.asked("snapshot", volume_id)
        made = Made(self.new_id("snap"), volume_id, name, token, time.monotonic() + self.snapshot_seconds)
        with self.lock:
            self.snapshots[made.id] = made
        self.late("snapshot", volume_id)
        return self._shown(made)

    def snapshot_group(self, token: str, group_id: str, name: str, within: float) -> GroupSnapshot:
        self.asked("snapshot_group", group_id)
        group = self.new_id("gs")
        self.groups[group] = token
        for guest in self.guests.values():
            for volume in guest.volumes:
                made = Made(
                    self.new_id("snap"), volume, name, "", time.monotonic() + self.snapshot_seconds, group
                )
                self.snapshots[made.id] = made
        return GroupSnapshot(group, group_id, "creating")

    def snapshots_named(self, name: str, within: float) -> list[Snapshot]:
        self.asked("snapshots_named")
        with self.lock:
            return [self._shown(s) for s in self.snapshots.values() if s.name == name]

    def snapshots_by_token(self, tokens: object) -> list[Snapshot]:
        self.asked("snapshots_by_token")
        return [self._shown(s) for s in list(self.snapshots.values()) if s.token in tokens]  # type: ignore[operator]

    def group_snapshots_by_token(self, tokens: object) -> list[GroupSnapshot]:
        return [GroupSnapshot(g, "g1", "available") for g, t in self.groups.items() if t in tokens]  # type: ignore[operator]

    def delete_snapshot(self, snapshot_id: str) -> None:
        self.asked("delete_snapshot", snapshot_id)
        self.snapshots.pop(snapshot_id, None)

    def delete_group_snapshot(self, group_snapshot_id: str) -> None:
        self.asked("delete_group_snapshot", group_snapshot_id)
        self.groups.pop(group_snapshot_id, None)
        self.snapshots = {k: s for k, s in self.snapshots.items() if s.group != group_snapshot_id}

    def _shown(self, made: Made) -> Snapshot:
        if made.status == "creating" and time.monotonic() >= made.ready_at:
            made.status, made.frozen = "available", frozenset(self.frozen)
        return Snapshot(made.id, made.volume_id, made.status, self.sizes[made.volume_id], made.group)

    def backups(self) -> list[Backup]:
        self.asked("backups")
        return [s.backup for s in self.saved.values()]

    def backups_by_token(self, token: str) -> list[Backup]:
        self.asked("backups_by_token", token)
        return [s.backup for s in list(self.saved.values()) if s.token == token]

    def backups_of_jobs(self, jobs: Collection[str]) -> list[Backup]:
        self.asked("backups_of_jobs")
        prefixes = tuple(f"multisite:{job}:" for job in jobs)
        return [s.backup for s in list(self.saved.values()) if s.token.startswith(prefixes)]

    def create_backup(
        self, token: str, *, volume_id: str, snapshot_id: str, name: str, incremental: bool
    ) -> Backup:
        if found := self.backups_by_token(token):
            return found[0]
        self.asked("create_backup", volume_id)
        parent = next_parent(self.backups(), volume_id) if incremental else None
        if incremental and parent is None:
            raise Refused(self.name, "back up", "No backups available to do an incremental backup.")
        self.clock += timedelta(seconds=1)
        made = Backup(
            self.new_id("backup"), volume_id, "creating", incremental, self.sizes[volume_id], snapshot_id,
            self.clock, self.clock,
        )  # fmt: skip
        self.saved[made.id] = Saved(made, token, parent.id if parent else None)
        self.late("create_backup", volume_id)
        return made

    def wait_backup(self, backup_id: str, timeout: float, on_poll=None, cancelled=None) -> Backup:  # type: ignore[no-untyped-def]
        self.asked("wait_backup", backup_id)
        saved = self.saved[backup_id]
        if saved.backup.status.startswith("error"):
            raise Failed(self.name, "backup", "broken", state="error", seconds=0)
        saved.backup = replace(saved.backup, status="available")
        if on_poll:
            on_poll(saved.backup)
        return saved.backup

    def export_record(self, backup_id: str) -> dict[str, str]:
        self.asked("export_record", backup_id)
        content = {"id": backup_id, "parent_id": self.saved[backup_id].parent}
        return {
            "backup_service": "posix",
            "backup_url": base64.b64encode(json.dumps(content).encode()).decode(),
        }

    def delete_backup(self, backup_id: str, timeout: float) -> None:
        self.asked("delete_backup", backup_id)
        if any(s.parent == backup_id for s in self.saved.values()):
            raise Refused(self.name, "delete", "Incremental backups exist for this backup.")
        self.saved.pop(backup_id, None)


class Context:
    """What the engine gives a step."""

    def __init__(self, job_id: str, step: str, results: dict, *, interrupted: bool = False, attempt: int = 1):
        self.job_id, self.step, self.attempt, self.interrupted = job_id, step, attempt, interrupted
        self.token = f"multisite:{job_id}:{step}"
        self.results = results
        self.events: list[str] = []
        self.steps: list[tuple] = []
        self.stop = False

    def result_of(self, step: str):
        return self.results[step]

    def progress(self, done, total=None, unit="", detail=""):
        self.steps.append((done, total, unit, detail))

    def event(self, message, **data):
        plain(data, "event")
        self.events.append(message)

    def cancelled(self):
        return self.stop


@dataclass
class Run:
    """How a job went: ``error`` of the first step that failed, ``left`` errors of undoing."""

    job_id: str
    state: JobState
    results: dict
    events: list[str]
    error: str | None = None
    left: list[str] = field(default_factory=list)


def carry_out(
    kind: JobKind,
    params: dict,
    job_id: str = "job1",
    *,
    interrupted: str | None = None,
    fail_after: str | None = None,
) -> Run:
    """What the engine does, without its durability: steps in order, undone when one fails.

    ``interrupted``: the worker died in this step, which then runs again; ``fail_after``: fail behind it.
    """
    steps = graph.ordered(kind.build(plain(params, "params")))
    results: dict = {}
    events: list[str] = []
    begun, error = [], None
    for step in steps:
        context = Context(job_id, step.name, results, interrupted=step.name == interrupted)
        begun.append(step)
        try:
            if step.name == interrupted:
                step.run(Context(job_id, step.name, results))  # its end was not recorded
            results[step.name] = plain(step.run(context), step.name)
            if step.name == fail_after:
                raise RuntimeError("the next thing failed")  # noqa: TRY301
        except Exception as failure:
            error = str(failure)
            break
        finally:
            events.extend(context.events)
    run = Run(job_id, JobState.DONE, results, events, error)
    if error is not None:
        run.state = JobState.UNDONE
        undo(run, begun)
    if kind.finished:
        kind.finished(job_id, run.state, plain(params, "params"))
    return run


def undo(run: Run, steps: list) -> None:
    for step in reversed(steps):
        if step.undo is None:
            continue
        try:
            step.undo(Context(run.job_id, step.name, run.results), run.results.get(step.name))
        except Exception as failure:
            run.left.append(str(failure))
            run.state = JobState.UNDO_FAILED
            return


def unreachable(*_: str) -> None:
    raise Unreachable("s1", "call", "no answer in time")
