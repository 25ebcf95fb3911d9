"""The audit trail as data: who changed what, where, when, and what came of it.  Never bodies, never secrets."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

LEAST_DAYS = 30
"""Younger records are never removed; a day before, the database's triggers refuse it too."""


class AuditKind(StrEnum):
    CLOUD = "cloud"  # a change a job made, or tried to make, in a site
    API = "api"  # a change somebody asked of this service
    SERVICE = "service"  # a change this service made by its configuration: what was removed by age
    APPROVAL = "approval"  # somebody's explicit word: a recovery may begin, a restored database counts


class AuditOutcome(StrEnum):
    """Each with what an auditor can rely on."""

    INTENDED = (
        "intended"  # about to be sent; nothing more is known (this service was ended before the answer)
    )
    DONE = "done"  # answered, and carried out
    REFUSED = "refused"  # answered with an error: not carried out
    NOT_SENT = "not sent"  # no connection, no login, no server behind a balancer: nothing was changed
    UNKNOWN = "unknown"  # sent, but the answer is lost or an internal error: it may have taken effect


@dataclass(frozen=True)
class Intent:
    """Written before anything goes out.

    ``path`` is a template ("/servers/{id}/action"), ``action`` the kind of action where the path does not tell,
    ``attempt`` that of the step (or of its undo).
    """

    kind: AuditKind
    user: str
    method: str
    path: str
    user_id: str | None = None
    project_id: str | None = None
    request_id: str | None = None
    job_id: str | None = None
    subject: str | None = None
    step: str | None = None
    attempt: int | None = None
    undoing: bool = False
    site: str | None = None
    service: str | None = None
    action: str | None = None
    resource_id: str | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    key: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True)
class Ending:
    """Written after the answer.  ``key`` is the intent's; ``cloud_request_id`` finds it in the site's logs.

    ``job_id``, ``project_id`` and ``resource_id`` are what only the answer told (a job begun, whose thing it was,
    the id of what was made).
    """

    key: str
    outcome: AuditOutcome
    status: int | None = None
    cloud_request_id: str | None = None
    resource_id: str | None = None
    job_id: str | None = None
    project_id: str | None = None
    seconds: float = 0.0
    ended_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class AuditRecord:
    """An intent and what came of it; ``id`` grows with time, ``seconds`` is how long the answer took."""

    id: int
    at: datetime
    kind: AuditKind
    user: str
    user_id: str | None
    project_id: str | None
    request_id: str | None
    job_id: str | None
    subject: str | None
    step: str | None
    attempt: int | None
    undoing: bool
    site: str | None
    service: str | None
    method: str
    path: str
    action: str | None
    resource_id: str | None
    outcome: AuditOutcome
    status: int | None
    cloud_request_id: str | None
    seconds: float | None


class Trail(Protocol):
    """Where changes are recorded: ``store.trail.AuditTrail``."""

    def begin(self, intent: Intent) -> None:
        """Durable when this returns (in a hurry: in the log, and soon in the database).  Raises when it cannot be
        kept: then the change must not be made.
        """

    def finish(self, ending: Ending) -> None:
        """Kept soon; never raises."""
