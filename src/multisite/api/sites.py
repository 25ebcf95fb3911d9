"""``/v1/sites``: the OpenStack clouds there are."""

from __future__ import annotations

from multisite.api.policy import ADMIN, ANY
from multisite.api.routing import Resource
from multisite.api.schemas.sites import SiteCheckOut, SiteIn, SiteOut, SitesOut
from multisite.api.state import services
from multisite.domain.caller import Caller

resource = Resource("sites", "/v1/sites", tag="Sites")


@resource.route("GET", "site:list", ANY, out=SitesOut)
def list_sites(caller: Caller) -> object:
    """List the registered sites."""
    return {"sites": services().sites.list(caller)}


@resource.route("POST", "site:register", ADMIN, body=SiteIn, out=SiteOut, status=201)
def register_site(caller: Caller, body: SiteIn) -> object:
    """Register a site by the name of its clouds.yaml entry."""
    return services().sites.register(caller, body.name, body.cloud, body.description)


@resource.route("GET /<name>", "site:show", ANY, out=SiteOut)
def show_site(caller: Caller, name: str) -> object:
    """Show a site."""
    return services().sites.get(caller, name)


@resource.route("DELETE /<name>", "site:unregister", ADMIN)
def unregister_site(caller: Caller, name: str) -> None:
    """Forget a site; refused while applications are in it."""
    services().sites.unregister(caller, name)


@resource.route("POST /<name>/check", "site:check", ADMIN, out=SiteCheckOut, recorded=False)
def check_site(caller: Caller, name: str) -> object:
    """Ask a site what it can do now; an unreachable one is an answer, not an error."""
    return services().sites.check(caller, name)
