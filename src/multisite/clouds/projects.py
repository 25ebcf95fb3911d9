"""Whose things are: a project as each site's own Keystone knows it."""

from __future__ import annotations

from multisite.clouds.call import read_all, read_one
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import Refused, Unsupported
from multisite.domain.caller import Caller
from multisite.domain.errors import Forbidden


def project_in(cloud: CloudSite, caller: Caller) -> str:
    """Id, in that site, of the caller's project: sites with their own Keystones know it by another id.

    The same id or, in another Keystone, the same name in a domain of the same name: a name alone is anybody's.
    Raises Forbidden when there is none or our credentials cannot tell.
    """
    if cloud.scope is not None or caller.project_id == cloud.project_id:
        return cloud.project_id  # opened for the caller's project: a grant says which that is there
    domain, name = caller.project_domain_name, caller.project_name
    if domain and (domain, name) == (cloud.project_domain_name, cloud.project_name):
        return cloud.project_id
    what = f"find project {name} of domain {domain}"
    try:
        rows = read_all(cloud, what, lambda: cloud.identity, "/projects", "projects", name=name)
        found = [row for row in rows if row["id"] == caller.project_id]
        if domain and not found:
            domains = read_all(cloud, what, lambda: cloud.identity, "/domains", "domains", name=domain)
            found = [row for row in rows if row["domain_id"] in {d["id"] for d in domains}]
    except Refused as error:
        raise Forbidden(
            f"site: in site {cloud.name} our credentials see project {cloud.project_name} only, "
            f"yours is {name} of domain {domain}; ask an administrator"
        ) from error
    if len(found) != 1:
        raise Forbidden(f"site: in site {cloud.name} there is no project {name} in a domain {domain}")
    return str(found[0]["id"])


def require_visible(cloud: CloudSite, project_id: str | None) -> CloudSite:
    """The same site, if our credentials there see what is of that project; None: its project was not noted.

    Neutron answers 404 for what is of another project, as for what is gone (policy ``rule:admin_or_owner``): only
    administrators see everything.  Raises Unsupported, else absent would be taken for gone.
    """
    if project_id in (None, cloud.project_id) or "admin" in cloud.roles:
        return cloud
    raise Unsupported(
        cloud.name,
        f"look at what is of project {project_id}",
        f"our credentials are of project {cloud.project_name} ({cloud.project_id}) and not an administrator's, so it "
        f"would look gone: correct cloud {cloud.cloud} in clouds.yaml",
    )


def owner_in(cloud: CloudSite, caller: Caller, project_id: str) -> str:
    """Id, in that site, of the project a thing of ours belongs to: the caller's, or one an administrator acts for.

    Of the latter only the id is known, so it must be the site's id of it too.  Raises Forbidden.
    """
    if caller.project_id == project_id:
        return project_in(cloud, caller)
    if cloud.scope is not None:
        return cloud.project_id
    if cloud.project_id == project_id:
        return project_id
    try:
        what, path = f"find project {project_id}", f"/projects/{project_id}"
        return str(read_one(cloud, what, lambda: cloud.identity, path, "project")["id"])
    except Refused as error:
        raise Forbidden(
            f"site: in site {cloud.name} there is no project {project_id} that our credentials see; "
            "ask as a member of the project"
        ) from error
