"""What is in the way, differs or is not known; and a comparison of what is recorded with what is there."""

from __future__ import annotations

from multisite.api.schemas.derived import shown
from multisite.domain.findings import Comparison, Finding

FindingOut = shown(
    Finding,
    doc='``kind``: a word for programs; ``site``: "" when it is about several; ``repairable``: a repair does it.',
)
CheckOut = shown(
    Comparison,
    "CheckOut",
    more={"in_sync": bool | None},
    doc="``in_sync`` null: unknown, a site could not be asked.",
)
