"""``/v1/protections``: how applications are protected, and protecting them now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from multisite.api.policies import check_rights, policies
from multisite.api.policy import MEMBER, READER
from multisite.api.recoveries import recoveries
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.common import In, JobStartedOut, Name, Out, PageQuery, Query, Ref
from multisite.api.schemas.derived import answer, page_of, shown
from multisite.api.state import Service
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict
from multisite.domain.model import Protection
from multisite.domain.recoverability import Recoverability, Recoverable
from multisite.domain.rpo import RpoNow
from multisite.domain.standby import MOST
from multisite.recovery.service import (
    MOST_TARGETS,
    Choice,
    Offer,
    ProtectionService,
    RecoverabilityChecks,
    RetentionPreview,
    RpoReport,
    ScheduleStatus,
    StandbyService,
    StandbyStatus,
    in_order,
)

Targets = Annotated[
    list[Name] | None,
    Field(max_length=MOST_TARGETS, description="Where it may be recovered, the preferred site first"),
]
Target = Annotated[Name | None, Field(description="The preferred one of ``target_sites``; or the only one")]


class MethodsIn(In):
    """``options``: those of a method; only methods that have all of them are possible.  ``policy``: a name or id."""

    application: Ref
    target_site: Target = None
    target_sites: Targets = None
    options: Annotated[dict[Name, Any], Field(max_length=50)] = Field(default_factory=dict)
    policy: Annotated[Ref | None, Field(description="It would be run by this policy")] = None


Kept = Annotated[
    int,
    Field(ge=0, le=MOST, description="So many of the newest restore points are kept restored at the target"),
]


class ProtectionIn(In):
    """``options`` are those of the method; what is not said has the method's default.

    Without a method both sites are asked what they can do, and one is chosen; ``choice`` of the answer says why.
    """

    application: Ref
    method: Name | None = None
    target_site: Target = None
    target_sites: Targets = None
    options: Annotated[dict[Name, Any], Field(max_length=50)] = Field(default_factory=dict)
    standby: Kept = 0


class ProtectionChangeIn(In):
    """What is not said stays as it is; null takes away a ``policy`` (name or id), ``target_site`` all targets."""

    target_site: Target = None
    target_sites: Targets = None
    policy: Ref | None = None
    paused: bool | None = None
    standby: Kept | None = None


class RpoQuery(Query):
    hours: Annotated[int, Field(ge=1, le=87_840, description="So much of the series is shown")] = 24


OfferOut = shown(Offer, "OfferOut")
ChoiceOut = shown(
    Choice,
    "MethodChoiceOut",
    doc="``method`` null: none was chosen, ``why`` says what to do; ``offers``: in the order of preference.",
)
_SHOWN: dict[str, Any] = {
    "target_sites": list[str], "schedule": ScheduleStatus, "rpo": RpoNow, "recoverable": Recoverable | None,
    "recoverable_at": dict[str, Recoverable], "standby_status": StandbyStatus,
}  # fmt: skip
_WITHOUT = ("other_target_sites",)
ProtectionMadeOut = shown(
    Protection, "ProtectionMadeOut", without=_WITHOUT, more={**_SHOWN, "choice": Choice | None}
)
ProtectionOut = shown(Protection, without=_WITHOUT, more=_SHOWN)
RecoverabilityOut = shown(Recoverability)
ProtectionsOut = page_of("ProtectionsOut", protections=list[Protection])
RpoOut = shown(RpoReport, "RpoOut")
RetentionOut = shown(RetentionPreview, "RetentionPreviewOut")


class RunIn(In):
    """``incremental``: true, false (full), or null: as the protection's ``full_every`` says."""

    incremental: bool | None = None


protections = Service("protections", ProtectionService)
OWNED = Owned("protection", lambda caller, id: protections().get(caller, id))
resource = Resource("protections", "/v1/protections", tag="Protections", owned=OWNED)


@resource.route("GET", "protection:list", READER, query=PageQuery, out=ProtectionsOut)
def list_protections(caller: Caller, query: PageQuery) -> object:
    """List the protections of the project."""
    return {"protections": _shown(protections().list(caller, page=query.page()))}


@resource.route("POST", "protection:create", MEMBER, body=ProtectionIn, out=ProtectionMadeOut, status=201)
def create_protection(caller: Caller, body: ProtectionIn) -> object:
    """Decide how an application is protected; without a method the best one that is possible is chosen."""
    given = body.model_dump(exclude={"standby"}, exclude_none=True)
    choice = None if body.method else protections().choose(caller, **given)
    if choice is not None and choice.method is None:
        raise Conflict(choice.why)
    given |= {"method": choice.method} if choice else {}
    preferred = next(iter(in_order(body.target_site, body.target_sites)), None)
    _standby().check_wanted(str(given["method"]), preferred, body.standby)
    made = protections().create(caller, **given)
    if body.standby:
        made = _standby().set(caller, made.id, body.standby)
    return _shown([made], ProtectionMadeOut, choice=choice)[0]


