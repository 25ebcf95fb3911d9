"""Earlier copies of an application that a recovery took the place of: are their servers active again?  Pure.

The one that counts is of the current epoch (``domain.epoch``); all others have the same MACs and addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from multisite.domain.epoch import Epoch, Epochs
from multisite.domain.findings import Finding, describe, unknown
from multisite.domain.manifest import Manifest
from multisite.domain.model import Application

GONE = "gone"
OFF = frozenset({"SHUTOFF", "SHELVED", "SHELVED_OFFLOADED", "DELETED", "SOFT_DELETED", GONE})
"""A suspended or paused server is not off: one request, and it sends again."""
KIND = "old copy"
MOST_EVENTS = 50
_STARTING = frozenset({"powering-on", "unshelving", "restoring"})


class OldCopyState(StrEnum):
    OFF = "off"  # every server of it is off, or gone
    ACTIVE = "active"  # one of them is neither
    UNKNOWN = "unknown"  # none is seen active, and a site did not tell


@dataclass(frozen=True)
class OldServer:
    """A server of an earlier copy.  ``epoch``: of that copy.  ``order``: as it boots.

    ``site_project_id``: of the site, "": its default.

    ``status``: as Nova said last, with what it is doing if it is being started; ``gone``: the site has none of that id,
    and ids are never given twice; None: never told.
    """

    id: str
    name: str
    order: int
    site: str
    epoch: int
    site_project_id: str = ""
    status: str | None = None

    @property
    def off(self) -> bool:
        return self.status in OFF


@dataclass(frozen=True)
class OldCopyEvent:
    """``state`` since that moment."""

    at: datetime
    state: OldCopyState
    reason: str


@dataclass(frozen=True)
class OldCopy:
    """All earlier copies of one application, whose id it has, as they were at ``looked_at``.

    ``recovery_id``: the recovery whose copy is the application, since ``epoch``, in ``target_site``.
    ``events``: the last changes of the state, oldest first.
    """

    id: str
    application: str
    project_id: str
    recovery_id: str
    epoch: int
    target_site: str
    state: OldCopyState
    servers: tuple[OldServer, ...]
    findings: tuple[Finding, ...] = ()
    looked_at: datetime | None = None
    events: tuple[OldCopyEvent, ...] = ()
    created_at: datetime | None = None


def earlier_servers(
    known: OldCopy | None,
    epochs: Epochs,
    application: Application | None,
    source: Manifest | None,
    names: Mapping[str, str],
) -> tuple[OldServer, ...]:
    """Every server that is known of a copy before the current epoch, once, with what is remembered of it.

    ``application``: as it is described; ``source``: what the current copy was recovered from; ``names`` by id.
    A copy whose recovery was undone is gone.
    """
    current = epochs.current
    if current is None:
        return ()
    live = {0, *(e.number for e in epochs.begun if not e.withdrawn)} - {current.number}
    found: dict[tuple[str, str], OldServer] = {}
    for server in (
        *(known.servers if known else ()),
        *_described(application, epochs),
        *_recorded(source),
        *_recovered(epochs, names),
    ):
        if server.epoch in live and (server.site, server.id) not in _of(current):
            found.setdefault((server.site, server.id), server)
    return tuple(sorted(found.values(), key=lambda s: (s.site, s.epoch, s.order, s.id)))


def judged(copy: OldCopy, reasons: Mapping[str, str], at: datetime, *, known_here: bool = True) -> OldCopy:
    """The copy with its state and findings, by what its servers are; ``reasons``: why a site did not tell, by site.

    ``known_here``: the recovery is one of this installation, which can do more than tell.
    """
    findings = tuple(_findings(copy, reasons, known_here))
    if any(finding.kind == KIND for finding in findings):
        state = OldCopyState.ACTIVE
    else:
        state = OldCopyState.UNKNOWN if findings else OldCopyState.OFF
    return replace(copy, state=state, findings=findings, looked_at=at)


def following(before: OldCopy | None, copy: OldCopy) -> OldCopy:
    """The copy with its events: a new one when the state, or the recovery, is another than ``before``."""
    events = before.events if before else ()
    if before is None or (before.state, before.recovery_id) != (copy.state, copy.recovery_id):
        reason = describe(copy.findings) or "every server of it is off or gone"
        events = (*events, OldCopyEvent(copy.looked_at or copy.created_at, copy.state, reason))[-MOST_EVENTS:]  # type: ignore[arg-type]
    return replace(copy, events=events)


def shown_status(status: str, task: str | None) -> str:
    """What of Nova's words says whether a server is off."""
    return f"{status} ({task})" if task in _STARTING else status


def stop_commands(copy: OldCopy, site: str) -> str:
    """What shuts the active servers of a site off with OpenStack's own client, last booted first."""
    return f"openstack server stop {' '.join(server.id for server in _active(copy, site))}"


def _findings(copy: OldCopy, reasons: Mapping[str, str], known_here: bool) -> Iterator[Finding]:
    for site in sorted({server.site for server in copy.servers}):
        if active := _active(copy, site):
            said = ", ".join(f"{server.name} ({server.id}) is {server.status}" for server in active)
            order = (
                f"openstack multisite recovery stop-source {copy.recovery_id} --yes-stop {copy.application}"
            )
            there = f"at site {site}: {stop_commands(copy, site)}"
            yield Finding(
                site,
                KIND,
                f"{said}; recovery {copy.recovery_id} made the copy in {copy.target_site} the application "
                f"(epoch {copy.epoch})",
                "the same MACs and addresses are active twice",
                f"{order}; or {there}" if known_here else there,
            )
        if site in reasons:
            yield unknown(site, reasons[site], "whether the old copy is active there is not known")


def _active(copy: OldCopy, site: str) -> list[OldServer]:
    found = [s for s in copy.servers if s.site == site and s.status is not None and not s.off]
    return sorted(found, key=lambda server: (-server.epoch, -server.order, server.id))


def _described(application: Application | None, epochs: Epochs) -> Iterator[OldServer]:
    """Those the application names, when they are not the current copy."""
    if application is None:
        return
    ids = {member.server_id for member in application.members}
    if epochs.older_copy(application.site, ids) is None:
        return
    of = [e.number for e in epochs.begun if e.site == application.site and ids <= set(e.servers)]
    for member in application.members:
        yield OldServer(
            member.server_id, member.server_name, member.order, application.site, max(of, default=0)
        )


def _recorded(source: Manifest | None) -> Iterator[OldServer]:
    if source is not None:
        for server in source.servers:
            yield OldServer(server.id, server.name, server.order, source.source.name, source.epoch)


def _recovered(epochs: Epochs, names: Mapping[str, str]) -> Iterator[OldServer]:
    for epoch in epochs.begun:
        for order, id in enumerate(epoch.servers, start=1):
            yield OldServer(id, names.get(id, id), order, epoch.site, epoch.number)


def _of(epoch: Epoch) -> Iterable[tuple[str, str]]:
    return {(epoch.site, id) for id in epoch.servers}
