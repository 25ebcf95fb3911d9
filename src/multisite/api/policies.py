"""``/v1/policies``: when protections are run, what they keep, and how old their newest data may become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from multisite.api.policy import MEMBER, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.common import In, Name, PageQuery, Text
from multisite.api.schemas.derived import page_of, shown, taken
from multisite.api.state import Service, policy
from multisite.domain.caller import Caller
from multisite.domain.policy import LONGEST_INTERVAL, ProtectionPolicy
from multisite.domain.retention import Retention
from multisite.recovery.service import PolicyService


class RetentionIn(taken(Retention, "RetentionRules")):  # type: ignore[misc]  # made at run time
    __doc__ = Retention.__doc__


_SECONDS = "The newest usable data may be so old; null: no target"


class PolicyScheduleIn(In):
    """Exactly one of ``cron`` (five fields, UTC) and ``interval_seconds``; ``backup``: auto, full or incremental."""

    cron: Annotated[str, Field(min_length=9, max_length=100)] | None = None
    interval_seconds: Annotated[int, Field(ge=60, le=LONGEST_INTERVAL)] | None = None
    backup: Annotated[str, Field(pattern="^(auto|full|incremental)$")] = "auto"


Schedules = Annotated[list[PolicyScheduleIn], Field(max_length=16)]
Jitter = Annotated[int, Field(ge=0, le=86_400)]
Rpo = Annotated[int, Field(ge=60, le=LONGEST_INTERVAL, description=_SECONDS)]

DrillCron = Annotated[
    str,
    Field(min_length=9, max_length=100, description="The newest restore point is drilled then; null: never"),
]
History = Annotated[int, Field(ge=1, le=3660, description="Days the series of the RPO is kept")]


class PolicyIn(In):
    name: Name
    description: Text = ""
    schedules: Schedules = Field(default_factory=list)
    jitter_seconds: Jitter = 0
    retention: RetentionIn = Field(default_factory=RetentionIn)
    rpo_seconds: Rpo | None = None
    history_days: History = 30
    paused: bool = False
    drill_cron: DrillCron | None = None


class PolicyChangeIn(In):
    """What is not said stays as it is."""

    description: Text | None = None
    schedules: Schedules | None = None
    jitter_seconds: Jitter | None = None
    retention: RetentionIn | None = None
    rpo_seconds: Rpo | None = None
    history_days: History | None = None
    paused: bool | None = None
    drill_cron: DrillCron | None = None


PolicyOut = shown(ProtectionPolicy, "PolicyOut")
PoliciesOut = page_of("PoliciesOut", policies=list[ProtectionPolicy])

policies = Service("policies", PolicyService)
OWNED = Owned("policy", lambda caller, id: policies().get(caller, id))
resource = Resource("policies", "/v1/policies", tag="Protections", owned=OWNED)


def check_rights(wanted: Mapping[str, Any], project_id: str) -> None:
    """Forbidden (403) for who might not do by hand what is done in their name: runs, deletions, and drills."""
    policy().check("protection:run", project_id)
    if wanted.get("drill_cron") or "drill_cron" not in wanted:
        policy().check("drill:start", project_id)
    if wanted.get("retention") or "retention" not in wanted:
        policy().check("restore_point:delete", project_id)


@resource.route("GET", "policy:list", READER, query=PageQuery, out=PoliciesOut)
def list_policies(caller: Caller, query: PageQuery) -> object:
    """List the protection policies of the project."""
    return {"policies": policies().list(caller, query.page())}


@resource.route("POST", "policy:create", MEMBER, body=PolicyIn, out=PolicyOut, status=201)
def create_policy(caller: Caller, body: PolicyIn) -> object:
    """Make a protection policy, to be given to protections."""
    given = body.model_dump(exclude={"name"}, exclude_none=True)
    check_rights({"drill_cron": None, **given}, caller.project_id)
    return policies().create(caller, body.name, **given)


@resource.route("GET /<id>", "policy:show", READER, out=PolicyOut)
def show_policy(_caller: Caller, found: ProtectionPolicy) -> object:
    """Show a protection policy."""
    return found


@resource.route("PATCH /<id>", "policy:update", MEMBER, body=PolicyChangeIn, out=PolicyOut)
def update_policy(caller: Caller, found: ProtectionPolicy, body: PolicyChangeIn) -> object:
    """Change a protection policy; its protections go on with it from now on."""
    check_rights({}, found.project_id)
    return policies().update(caller, found.id, body.model_dump(exclude_unset=True))


@resource.route("DELETE /<id>", "policy:delete", MEMBER)
def delete_policy(caller: Caller, found: ProtectionPolicy) -> None:
    """Delete a protection policy; refused while a protection has it."""
    policies().delete(caller, found.id)
