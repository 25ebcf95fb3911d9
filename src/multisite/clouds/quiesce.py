"""Freeze and thaw servers by the server actions of the nova-api filter ``multisite-nova``.

``POST /servers/{id}/action`` with ``{"quiesce": {"timeout": seconds}}`` or ``{"unquiesce": null}``,
``GET /servers/{id}/os-multisite-quiesce``; see ``plugins/nova``.  nova-api thaws by itself when the time
limit of a freeze is over, whatever became of the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from multisite.clouds.administrator import QUIESCE, administrator
from multisite.clouds.call import call
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, Refused, SiteError, Unsupported

MISSING = (
    "nova-api of this site has no quiesce action: install multisite-nova there and add its filter to"
    " api-paste.ini, or leave the server out of the freeze (quiesce: false)"
)
ANSWER_SECONDS = 15.0
"""How long a thaw's answer may take, and a freeze's beyond its time limit, before it counts as lost."""


@dataclass(frozen=True)
class Frozen:
    """A server was frozen, by nova-api's clock; it is thawed at ``thaw_at`` at the latest."""

    server_id: str
    frozen_at: datetime | None
    thaw_at: datetime | None
    timeout: int


@dataclass(frozen=True)
class Thawed:
    """What a thaw found.

    ``expired``: the time limit was over and nova-api had thawed the server before we asked. ``frozen_at`` None: no
    freeze was recorded, nothing had to be thawed.  ``done``: the guest confirmed it; otherwise nova-api goes on trying.
    """

    server_id: str
    frozen_at: datetime | None
    thawed_at: datetime | None
    expired: bool
    state: str

    @property
    def done(self) -> bool:
        return self.state == "thawed"


@dataclass(frozen=True)
class QuiesceRecord:
    """What nova-api knows about the last freeze of a server.

    ``state``: freezing, frozen, thawing or thawed.  ``frozen_at`` None: the guest never confirmed it.
    """

    server_id: str
    state: str
    frozen_at: datetime | None = None
    thaw_at: datetime | None = None


def freeze(site: CloudSite, server_id: str, timeout: int, within: float | None = None) -> Frozen:
    """Freeze a server's file systems for at most ``timeout`` seconds; returns once it stands still.

    ``within``: seconds its answer may take, by default a little more than ``timeout``.

    Raises ConflictInSite when the agent is dead, hung or the server frozen already, Unsupported without
    the filter, UnknownOutcome when the answer was lost.  After any of them the server may be frozen, or
    freeze a little later: thaw it.
    """
    site = administrator(site, QUIESCE)
    what = f"freeze server {server_id}"
    body = {"quiesce": {"timeout": timeout}}
    answer = _action(site, what, server_id, body, within or timeout + ANSWER_SECONDS)
    record = answer.get("quiesce") or {}
    return Frozen(
        server_id,
        _time(record.get("frozen_at")),
        _time(record.get("thaw_at")),
        int(record.get("timeout") or timeout),
    )


def thaw(site: CloudSite, server_id: str) -> Thawed:
    """Thaw a server and say how its freeze ended; harmless when it is not frozen.

    Raises ConflictInSite when the guest does not confirm it: nova-api goes on trying.  Unsupported without the filter,
    NotFoundInSite when the server is gone, Unreachable: after these only nova-api's own time limit thaws it.
    """
    site = administrator(site, QUIESCE)
    what = f"thaw server {server_id}"
    answer = _action(site, what, server_id, {"unquiesce": None}, ANSWER_SECONDS, idempotent=True)
    record = answer.get("unquiesce") or {}
    return Thawed(
        server_id,
        _time(record.get("frozen_at")),
        _time(record.get("thawed_at")),
        bool(record.get("expired")),
        str(record.get("state") or "unknown"),
    )


def state(site: CloudSite, server_id: str) -> QuiesceRecord:
    """What nova-api knows about the freeze of a server.  Raises Unsupported without the filter."""
    site = administrator(site, QUIESCE)
    what = f"read the freeze of server {server_id}"
    path = f"/servers/{server_id}/os-multisite-quiesce"
    try:
        answer = call(site, what, lambda: site.compute.get(path)).json()
    except NotFoundInSite as error:
        raise _missing_or(site, server_id, what, error) from error
    record: Mapping[str, Any] = answer.get("quiesce") or {}
    return QuiesceRecord(
        server_id,
        str(record.get("state") or "thawed"),
        _time(record.get("frozen_at")),
        _time(record.get("thaw_at")),
    )


def answer_within(site: CloudSite, seconds: float) -> dict[str, tuple[float, float]]:
    """Keyword for one request of a proxy: how long connecting and its answer may take."""
    connecting, answering = cast("tuple[float, float]", site.conn.session.timeout)  # set by open_site
    return {"timeout": (min(connecting, seconds), min(answering, seconds))}


def _action(
    site: CloudSite,
    what: str,
    server_id: str,
    body: Mapping[str, Any],
    within: float,
    *,
    idempotent: bool = False,
) -> Mapping[str, Any]:
    path = f"/servers/{server_id}/action"
    limits = answer_within(site, within)
    try:
        answer = call(site, what, lambda: site.compute.post(path, json=body, **limits), idempotent=idempotent)
    except Refused as error:
        # Stock nova-api answers 400 to an action it does not know (or 404, by its release).
        if error.site_status == 400 and "action" in error.message:
            raise Unsupported(site.name, what, MISSING) from error
        raise
    found: Mapping[str, Any] = answer.json()
    return found


def _missing_or(site: CloudSite, server_id: str, what: str, error: NotFoundInSite) -> SiteError:
    """Nova answers 404 for a path it does not know and for a server it does not know: ask for the server."""
    try:
        call(site, what, lambda: site.compute.get(f"/servers/{server_id}"))
    except NotFoundInSite:
        return error
    return Unsupported(site.name, what, MISSING)


def _time(text: object) -> datetime | None:
    if not isinstance(text, str) or not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
