"""``/v1/quotas``: one limit of a project over several sites, lent to them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from multisite.api.policy import ADMIN, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.common import In, JobStartedOut, Name, PageQuery, Ref
from multisite.api.schemas.derived import page_of, shown
from multisite.api.state import Service
from multisite.domain.caller import Caller
from multisite.domain.global_quota import GlobalQuota
from multisite.resources.quotas.service import LARGEST, MOST_SITES, GlobalQuotaService

Limit = Annotated[int, Field(ge=-1, le=LARGEST)]
SiteNames = Annotated[list[Name], Field(min_length=1, max_length=MOST_SITES)]


class GlobalQuotaIn(In):
    """``project_id``: in our Keystone; ``limits``: by resource as the services call them, -1: unlimited."""

    project_id: Ref
    sites: SiteNames
    limits: dict[Name, Limit]


class GlobalQuotaChangeIn(In):
    """What is not given stays; null takes a limit away, which every site keeps as it is then."""

    sites: SiteNames | None = None
    limits: dict[Name, Limit | None] | None = None
    paused: bool | None = None


GlobalQuotaOut = shown(GlobalQuota)
GlobalQuotasOut = page_of("GlobalQuotasOut", quotas=list[GlobalQuota])

quotas = Service("quotas", GlobalQuotaService)
OWNED = Owned("quota", lambda caller, id: quotas().get(caller, id))
resource = Resource("quotas", "/v1/quotas", tag="Resources in sync", owned=OWNED)


@resource.route("GET", "quota:list", READER, query=PageQuery, out=GlobalQuotasOut)
def list_quotas(caller: Caller, query: PageQuery) -> object:
    """List the limits of projects over several sites, with what each site uses of them."""
    return {"quotas": quotas().list(caller, query.page())}


@resource.route("POST", "quota:create", ADMIN, body=GlobalQuotaIn, out=GlobalQuotaOut, status=201)
def create_quota(caller: Caller, body: GlobalQuotaIn) -> object:
    """Limit a project over several sites; the next pass lends the limits to them."""
    return quotas().create(caller, body.project_id, body.sites, body.limits)


@resource.route("GET /<id>", "quota:show", READER, out=GlobalQuotaOut)
def show_quota(_caller: Caller, found: GlobalQuota) -> object:
    """Show the limits of a project, what each site may and does use of them, and what is to be told."""
    return found


@resource.route("PATCH /<id>", "quota:update", ADMIN, body=GlobalQuotaChangeIn, out=GlobalQuotaOut)
def change_quota(caller: Caller, found: GlobalQuota, body: GlobalQuotaChangeIn) -> object:
    """Change the limits or the sites, pause or go on."""
    return quotas().change(caller, found.id, body.model_dump(exclude_unset=True))


@resource.route("POST /<id>/apply", "quota:apply", ADMIN, out=JobStartedOut, status=202)
def apply_quota(caller: Caller, found: GlobalQuota) -> object:
    """One pass now: lower, look again, raise."""
    return {"job_id": quotas().apply(caller, found.id)}


@resource.route("DELETE /<id>", "quota:delete", ADMIN)
def delete_quota(caller: Caller, found: GlobalQuota) -> None:
    """Forget the limits; every site keeps what it has."""
    quotas().delete(caller, found.id)
