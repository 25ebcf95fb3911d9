"""A comparison of what is recorded with what is there."""

from __future__ import annotations

from multisite.api.schemas.derived import shown
from multisite.domain.findings import Comparison

CheckOut = shown(
    Comparison,
    "CheckOut",
    more={"in_sync": bool | None},
    doc="``in_sync`` null: unknown, a site could not be asked.",
)
