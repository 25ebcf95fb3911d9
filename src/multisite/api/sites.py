"""``/v1/sites``: the OpenStack clouds there are."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from multisite.api.schemas.sites import SiteCheckOut, SiteIn, SiteOut, SitesOut
from multisite.api.state import policy, services

bp = APIBlueprint("sites", __name__, url_prefix="/v1/sites", tag="Sites")


@bp.get("")
@bp.output(SitesOut)
def list_sites() -> Any:
    """List the registered sites."""
    caller = policy().check("site:list")
    return {"sites": services().sites.list(caller)}


@bp.post("")
@bp.input(SiteIn, arg_name="body")
@bp.output(SiteOut, status_code=201)
def register_site(body: SiteIn) -> Any:
    """Register a site by the name of its clouds.yaml entry."""
    caller = policy().check("site:register")
    return services().sites.register(caller, body.name, body.cloud, body.description)


@bp.get("/<name>")
@bp.output(SiteOut)
def show_site(name: str) -> Any:
    """Show a site."""
    caller = policy().check("site:show")
    return services().sites.get(caller, name)


@bp.delete("/<name>")
@bp.output({}, status_code=204, description="It is gone")
def unregister_site(name: str) -> Any:
    """Forget a site; refused while applications are in it."""
    caller = policy().check("site:unregister")
    services().sites.unregister(caller, name)
    return "", 204


@bp.post("/<name>/check")
@bp.output(SiteCheckOut)
def check_site(name: str) -> Any:
    """Ask a site what it can do now; an unreachable one is an answer, not an error."""
    caller = policy().check("site:check")
    return services().sites.check(caller, name)
