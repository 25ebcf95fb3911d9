"""What a move was asked for, and what its job has found out since: plain data, JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from multisite.domain.model import Application
from multisite.domain.recovery_plan import RecoveryPlan
from multisite.jobs.model import Json
from multisite.recovery.methods.base import ProtectOrder
from multisite.recovery.recover.model import PlannedRecord, RecoverPlan


@dataclass(frozen=True)
class MoveOrder:
    """The parameters of the job.  ``restore_point_id``: of the restore point that it makes.

    ``mapping``: the operator's rules, but for the project, which is chosen: ``target_project``; ``by``: the recovery
    plan they are from, as it was then; ``dns``: its records as the preview has shown them.  ``final``: the parameters
    of the final run (``ProtectOrder``), once the members are off; ``plan``: of the recovery (``RecoverPlan.to_json``),
    once that restore point is there.
    """

    recovery_id: str
    restore_point_id: str
    protection_id: str
    application: Application
    target_site: str
    target_project: str
    mapping: dict[str, Any]
    epoch: int
    requested_by: str
    by: RecoveryPlan | None = None
    dns: tuple[PlannedRecord, ...] = ()
    final: dict[str, Any] | None = None
    plan: dict[str, Any] | None = None

    @property
    def run(self) -> ProtectOrder | None:
        return None if self.final is None else ProtectOrder.from_params(self.final)

    @property
    def recovery(self) -> RecoverPlan | None:
        return None if self.plan is None else RecoverPlan.from_json(self.plan)

    def to_params(self) -> dict[str, Json]:
        params: dict[str, Json] = _ORDER.dump_python(self, mode="json")
        return params

    @classmethod
    def from_params(cls, params: Mapping[str, Json]) -> MoveOrder:
        """Raises pydantic's ValidationError for anything ``to_params`` did not write."""
        return _ORDER.validate_python(params)


_ORDER: TypeAdapter[MoveOrder] = TypeAdapter(MoveOrder)
