"""Deletes what a protection's policy does not keep, one restore point after another, by the job operators use, too."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from multisite.domain.caller import Caller
from multisite.domain.model import Protection, RestorePoint
from multisite.domain.policy import ProtectionPolicy
from multisite.domain.retention import BEING_DELETED, Retention, RetentionVerdict, decide, next_to_delete
from multisite.recovery.protect.service import ProtectionService
from multisite.store.database import Database
from multisite.store.recoveries import FINAL, RecoveryRepository

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Looked:
    """``note``: what an operator should know; ``soon``: it should be looked again in seconds."""

    note: str | None = None
    soon: bool = False


class PolicyRetention:
    """``points`` first: everything else is decided of them."""

    def __init__(self, database: Database, protections: ProtectionService) -> None:
        self._recoveries = RecoveryRepository(database)
        self._protections = protections

    def points(self, protection: Protection) -> list[RestorePoint]:
        """All of its application, of other protections, too.  Raises StoreUnavailable."""
        return self._protections.points.certain(protection.application_id)

    def decide(
        self, protection: Protection, retention: Retention, points: Sequence[RestorePoint], now: datetime
    ) -> list[RetentionVerdict]:
        """A verdict on each, newest first."""
        users = self._recoveries.list(application_id=protection.application_id)
        in_use = {
            user.restore_point_id: f"recovery {user.id}, which is {user.state}, needs it"
            for user in users
            if user.state not in FINAL
        }
        return decide(points, protection.id, retention, now, in_use)

    def held(
        self, protection: Protection, policy: ProtectionPolicy | None, points: Sequence[RestorePoint]
    ) -> str | None:
        """Why nothing is deleted at present, in words; None when nothing stands against it."""
        if policy is None:
            return "the protection has no policy"
        if policy.paused:
            return f"policy {policy.name} is paused"
        if protection.paused:
            return "the protection is paused"
        return _being_deleted(points)

    def delete_next(
        self, caller: Caller, protection: Protection, policy: ProtectionPolicy, now: datetime
    ) -> Looked:
        """Begin to delete the first that is to go.  Raises what ``delete_restore_point`` does, StoreUnavailable."""
        if not policy.retention.rules:
            return Looked()
        if policy.paused or protection.paused:
            return Looked(self.held(protection, policy, ()))
        points = self.points(protection)
        if (why := _being_deleted(points)) is not None:
            return Looked(why, soon=True)
        found = next_to_delete(self.decide(protection, policy.retention, points, now), points)
        if found is None:
            return Looked()
        id = found.restore_point_id
        said = f", which policy {policy.name} does not keep"
        job_id = self._protections.delete_restore_point(caller, id, said)
        LOG.info(
            "policy %s: restore point %s of %s, of %s, is deleted by job %s",
            policy.name, id, protection.application, found.consistent_at, job_id,
        )  # fmt: skip
        return Looked(f"restore point {id} is being deleted", soon=True)


def _being_deleted(points: Sequence[RestorePoint]) -> str | None:
    """One at a time: a deletion that is paused is an operator's to resume, not to be followed by a hundred."""
    for point in points:
        if point.error == BEING_DELETED and point.job_id is not None:
            return f"restore point {point.id} is being deleted: wait for job {point.job_id}, or resume it"
    return None
