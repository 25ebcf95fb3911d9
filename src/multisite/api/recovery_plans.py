"""``/v1/recovery-plans``: how an application is recovered in a site, kept and used again."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from multisite.api.policy import MEMBER, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.common import In, Name, PageQuery, Ref, Text
from multisite.api.schemas.derived import page_of, shown, taken
from multisite.api.state import Service
from multisite.domain.caller import Caller
from multisite.domain.recovery_plan import (
    WORDS_OF_THE_DAY,
    DnsRecord,
    Gate,
    Hook,
    PlanGroup,
    RecoveryPlan,
    Tag,
)
from multisite.recovery.service import (
    MOST_GATES,
    MOST_GROUPS,
    MOST_HOOKS,
    MOST_RECORDS,
    RecoveryPlanService,
    Rules,
)


class KeptRulesIn(taken(Rules, "KeptRules", without=WORDS_OF_THE_DAY)):  # type: ignore[misc]  # made at run time
    __doc__ = f"{Rules.__doc__}\n    A plan keeps all but what an operator vouches for at a start."


class GateIn(taken(Gate, "GateFields", without=("members",))):  # type: ignore[misc]  # made at run time
    __doc__ = Gate.__doc__
    members: Annotated[list[Ref], Field(max_length=1000)] | None = None


class GroupIn(In):
    __doc__ = PlanGroup.__doc__
    name: Text
    members: Annotated[list[Ref], Field(min_length=1, max_length=1000)]
    gates: Annotated[list[GateIn], Field(max_length=MOST_GATES)] = Field(default_factory=list)


class HookIn(taken(Hook, "HookFields", without=("expect", "members", "tags"))):  # type: ignore[misc]  # made at run time
    __doc__ = Hook.__doc__
    expect: Annotated[list[Annotated[int, Field(ge=200, le=599)]], Field(max_length=20)] = Field(
        default_factory=list
    )
    members: Annotated[list[Ref], Field(max_length=1000)] | None = None
    tags: Annotated[list[Tag], Field(max_length=20)] = Field(default_factory=list)


class DnsRecordIn(taken(DnsRecord, "DnsRecordFields", without=("members",))):  # type: ignore[misc]  # made at run time
    __doc__ = DnsRecord.__doc__
    members: Annotated[list[Ref], Field(min_length=1, max_length=1000)]


Records = Annotated[list[DnsRecordIn], Field(max_length=MOST_RECORDS)]
Hooks = Annotated[list[HookIn], Field(max_length=MOST_HOOKS)]
Groups = Annotated[list[GroupIn], Field(max_length=MOST_GROUPS)]


class RecoveryPlanIn(In):
    name: Name
    application: Ref
    target_site: Name
    description: Text = ""
    mapping: KeptRulesIn = Field(default_factory=KeptRulesIn)
    groups: Groups = Field(default_factory=list)
    hooks: Hooks = Field(default_factory=list)
    dns: Records = Field(default_factory=list)


class RecoveryPlanChangeIn(In):
    """What is not said stays as it is; the others replace all that there were."""

    description: Text | None = None
    mapping: KeptRulesIn | None = None
    groups: Groups | None = None
    hooks: Hooks | None = None
    dns: Records | None = None


RecoveryPlanOut = shown(RecoveryPlan, "RecoveryPlanOut")
RecoveryPlansOut = page_of("RecoveryPlansOut", recovery_plans=list[RecoveryPlan])

plans = Service("recovery_plans", RecoveryPlanService)
OWNED = Owned("recovery_plan", lambda caller, id: plans().get(caller, id))
resource = Resource("recovery_plans", "/v1/recovery-plans", tag="Recoveries", owned=OWNED)


@resource.route("GET", "recovery_plan:list", READER, query=PageQuery, out=RecoveryPlansOut)
def list_recovery_plans(caller: Caller, query: PageQuery) -> object:
    """List the recovery plans of the project."""
    return {"recovery_plans": plans().list(caller, query.page())}


@resource.route("POST", "recovery_plan:create", MEMBER, body=RecoveryPlanIn, out=RecoveryPlanOut, status=201)
def create_recovery_plan(caller: Caller, body: RecoveryPlanIn) -> object:
    """Make a recovery plan, to be used by previews, recoveries and drills."""
    given = body.model_dump(exclude_unset=True, exclude={"name", "application", "target_site"})
    return plans().create(caller, body.name, body.application, body.target_site, **given)


@resource.route("GET /<id>", "recovery_plan:show", READER, out=RecoveryPlanOut)
def show_recovery_plan(_caller: Caller, found: RecoveryPlan) -> object:
    """Show a recovery plan."""
    return found


@resource.route("PATCH /<id>", "recovery_plan:update", MEMBER, body=RecoveryPlanChangeIn, out=RecoveryPlanOut)
def update_recovery_plan(caller: Caller, found: RecoveryPlan, body: RecoveryPlanChangeIn) -> object:
    """Change a recovery plan; recoveries that are begun already go on as they were."""
    return plans().update(caller, found.id, body.model_dump(exclude_unset=True))


@resource.route("DELETE /<id>", "recovery_plan:delete", MEMBER)
def delete_recovery_plan(caller: Caller, found: RecoveryPlan) -> None:
    """Delete a recovery plan; recoveries that were begun by it are as they are."""
    plans().delete(caller, found.id)
