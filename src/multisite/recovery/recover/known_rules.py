"""The best rules that are known for recovering an application at a target that nobody has asked for yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from multisite.domain.model import Protection, Purpose, Recovery
from multisite.store.database import Database
from multisite.store.recoveries import RecoveryRepository
from multisite.store.recovery_plans import RecoveryPlanRepository

_NOUNS = {Purpose.DISASTER: "recovery", Purpose.DRILL: "drill", Purpose.MOVE: "move"}


class KnownRules:
    """Those of its newest recovery plan there, or else of its newest recovery, drill or move there."""

    def __init__(self, database: Database) -> None:
        self._plans, self._recoveries = RecoveryPlanRepository(database), RecoveryRepository(database)

    def of(
        self, protection: Protection, target: str, past: Sequence[Recovery] | None = None
    ) -> tuple[str, Mapping[str, Any]]:
        """Whose they are ("" without any), and they.  ``past``: its recoveries there, newest first, if known."""
        plans = self._plans.list(protection.project_id, application_id=protection.application_id)
        there = [plan for plan in plans if plan.target_site == target]
        if there:
            newest = max(there, key=lambda plan: (str(plan.created_at), plan.id))
            return f"recovery plan {newest.name}", newest.mapping
        if past is None:
            known = self._recoveries.list(application_id=protection.application_id)
            past = [recovery for recovery in known if recovery.target_site == target]
        return (f"{_NOUNS[past[0].purpose]} {past[0].id}", past[0].mapping) if past else ("", {})
