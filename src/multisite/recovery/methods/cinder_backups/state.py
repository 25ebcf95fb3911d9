"""An application as its site shows it now, read at once with its servers and volumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from multisite.clouds import images, quiesce
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import Unsupported
from multisite.clouds.facts.application import ApplicationFacts, read_application
from multisite.domain.model import Application, Member, MemberRole


@dataclass(frozen=True)
class ServerNow:
    """A member as its site shows it.  ``status`` and ``task_state`` are Nova's.

    ``quiesce``: the operator's choice for this member.  ``volume_ids``: boot volume first.
    ``quiesce_problem``: why it cannot be frozen, in words, None when nothing is known against it.
    """

    id: str
    name: str
    order: int
    quiesce: bool
    status: str
    volume_ids: tuple[str, ...]
    task_state: str | None = None
    quiesce_problem: str | None = None
    image_backed: bool = False
    image_id: str = ""


@dataclass(frozen=True)
class VolumeNow:
    """A volume as its site shows it.  ``status`` is Cinder's, ``device`` as attached ("/dev/vda")."""

    id: str
    name: str
    size_gib: int
    status: str
    device: str


@dataclass(frozen=True)
class ApplicationState:
    """The records for the manifest, and the present states."""

    facts: ApplicationFacts
    servers: tuple[ServerNow, ...]
    volumes: Mapping[str, VolumeNow]


def read_state(
    site: CloudSite, application: Application, *, ask_quiesce: bool, standby_only: bool = False
) -> ApplicationState:
    """Read the application and the states that decide whether and how it can be protected.

    ``ask_quiesce``: also ask nova-api whether the members to be frozen can be.  ``standby_only``: of the standby
    members alone, nothing is asked about the others.  Raises NotFoundInSite naming a
    missing server or volume, Unsupported for one that cannot be protected, and what ``call`` raises.
    """
    protected = standbys(application) if standby_only else application.members
    members = sorted(protected, key=lambda m: m.order)
    facts = read_application(site, [m.server_id for m in members], {m.server_id: m.quiesce for m in members})
    servers = []
    for member, record in zip(members, facts.servers, strict=True):
        state = facts.server_states[record.id]
        problem = _quiesce_problem(site, member, state.status) if ask_quiesce else None
        servers.append(
            ServerNow(
                record.id,
                record.name,
                member.order,
                member.quiesce,
                state.status,
                record.volume_ids,
                state.task_state,
                problem,
                state.image_backed,
                state.image_id,
            )
        )
    volumes = {
        v.id: VolumeNow(v.id, v.name, v.size_gib, facts.volume_states[v.id], v.device) for v in facts.volumes
    }
    return ApplicationState(facts, tuple(servers), volumes)


def said_by_images(site: CloudSite, state: ApplicationState) -> dict[str, Mapping[str, str] | None]:
    """By server id the properties of the image it was made from, None where that is gone.

    What Nova keeps of an image is not shown; of a server that boots from a volume it is what that volume says.
    """
    records = {volume.id: volume for volume in state.facts.volumes}
    ids = {server.image_id for server in state.servers if server.image_backed and server.image_id}
    said = {id: images.read_properties(site, id) for id in sorted(ids)}
    return {
        server.id: said.get(server.image_id)
        if server.image_backed
        else records[server.volume_ids[0]].image_metadata
        for server in state.servers
    }


def standbys(application: Application) -> tuple[Member, ...]:
    """Its members of that role."""
    return tuple(member for member in application.members if member.role is MemberRole.STANDBY)


def _quiesce_problem(site: CloudSite, member: Member, status: str) -> str | None:
    if not member.quiesce or status != "ACTIVE":
        return None
    try:
        record = quiesce.state(site, member.server_id)
    except Unsupported as error:
        return error.message
    if record.state in ("freezing", "frozen"):
        return f"it is {record.state} by somebody else, until {record.thaw_at} at the latest"
    return None
