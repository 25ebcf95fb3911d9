"""Who typed the application's name to start a recovery is in the audit trail, with the recovery or not at all."""

from __future__ import annotations

import pytest

from multisite.domain.audit import AuditKind, AuditOutcome
from multisite.domain.errors import Invalid
from tests.unit.recovery.recover_world import NEW, OPERATOR, World


def test_an_approval_is_recorded(world: World) -> None:
    point = world.point("rp-1")
    with pytest.raises(Invalid, match="confirm"):
        world.service.start(OPERATOR, point.id, "lyon", NEW, confirm="wrong")
    assert world.trail.list() == []
    recovery = world.service.start(OPERATOR, point.id, "lyon", NEW, confirm=point.application)
    (approval,) = world.trail.list(job=recovery.job_id)
    assert (approval.kind, approval.action, approval.outcome) == (
        AuditKind.APPROVAL,
        "confirm",
        AuditOutcome.DONE,
    )
    assert (approval.user, approval.user_id, approval.request_id) == ("olga", "u1", "req-1")
    assert (approval.subject, approval.site, approval.resource_id) == (recovery.id, "lyon", point.id)
    assert world.jobs.wait(recovery.job_id, 30).settled
