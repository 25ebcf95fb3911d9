"""``/v1/sites``: the OpenStack clouds there are."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from multisite.api.policy import ADMIN, ANY
from multisite.api.routing import Resource
from multisite.api.schemas.common import In, Name, PageQuery, Text
from multisite.api.schemas.derived import page_of, shown
from multisite.api.state import Service
from multisite.domain.caller import Caller
from multisite.domain.model import Site, SiteCheck
from multisite.sites.service import SiteService


class SiteIn(In):
    name: Name
    cloud: Annotated[Name, Field(description="An entry of the service's clouds.yaml")]
    description: Text = ""


SiteOut = shown(Site)
SitesOut = page_of("SitesOut", sites=list[Site])
SiteCheckOut = shown(SiteCheck, doc="``unknown`` is not ``no``: it could not be asked.")


sites = Service("sites", SiteService)
resource = Resource("sites", "/v1/sites", tag="Sites")


@resource.route("GET", "site:list", ANY, query=PageQuery, out=SitesOut)
def list_sites(caller: Caller, query: PageQuery) -> object:
    """List the registered sites."""
    return {"sites": sites().list(caller, page=query.page())}


@resource.route("POST", "site:register", ADMIN, body=SiteIn, out=SiteOut, status=201)
def register_site(caller: Caller, body: SiteIn) -> object:
    """Register a site by the name of its clouds.yaml entry."""
    return sites().register(caller, body.name, body.cloud, body.description)


@resource.route("GET /<name>", "site:show", ANY, out=SiteOut)
def show_site(caller: Caller, name: str) -> object:
    """Show a site."""
    return sites().get(caller, name)


@resource.route("DELETE /<name>", "site:unregister", ADMIN)
def unregister_site(caller: Caller, name: str) -> None:
    """Forget a site; refused while applications are in it."""
    sites().unregister(caller, name)


@resource.route("POST /<name>/check", "site:check", ADMIN, out=SiteCheckOut, recorded=False)
def check_site(caller: Caller, name: str) -> object:
    """Ask a site what it can do now; an unreachable one is an answer, not an error."""
    return sites().check(caller, name)
