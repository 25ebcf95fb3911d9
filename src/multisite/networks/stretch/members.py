"""The ports operators name: our credentials see those of every project, a caller may use only their own."""

from __future__ import annotations

from multisite.clouds import addresses
from multisite.clouds.addresses import PortView
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite
from multisite.clouds.projects import project_in
from multisite.domain.caller import Caller
from multisite.domain.errors import Invalid


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
