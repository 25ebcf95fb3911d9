"""``/v1/image-replications``: images copied to other sites, verified before they are shown."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from multisite.api.policy import MEMBER, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.common import In, MaybeJobOut, Name, PageQuery, Ref
from multisite.api.schemas.derived import page_of, shown, started
from multisite.api.state import Service
from multisite.domain.caller import Caller
from multisite.domain.image_copy import ImageReplication
from multisite.resources.images.service import MOST_TARGETS, ImageService


class ImageReplicationIn(In):
    """``image``: its id in ``source_site``, or a name that only one has."""

    image: Ref
    source_site: Name
    target_sites: Annotated[list[Name], Field(min_length=1, max_length=MOST_TARGETS)]


ImageReplicationOut = shown(
    ImageReplication, "ImageReplicationOut", more={"sentence": str, "target_sites": list[str]}
)
ImageReplicationsOut = page_of("ImageReplicationsOut", image_replications=list[ImageReplication])
ImageReplicationStartedOut = started("ImageReplicationStartedOut", image_replication=ImageReplication)

images = Service("images", ImageService)
OWNED = Owned("image_replication", lambda caller, id: images().get(caller, id))
resource = Resource("images", "/v1/image-replications", tag="Images", owned=OWNED)


@resource.route("GET", "image_replication:list", READER, query=PageQuery, out=ImageReplicationsOut)
def list_image_replications(caller: Caller, query: PageQuery) -> object:
    """List the project's image replications, newest first."""
    return {"image_replications": images().list(caller, query.page())}


@resource.route(
    "POST",
    "image_replication:create",
    MEMBER,
    body=ImageReplicationIn,
    out=ImageReplicationStartedOut,
    status=202,
)
def create_image_replication(caller: Caller, body: ImageReplicationIn) -> object:
    """Copy an image to other sites; read once, and shown at each when its digest is that of the source."""
    made = images().create(caller, body.image, body.source_site, body.target_sites)
    return {"job_id": made.job_id, "image_replication": made}


@resource.route("GET /<id>", "image_replication:show", READER, out=ImageReplicationOut)
def show_image_replication(_caller: Caller, found: ImageReplication) -> object:
    """Show an image replication, and what became of it at each target."""
    return found


@resource.route("DELETE /<id>", "image_replication:delete", MEMBER, out=MaybeJobOut, status=202)
def delete_image_replication(caller: Caller, found: ImageReplication) -> object:
    """Remove the copies that it made."""
    left = images().delete(caller, found.id)
    return {"job_id": None if left is None else left.job_id}
