"""``/v1/resource-syncs``: resources of a site, or of a document, that sites keep in sync with."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from multisite.api.policy import MEMBER, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.common import In, JobStartedOut, Name, PageQuery
from multisite.api.schemas.derived import group, page_of, shown
from multisite.api.state import Service
from multisite.domain.caller import Caller
from multisite.domain.resource_sync import Change, ResourceSync, SyncItem
from multisite.resources.sync.document.lines import MOST_BYTES
from multisite.resources.sync.service import LEAST_INTERVAL, MOST_TARGETS, ResourceSyncService

Targets = Annotated[list[Name], Field(min_length=1, max_length=MOST_TARGETS)]
Kinds = Annotated[list[Name], Field(min_length=1, max_length=20)]
Policy = Literal["stop", "source", "target"]
Tag = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f,]+$")]
Seconds = Annotated[int, Field(ge=LEAST_INTERVAL, le=31 * 86400)]

Document = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MOST_BYTES,
        description="Desired state in YAML, as export writes it: what the targets are to have",
    ),
]


class ResourceSyncIn(In):
    """``interval_seconds``: null: only when it is applied.  ``deletes``: what Multisite made goes with its source.

    ``only_tag``: of images and security groups those with this tag.  The source is a site, with ``kinds``, or a
    ``document``, which says its kinds.
    """

    name: Name
    source_site: Name | None = None
    document: Document | None = None
    target_sites: Targets
    kinds: Kinds | None = None
    on_conflict: Policy = "stop"
    deletes: bool = True
    interval_seconds: Seconds | None = None
    only_tag: Tag | None = None


class ResourceSyncChangeIn(In):
    """What is not given stays as it is.  ``document``: a new version of it."""

    document: Document | None = None
    target_sites: Targets | None = None
    kinds: Kinds | None = None
    on_conflict: Policy | None = None
    deletes: bool | None = None
    interval_seconds: Seconds | None = None
    paused: bool | None = None
    only_tag: Tag | None = None


class ApplyIn(In):
    """``delete_many``: also when more than half of all are gone at the source at once."""

    delete_many: bool = False


class ExportIn(In):
    """``only_tag``: of security groups those with this tag."""

    source_site: Name
    kinds: Kinds
    only_tag: Tag | None = None


ResourceSyncOut = shown(ResourceSync, without=("document",), more={"document_digest": str | None})
ExportOut = group(
    "ExportOut",
    "A document of what a site has, and what of it is not carried.",
    document=str,
    notes=list[str],
)
ResourceSyncsOut = page_of("ResourceSyncsOut", resource_syncs=list[ResourceSync])
SyncItemsOut = page_of("SyncItemsOut", items=list[SyncItem])
SyncPlanOut = group(
    "SyncPlanOut", "What a pass would do now, and what it would not and why.", changes=list[Change]
)

_MAY_BE_NULL = ("interval_seconds", "only_tag")

syncs = Service("resource_syncs", ResourceSyncService)
OWNED = Owned("resource_sync", lambda caller, id: syncs().get(caller, id))
resource = Resource("resource_syncs", "/v1/resource-syncs", tag="Resources in sync", owned=OWNED)


@resource.route("GET", "resource_sync:list", READER, query=PageQuery, out=ResourceSyncsOut)
def list_resource_syncs(caller: Caller, query: PageQuery) -> object:
    """List the project's resource syncs."""
    return {"resource_syncs": syncs().list(caller, query.page())}


@resource.route("POST", "resource_sync:create", MEMBER, body=ResourceSyncIn, out=ResourceSyncOut, status=201)
def create_resource_sync(caller: Caller, body: ResourceSyncIn) -> object:
    """Say which kinds of a site's resources, or what document, sites keep in sync with; changes nothing yet."""
    return syncs().create(caller, **body.model_dump())


@resource.route("POST /export", "resource_sync:export", MEMBER, body=ExportIn, out=ExportOut, recorded=False)
def export_resources(caller: Caller, body: ExportIn) -> object:
    """Write what a site has as a document of desired state; changes nothing."""
    text, notes = syncs().export(caller, body.source_site, body.kinds, body.only_tag)
    return {"document": text, "notes": notes}


@resource.route("GET /<id>", "resource_sync:show", READER, out=ResourceSyncOut)
def show_resource_sync(_caller: Caller, found: ResourceSync) -> object:
    """Show a resource sync, and what its last pass found."""
    return found


@resource.route("PATCH /<id>", "resource_sync:update", MEMBER, body=ResourceSyncChangeIn, out=ResourceSyncOut)
def change_resource_sync(caller: Caller, found: ResourceSync, body: ResourceSyncChangeIn) -> object:
    """Change, pause or go on with a resource sync."""
    given = body.model_dump(exclude_unset=True)
    wanted = {name: value for name, value in given.items() if value is not None or name in _MAY_BE_NULL}
    return syncs().change(caller, found.id, wanted)


@resource.route("GET /<id>/items", "resource_sync:show_items", READER, query=PageQuery, out=SyncItemsOut)
def list_sync_items(caller: Caller, found: ResourceSync, query: PageQuery) -> object:
    """List every pair that it keeps in sync."""
    return {"items": syncs().items(caller, found.id, query.page())}


@resource.route("POST /<id>/plan", "resource_sync:plan", MEMBER, out=SyncPlanOut, recorded=False)
def plan_resource_sync(caller: Caller, found: ResourceSync) -> object:
    """What a pass would do now; asks the sites and changes nothing."""
    return {"changes": syncs().plan(caller, found.id)}


@resource.route(
    "POST /<id>/apply", "resource_sync:apply", MEMBER, body=ApplyIn, out=JobStartedOut, status=202
)
def apply_resource_sync(caller: Caller, found: ResourceSync, body: ApplyIn) -> object:
    """One pass: bring the targets in sync."""
    return {"job_id": syncs().apply(caller, found.id, delete_many=body.delete_many)}


@resource.route("DELETE /<id>", "resource_sync:delete", MEMBER)
def delete_resource_sync(caller: Caller, found: ResourceSync) -> None:
    """Forget a resource sync; what it made stays in the sites."""
    syncs().delete(caller, found.id)
