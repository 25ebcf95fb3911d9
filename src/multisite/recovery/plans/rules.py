"""What a recovery plan says of how a recovery goes, beside its mapping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from multisite.domain.errors import MultisiteError
from multisite.domain.recovery_plan import DnsRecord, Hook, PlanGroup
from multisite.recovery.dns.model import RecordSet
from multisite.recovery.plans.outside import NOTHING, Outside


@dataclass(frozen=True)
class PlanRules:
    """``outside``: what gates and hooks may reach; ``commands``: the administrator's programs that are there.

    ``seen``: what the names of ``dns`` have now, by name and type, or why that is not known.
    """

    groups: tuple[PlanGroup, ...] = ()
    outside: Outside = NOTHING
    hooks: tuple[Hook, ...] = ()
    commands: frozenset[str] = frozenset()
    dns: tuple[DnsRecord, ...] = ()
    seen: Mapping[str, RecordSet | MultisiteError] = field(default_factory=dict)


NO_PLAN = PlanRules()
