"""``/v1/restore-points``: what applications can be recovered from."""

from __future__ import annotations

from multisite.api.policy import ADMIN, MEMBER, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.common import MaybeJobOut, PageQuery, Ref
from multisite.api.schemas.derived import group, page_of, shown
from multisite.api.state import Service
from multisite.domain.caller import Caller
from multisite.domain.model import RestorePoint
from multisite.recovery.service import ProtectionService


class RestorePointFilter(PageQuery):
    application: Ref | None = None


RestorePointOut = shown(
    RestorePoint,
    doc="``consistent_at`` is the moment its data shows; ``digest`` the sha256 of its manifest.",
)
RestorePointsOut = page_of("RestorePointsOut", restore_points=list[RestorePoint])
RescanOut = group("RescanOut", restore_points=list[RestorePoint])


protections = Service("protections", ProtectionService)
OWNED = Owned("restore_point", lambda caller, id: protections().restore_point(caller, id))
resource = Resource("restore_points", "/v1/restore-points", tag="Restore points", owned=OWNED)


@resource.route("GET", "restore_point:list", READER, query=RestorePointFilter, out=RestorePointsOut)
def list_restore_points(caller: Caller, query: RestorePointFilter) -> object:
    """List the restore points of the project, or of one application (name or id)."""
    return {"restore_points": protections().restore_points(caller, page=query.page(), **query.filters())}


@resource.route("GET /<id>", "restore_point:show", READER, out=RestorePointOut)
def show_restore_point(_caller: Caller, found: RestorePoint) -> object:
    """Show a restore point."""
    return found


@resource.route("DELETE /<id>", "restore_point:delete", MEMBER, out=MaybeJobOut, status=202)
def delete_restore_point(caller: Caller, found: RestorePoint) -> object:
    """Delete a restore point with its backups; refused while another one builds on it."""
    return {"job_id": protections().delete_restore_point(caller, found.id)}


@resource.route("POST /rescan", "restore_point:rescan", ADMIN, out=RescanOut)
def rescan_restore_points(caller: Caller) -> object:
    """Read the backup store again and bring the database in line with it."""
    return {"restore_points": protections().rescan(caller)}
