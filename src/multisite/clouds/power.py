"""What Nova has noted of what was done with a server: whether one that was off has run in between.

Nova keeps a row of each action it has accepted (``os-instance-actions``, newest first), with the request's id, also
of those that failed.  Its own members of the project may read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multisite.clouds.call import read_all
from multisite.clouds.connect import CloudSite

_VERSION = "2.90"
QUIET = frozenset({"stop", "createImage", "createBackup", "lock", "unlock", "delete"})
"""Actions after which a server that was off is off (nova/compute/instance_actions.py); any other may let it run."""


@dataclass(frozen=True)
class ServerAction:
    """``id``: of the request; ``started_at`` by Nova's clock, as it says it."""

    name: str
    id: str
    started_at: str


def actions(site: CloudSite, server_id: str) -> list[ServerAction]:
    """What was done with a server, newest first.  Raises what ``call`` raises: then it is not known."""
    what = f"read what was done with server {server_id}"
    path = f"/servers/{server_id}/os-instance-actions"
    rows = read_all(site, what, lambda: site.compute, path, "instanceActions", microversion=_VERSION)
    return [ServerAction(row["action"], row["request_id"] or "", row["start_time"]) for row in rows]


def newest_of(found: Sequence[ServerAction]) -> str:
    """By what ``ran_since`` tells what came later."""
    return f"{found[0].started_at} {found[0].id}" if found else ""


def ran_since(found: Sequence[ServerAction], newest: str) -> ServerAction | None:
    """The first action after ``newest`` by which a server that was off may have run; None when there was none.

    Where ``newest`` is not among them any more, each of them may have come after it.
    """
    since: list[ServerAction] = []
    for action in found:
        if newest_of([action]) == newest:
            break
        since.append(action)
    return next((action for action in reversed(since) if action.name not in QUIET), None)
