"""The members of an application where they run: what they are, and whether one of them ran after it was stopped.

That nothing ran is asked of Nova, which notes every action it accepts: a member is off now, and no action since the
look before the final run can have let it run.  A guest that somebody starts on its host, past Nova, is not seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from multisite.clouds import build, power
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, SiteError
from multisite.clouds.facts.application import read_application
from multisite.domain.findings import Finding, blocking
from multisite.domain.manifest import Manifest
from multisite.domain.model import Application
from multisite.jobs.model import StepFailed

ON, OFF = "ACTIVE", "SHUTOFF"


@dataclass(frozen=True)
class SeenMember:
    """``ports``: ids in the order of its NICs; ``status`` and ``task`` are Nova's."""

    id: str
    name: str
    status: str
    ports: tuple[str, ...]
    volumes: tuple[str, ...]
    task: str | None = None
    locked: bool = False

    @property
    def was_on(self) -> bool:
        return self.status == ON


@dataclass(frozen=True)
class Look:
    """The members in boot order, as they were ``at``."""

    at: datetime
    members: tuple[SeenMember, ...]


def look(site: CloudSite, application: Application, at: datetime) -> Look:
    """Raises what ``read_application`` raises."""
    ordered = sorted(application.members, key=lambda member: member.order)
    facts = read_application(site, [member.server_id for member in ordered])
    states = facts.server_states
    return Look(
        at,
        tuple(
            SeenMember(
                s.id, s.name, states[s.id].status, s.port_ids, s.volume_ids, states[s.id].task_state, s.locked
            )
            for s in facts.servers
        ),
    )


def obstacles(site: CloudSite, seen: Look) -> Iterator[Finding]:
    """Why a member cannot be stopped, or could not be seen to stay off afterwards."""
    for member in seen.members:
        subject = f"server {member.name}"
        if member.status not in (ON, OFF):
            yield blocking(
                site.name,
                subject,
                f"it is {member.status}",
                "it must be ACTIVE or SHUTOFF: start or stop it",
            )
        elif member.task:
            yield blocking(site.name, subject, f"it is busy ({member.task})", "wait until Nova has finished")
        if member.locked and "admin" not in site.roles:
            remedy = f"openstack server unlock {member.id}"
            yield blocking(
                site.name, subject, "it is locked: only administrators may stop and start it", remedy
            )
        try:
            power.actions(site, member.id)
        except SiteError as error:
            yield blocking(
                site.name,
                subject,
                f"its actions cannot be read, so nobody would see whether it ran after it was stopped: {error}",
                "let the account read os-instance-actions",
            )


def changes(seen: Look, manifest: Manifest) -> Iterator[Finding]:
    """What a preview of this restore point cannot tell of, for the application has changed since."""
    known = {server.id: server for server in manifest.servers}
    gone = known.keys() - {member.id for member in seen.members}
    said = [f"server {known[id].name} is none of its members any more" for id in sorted(gone)]
    for member in seen.members:
        if (server := known.get(member.id)) is None:
            said.append(f"server {member.name} is not in it")
        elif set(server.port_ids) != set(member.ports) or not set(member.volumes) <= set(server.volume_ids):
            said.append(f"server {member.name} has other ports or volumes now")
    if said:
        remedy = "run the protection, and move from the restore point that makes (--warm-sync)"
        yield blocking(manifest.source.name, f"restore point {manifest.id}", "; ".join(said), remedy)


def newest_actions(site: CloudSite, members: Iterable[SeenMember]) -> dict[str, str]:
    """The newest action of each member by its id, of members that are off.  StepFailed names one that is not.

    The actions are read first: whatever comes after them is newer.
    """
    newest = {}
    for member in members:
        newest[member.id] = power.newest_of(power.actions(site, member.id))
        if (status := build.read_server(site, member.id)["status"]) != OFF:
            raise StepFailed(f"server {member.name} is {status} in {site.name}: it must stay off: stop it")
    return newest


def refuse_running(
    site: CloudSite, members: Iterable[SeenMember], newest: Mapping[str, str], move: str
) -> None:
    """StepFailed when one of them runs, or ran since its ``newest`` action.  One that was deleted does not run."""
    for member in members:
        try:
            status = build.read_server(site, member.id)["status"]
            ran = power.ran_since(power.actions(site, member.id), newest[member.id])
        except NotFoundInSite:
            continue
        if status == OFF and ran is None:
            continue
        done = f" (action {ran.name} at {ran.started_at})" if ran else ""
        raise StepFailed(
            f"server {member.name} {'ran' if status == OFF else f'is {status}'} in {site.name} after it was stopped "
            f"for the move{done}: two copies would be active, or what it wrote would be lost: nothing is started at "
            f"the target; undo the move (openstack multisite recovery undo {move}), and move again"
        )
