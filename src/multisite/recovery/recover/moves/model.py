"""What a move was asked for, and what its job has found out since: plain data, JSON and back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from multisite.domain.model import Application
from multisite.domain.recovery_plan import RecoveryPlan
from multisite.jobs.model import Json
from multisite.recovery.methods.base import ProtectOrder
from multisite.recovery.recover.model import PlannedRecord, PlannedVolume, RecoverPlan


@dataclass(frozen=True)
class Taken:
    """A member as its own restore point has it: how its volumes are restored, and whether it was off."""

    volumes: tuple[PlannedVolume, ...]
    stopped: bool


@dataclass(frozen=True)
class Turn:
    """A member's turn in a move member by member.  ``attempt``: from 1; each has a restore point of its own.

    ``begun``: it may be stopped; ``final``: the parameters of its final run (``ProtectOrder``), once it is off;
    ``taken``: once that restore point is there.
    """

    server_id: str
    attempt: int = 1
    begun: bool = False
    final: dict[str, Any] | None = None
    taken: Taken | None = None

    @property
    def run(self) -> ProtectOrder | None:
        return None if self.final is None else ProtectOrder.from_params(self.final)

    def to_json(self) -> dict[str, Json]:
        data: dict[str, Json] = _TURN.dump_python(self, mode="json")
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Turn:
        """Raises pydantic's ValidationError for anything ``to_json`` did not write."""
        return _TURN.validate_python(data)


@dataclass(frozen=True)
class OneByOne:
    """A move member by member, in this ``order`` (ids of servers).  ``turns``: those that have begun, in order.

    ``plan``: of the recovery of all of them (``RecoverPlan.to_json``), as the preview has shown it, from the restore
    point ``base``.  Between two members: ``pause`` seconds, and the operator's word when ``ask`` says so.
    ``ending``: every member was moved.
    """

    base: str
    plan: dict[str, Any]
    order: tuple[str, ...]
    pause: float = 0.0
    ask: bool = False
    turns: tuple[Turn, ...] = ()
    ending: bool = False


@dataclass(frozen=True)
class MoveOrder:
    """The parameters of the job.  ``restore_point_id``: of the restore point that it makes.

    ``mapping``: the operator's rules, but for the project, which is chosen: ``target_project``; ``by``: the recovery
    plan they are from, as it was then; ``dns``: its records as the preview has shown them.  ``final``: the parameters
    of the final run (``ProtectOrder``), once the members are off; ``plan``: of the recovery (``RecoverPlan.to_json``),
    once that restore point is there.  ``one_by_one``: None when all members are moved together.
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
    one_by_one: OneByOne | None = None

    @property
    def run(self) -> ProtectOrder | None:
        return None if self.final is None else ProtectOrder.from_params(self.final)

    @property
    def recovery(self) -> RecoverPlan | None:
        return None if self.plan is None else RecoverPlan.from_json(self.plan)

    def point_of(self, turn: Turn, attempt: int | None = None) -> str:
        """Id of the restore point that a member's turn makes; the same however often it is asked."""
        which = f"{turn.server_id}:{attempt or turn.attempt}"
        return str(uuid.uuid5(uuid.UUID(self.restore_point_id), which))

    def points(self) -> Iterator[tuple[str, ProtectOrder | None]]:
        """Every restore point that it makes or has tried to make, with the run's order where that is known."""
        if self.one_by_one is None:
            yield self.restore_point_id, self.run
            return
        for turn in self.one_by_one.turns:
            for attempt in range(1, turn.attempt):
                yield self.point_of(turn, attempt), None
            yield self.point_of(turn), turn.run

    def to_params(self) -> dict[str, Json]:
        params: dict[str, Json] = _ORDER.dump_python(self, mode="json")
        return params

    @classmethod
    def from_params(cls, params: Mapping[str, Json]) -> MoveOrder:
        """Raises pydantic's ValidationError for anything ``to_params`` did not write."""
        return _ORDER.validate_python(params)


_TURN: TypeAdapter[Turn] = TypeAdapter(Turn)
_ORDER: TypeAdapter[MoveOrder] = TypeAdapter(MoveOrder)