@resource.route("POST /preview", "protection:preview", MEMBER, body=MethodsIn, out=ChoiceOut, recorded=False)
def preview_protection(caller: Caller, body: MethodsIn) -> object:
    """What each method would give an application, and which would be chosen; changes nothing."""
    every = policies().every(caller, body.policy) if body.policy else None
    given = body.model_dump(exclude={"policy"}, exclude_none=True)
    return protections().choose(caller, **given, every=every)


@resource.route("GET /<id>", "protection:show", READER, out=ProtectionOut)
def show_protection(_caller: Caller, found: Protection) -> object:
    """Show a protection."""
    return _shown([found])[0]


@resource.route("PATCH /<id>", "protection:update", MEMBER, body=ProtectionChangeIn, out=ProtectionOut)
def update_protection(caller: Caller, found: Protection, body: ProtectionChangeIn) -> object:
    """Give a protection a policy, carried out in the caller's name, or targets; pause it, keep points."""
    check_rights({}, found.project_id)
    given = body.model_dump(exclude_unset=True)
    targets = _targets_of(given, found)
    preferred = next(iter(found.target_sites if targets is None else targets), None)
    standby = given.pop("standby", None)
    _standby().check_wanted(found.method, preferred, found.standby if standby is None else standby)
    if targets is not None:
        protections().set_targets(caller, found.id, targets)
    changed = policies().assign(caller, found.id, given)
    return _shown([changed if standby is None else _standby().set(caller, found.id, standby)])[0]


@resource.route("GET /<id>/rpo", "protection:rpo", READER, query=RpoQuery, out=RpoOut)
def show_rpo(caller: Caller, found: Protection, query: RpoQuery) -> object:
    """If the site died now: how old the data would be, against the target, and how it was"""
    return policies().rpo_report(caller, found.id, query.hours)


@resource.route("GET /<id>/retention", "protection:retention", READER, out=RetentionOut)
def show_retention(caller: Caller, found: Protection) -> object:
    """What the policy would delete now, and why; changes nothing."""
    return policies().preview(caller, found.id)


@resource.route("GET /<id>/recoverability", "protection:recoverability", READER, out=RecoverabilityOut)
def show_recoverability(_caller: Caller, found: Protection) -> object:
    """Whether it could be recovered, as the newest look found (the first one is made now), and what is in the way"""
    return _looks().of([found]).get(found.id) or _looks().look(found)


@resource.route("POST /<id>/recoverability", "protection:check", MEMBER, out=RecoverabilityOut)
def check_recoverability(_caller: Caller, found: Protection) -> object:
    """Look now whether it could be recovered; changes nothing in any site"""
    return _looks().look(found)


@resource.route("DELETE /<id>", "protection:delete", MEMBER)
def delete_protection(caller: Caller, found: Protection) -> None:
    """Delete a protection; its restore points stay."""
    protections().delete(caller, found.id)


@resource.route("POST /<id>/run", "protection:run", MEMBER, body=RunIn, out=JobStartedOut, status=202)
def run_protection(caller: Caller, found: Protection, body: RunIn) -> object:
    """Protect now: makes one restore point; watch the job."""
    return {"job_id": protections().run(caller, found.id, incremental=body.incremental)}


def _shown(found: Sequence[Protection], out: type[Out] = ProtectionOut, **more: Any) -> list[dict[str, Any]]:
    schedules, rpo, looks = policies().schedules(found), policies().rpo.of(found), _looks().of(found)
    standby = _standby().of(found)
    return [
        answer(
            out,
            one,
            schedule=schedules[one.id],
            rpo=rpo[one.id],
            recoverable=looks[one.id].recoverable if one.id in looks else None,
            recoverable_at=looks[one.id].at if one.id in looks else {},
            standby_status=standby[one.id],
            **more,
        )
        for one in found
    ]


def _targets_of(given: dict[str, Any], found: Protection) -> tuple[str, ...] | None:
    """Takes those that are given out of a change; None: they stay as they are."""
    said = {name: given.pop(name) for name in ("target_site", "target_sites") if name in given}
    if not said:
        return None
    wanted = in_order(said.get("target_site"), said.get("target_sites"))
    return None if wanted == found.target_sites else wanted


def _looks() -> RecoverabilityChecks:
    return recoveries().recoverability


def _standby() -> StandbyService:
    return recoveries().standby
