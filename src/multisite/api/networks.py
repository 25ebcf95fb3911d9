"""``/v1/stretched-networks``: one layer-2 network over several sites."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

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
from multisite.api.state import policy, services
from multisite.domain.stretched import StretchedNetwork

bp = APIBlueprint("networks", __name__, url_prefix="/v1/stretched-networks", tag="Stretched networks")


@bp.get("")
@bp.output(NetworksOut)
def list_networks() -> Any:
    """List the stretched networks of the project."""
    caller = policy().check("network:list")
    return {"stretched_networks": services().networks.list(caller)}


@bp.post("/preview")
@bp.input(StretchIn, arg_name="body")
@bp.output(StretchPlanOut)
def preview_network(body: StretchIn) -> Any:
    """What stretching a network would do and what stands in its way; changes nothing."""
    caller = policy().check("network:preview")
    return services().networks.preview(caller, body.order())


@bp.post("")
@bp.input(StretchIn, arg_name="body")
@bp.output(NetworkStartedOut, status_code=202)
def stretch_network(body: StretchIn) -> Any:
    """Stretch a network over sites; what fails in one site is undone in all."""
    caller = policy().check("network:stretch")
    found = services().networks.stretch(caller, body.order())
    return {"job_id": found.job_id, "network": found}


@bp.get("/<id>")
@bp.output(DriftOut)
def show_network(id: str) -> Any:
    """Show a network, its sites looked at now: which remote ports are in step, and since when it is not known."""
    _owned("network:show", id)
    return services().networks.show(policy().check("network:list"), id)


@bp.post("/<id>/check")
@bp.output(CheckOut)
def check_network(id: str) -> Any:
    """Compare the sites' parts with what they have to be."""
    _owned("network:check", id)
    return services().networks.check(policy().check("network:list"), id)


@bp.post("/<id>/reconcile")
@bp.output(DriftOut)
def reconcile_network(id: str) -> Any:
    """Look and repair now, instead of at the next pass."""
    _owned("network:reconcile", id)
    return services().networks.reconcile(policy().check("network:list"), id)


@bp.post("/<id>/unstretch")
@bp.input(UnstretchIn, arg_name="body")
@bp.output(MaybeJobOut, status_code=202)
def unstretch_network(id: str, body: UnstretchIn) -> Any:
    """Take it apart: remote ports first, then the networks that were made for it."""
    _owned("network:unstretch", id)
    job_id = services().networks.unstretch(
        policy().check("network:list"), id, keep_networks=body.keep_networks, without=tuple(body.without)
    )
    return {"job_id": job_id}


def _owned(rule: str, id: str) -> StretchedNetwork:
    found = services().networks.get(policy().check("network:list"), id)
    policy().check_owned(rule, found.project_id, f"network: there is no stretched network {id!r}")
    return found
