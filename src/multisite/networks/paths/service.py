"""What operators do with L3 paths.  Making one leaves nothing behind when a side fails; deleting undoes it."""

from __future__ import annotations

import builtins
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from multisite.clouds.ask import ask_all
from multisite.clouds.connect import Sites
from multisite.clouds.resources.left import left_by_job
from multisite.domain.caller import Caller
from multisite.domain.errors import Invalid, MultisiteError
from multisite.domain.findings import Comparison
from multisite.domain.l3_path import (
    EndState,
    L3Path,
    PathEnd,
    PathState,
    judge,
)
from multisite.domain.page import ALL, Page
from multisite.jobs.engine import JobEngine
from multisite.jobs.model import Ended, JobKind, JobState, Json, Step
from multisite.jobs.outcome import Outcome
from multisite.jobs.values import decode
from multisite.networks.addresses.reader import Listen, listen
from multisite.networks.members import MemberAsked, find_member
from multisite.networks.paths.steps import PathParams, PathSteps, read_end
from multisite.store.database import Database
from multisite.store.paths import PathRepository

KIND = "create-path"
OUTCOME: Mapping[JobState, PathState] = {
    JobState.DONE: PathState.READY,
    JobState.UNDONE: PathState.FAILED,
    JobState.PAUSED: PathState.STOPPED,
    JobState.UNDO_FAILED: PathState.STOPPED,
}
PROTOCOLS = ("udp", "tcp", "sctp", "icmp")


class PathService:
    """The verbs.  Registers the kind of job "create-path" with ``jobs``."""

    def __init__(
        self,
        database: Database,
        jobs: JobEngine,
        clouds: Sites,
        *,
        listener: Listen = listen,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database, self._jobs, self._clouds, self._now = database, jobs, clouds, now
        self._rows = PathRepository(database)
        self._listen = listener
        outcome = Outcome(self._rows, "path_id", OUTCOME, _gone)
        left = left_by_job(clouds, ("floating_ip", "security_group"))
        jobs.register(
            JobKind(KIND, self._build, on_failure="undo", outcome=outcome, left=left, rule="path:create")
        )

    def create(
        self, caller: Caller, name: str, ends: Sequence[MemberAsked], protocol: str, port: int | None
    ) -> L3Path:
        """Make a path between two members.  Both sites must answer, ports be the caller's.

        Invalid naming the field, Conflict, SiteError.
        """
        _refuse_wrong(ends, protocol, port)
        made = tuple(self._end(caller, end) for end in ends)
        id, sites = str(uuid.uuid4()), [end.site for end in ends]
        with self._database.session():
            job_id = self._jobs.start(
                KIND, {"path_id": id, "name": name, "sites": sites}, title=f"Create path {name}",
                project_id=caller.project_id, requested_by=caller.user_name, request_id=caller.request_id, subject=id,
            )  # fmt: skip
            path = L3Path(
                id, name, caller.project_id, made, protocol, port, PathState.CREATING, job_id, caller.user_name,
                self._now(),
            )  # fmt: skip
            return self._rows.add(path)

    def list(self, caller: Caller, page: Page = ALL) -> builtins.list[L3Path]:
        """By name."""
        return self._rows.list(caller.scope, page)

    def get(self, caller: Caller, id: str) -> L3Path:
        """By id; NotFound also for one of another project."""
        return self._rows.get(id, caller.scope)

    def delete(self, caller: Caller, id: str) -> L3Path | None:
        """Remove what it is made of, last first; None when nothing was left and it is forgotten."""
        path = self.get(caller, id)
        if path.state is PathState.FAILED:
            self._rows.delete(id)
            return None
        with self._database.session():
            self._jobs.undo(path.job_id, caller.user_name)
            return self._rows.update(replace(path, state=PathState.DELETING, error=None))

    def check(self, caller: Caller, id: str) -> Comparison:
        """Ask both sites; a site that does not answer is unknown, never in sync."""
        path = self.get(caller, id)
        sites = [end.site for end in path.ends]
        answers = ask_all(sites, partial(read_end, self._clouds, path), errors=(MultisiteError,))
        silent = [EndState(site, known=False, why=why) for site, why in answers.reasons.items()]
        return judge(path, [*answers.known.values(), *silent])

    def _end(self, caller: Caller, asked: MemberAsked) -> PathEnd:
        port, network = find_member(self._clouds, caller, asked)
        if not port.port_security:
            raise Invalid(
                f"ends: port {asked.port} of site {asked.site} has port security off: no rule would hold there; switch "
                "it on (`openstack port set --enable-port-security`) or name another port"
            )
        return PathEnd(asked.site, port.id, network)

    def _build(self, params: Mapping[str, Json]) -> builtins.list[Step]:
        p = decode(params, PathParams, KIND)
        return PathSteps(p.path_id, p.name, p.sites, self._rows, self._clouds, self._listen).steps()


def _gone(known: L3Path, wanted: L3Path, job: Ended) -> L3Path | None:
    """One that was deleted, and is undone now, is forgotten."""
    deleted = job.state is JobState.UNDONE and known.state is PathState.DELETING
    return None if deleted else wanted


def _refuse_wrong(ends: Sequence[MemberAsked], protocol: str, port: int | None) -> None:
    if len(ends) != 2 or ends[0].site == ends[1].site:
        raise Invalid("ends: a path has two ends, in two sites")
    if protocol not in PROTOCOLS:
        raise Invalid(f"protocol: {protocol!r} must be one of {', '.join(PROTOCOLS)}")
    if (port is None) != (protocol == "icmp"):
        raise Invalid("port: say which one of udp, tcp and sctp; icmp has none")
    if not all(re.fullmatch(r"\S{1,255}", end.port) for end in ends):
        raise Invalid("ends: the port of each member must be its id")
