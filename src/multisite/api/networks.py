"""``/v1/stretched-networks``: one layer-2 network over several sites."""

from __future__ import annotations

from multisite.api.policy import ADMIN, MEMBER, READER
from multisite.api.routing import Owned, Resource
from multisite.api.schemas.common import MaybeJobOut
from multisite.api.schemas.findings import CheckOut
from multisite.api.schemas.networks import (
    DriftOut,
    NetworksOut,
    NetworkStartedOut,
    StretchIn,
    StretchPlanOut,
    UnstretchIn,
)
from multisite.api.state import services
from multisite.domain.caller import Caller
from multisite.domain.stretched import StretchedNetwork

OWNED = Owned("network", lambda caller, id: services().networks.get(caller, id), "stretched network")
resource = Resource("networks", "/v1/stretched-networks", tag="Stretched networks", owned=OWNED)


@resource.route("GET", "network:list", READER, out=NetworksOut)
def list_networks(caller: Caller) -> object:
    """List the stretched networks of the project."""
    return {"stretched_networks": services().networks.list(caller)}


@resource.route("POST /preview", "network:preview", ADMIN, body=StretchIn, out=StretchPlanOut, recorded=False)
def preview_network(caller: Caller, body: StretchIn) -> object:
    """What stretching a network would do and what stands in its way; changes nothing."""
    return services().networks.preview(caller, body.order())


@resource.route("POST", "network:stretch", ADMIN, body=StretchIn, out=NetworkStartedOut, status=202)
def stretch_network(caller: Caller, body: StretchIn) -> object:
    """Stretch a network over sites; what fails in one site is undone in all."""
    found = services().networks.stretch(caller, body.order())
    return {"job_id": found.job_id, "network": found}


@resource.route("GET /<id>", "network:show", READER, out=DriftOut)
def show_network(caller: Caller, found: StretchedNetwork) -> object:
    """Show a network, its sites looked at now: which remote ports are in step, and since when it is not known."""
    return services().networks.show(caller, found.id)


@resource.route("POST /<id>/check", "network:check", MEMBER, out=CheckOut, recorded=False)
def check_network(caller: Caller, found: StretchedNetwork) -> object:
    """Compare the sites' parts with what they have to be."""
    return services().networks.check(caller, found.id)


@resource.route("POST /<id>/reconcile", "network:reconcile", ADMIN, out=DriftOut)
def reconcile_network(caller: Caller, found: StretchedNetwork) -> object:
    """Compare and repair now, instead of at the next pass."""
    return services().networks.reconcile(caller, found.id)


@resource.route(
    "POST /<id>/unstretch", "network:unstretch", ADMIN, body=UnstretchIn, out=MaybeJobOut, status=202
)
def unstretch_network(caller: Caller, found: StretchedNetwork, body: UnstretchIn) -> object:
    """Take it apart: remote ports first, then the networks that were made for it."""
    job_id = services().networks.unstretch(
        caller, found.id, keep_networks=body.keep_networks, without=tuple(body.without)
    )
    return {"job_id": job_id}
