"""Drills: what is kept of each beside its recovery."""

from __future__ import annotations

from collections.abc import Sequence

from multisite.domain.drill import Drill
from multisite.store.models import DrillRow
from multisite.store.repository import Repository


class DrillRepository(Repository[Drill, DrillRow]):
    row_type, item_type, noun = DrillRow, Drill, "drill"

    def of(self, recoveries: Sequence[str]) -> dict[str, Drill]:
        """By the ids of their recoveries, in one read."""
        found = self._select(DrillRow.id.in_(recoveries), order_by=[DrillRow.id])
        return {drill.id: drill for drill in found}
