"""The ports operators name: our credentials see those of every project, a caller may use only their own."""

from __future__ import annotations

from dataclasses import dataclass

from multisite.clouds import addresses
from multisite.clouds.addresses import PortView
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.errors import NotFoundInSite
from multisite.clouds.projects import project_in
from multisite.domain.caller import Caller
from multisite.domain.errors import Invalid


@dataclass(frozen=True)
class MemberAsked:
    """A site, the member's port there, and the external network (None: the only one)."""

    site: str
    port: str
    network: str | None = None


def find_member(clouds: Sites, caller: Caller, asked: MemberAsked) -> tuple[PortView, str]:
    """The member's port, and the id of the external network it is reached by.

    Raises as ``own_port``, and when the site lacks what floating IPs need.
    """
    site = clouds.open(asked.site, for_project=caller.project_id)
    addresses.requires(site)
    return own_port(site, caller, asked.port), addresses.external_network(site, asked.network)


def own_port(site: CloudSite, caller: Caller, port_id: str) -> PortView:
    """The port, when it is there and of the caller's project, or the caller an administrator.

    Raises Invalid, in the same words for one of another project: what others have is not ours to tell.
    Forbidden when the caller's project is not known in the site, SiteError.
    """
    gone = f"port: {port_id} could not be found in site {site.name}; name a port of your project there"
    try:
        found = addresses.port(site, port_id)
    except NotFoundInSite as error:
        raise Invalid(gone) from error
    if not caller.is_admin and found.project_id != project_in(site, caller):
        raise Invalid(gone)
    return found
