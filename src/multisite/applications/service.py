"""What operators do with applications: say which servers, in which order, are one VNF."""

from __future__ import annotations

import builtins
import logging
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from multisite.applications.members import changes
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.errors import NotFoundInSite, Unsupported
from multisite.clouds.facts.application import list_servers, read_servers
from multisite.clouds.projects import owner_in, project_in
from multisite.clouds.resources import tokens
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, Invalid, NotFound
from multisite.domain.model import Application, Member, MemberRole
from multisite.domain.page import ALL, Page
from multisite.sites.service import NAME, NAME_RULE
from multisite.store.applications import ApplicationRepository

LOG = logging.getLogger(__name__)

_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
ORDER_KEY, QUIESCE_KEY, ROLE_KEY = "boot_order", "multisite_quiesce", "multisite_role"
"""Server metadata that is looked at when an application is given by a metadata tag."""
_NO = frozenset({"no", "false", "0", "off"})


class ApplicationService:
    """The verbs.  Callers see the applications of their project, administrators all."""

    def __init__(self, repository: ApplicationRepository, clouds: Sites) -> None:
        self._repository = repository
        self._clouds = clouds

    def create(
        self,
        caller: Caller,
        name: str,
        site: str,
        servers: Sequence[Mapping[str, Any]] | None = None,
        metadata_tag: str | None = None,
    ) -> Application:
        """Describe an application; the site is asked for the servers, nothing in it is changed.

        ``servers``: ``{"id": ..., "quiesce": bool, "role": "active" | "standby"}`` in boot order.
        ``metadata_tag`` ``key=value``: the servers with that metadata, ordered by their metadata ``boot_order`` (whole
        number; those without come last), then by name; ``multisite_quiesce=no`` marks one that must not be frozen,
        ``multisite_role=standby`` a standby.

        Raises Invalid naming the field, NotFound for the site, Forbidden for servers of another project,
        Conflict when the name or a server is taken, SiteError when the site cannot be asked.
        """
        if not NAME.fullmatch(name):
            raise Invalid(f"name: {name!r} {NAME_RULE}")
        if (servers is None) == (metadata_tag is None):
            raise Invalid("servers: give either servers or metadata_tag")
        cloud = self._clouds.open(site, for_project=caller.project_id)
        members = (
            _chosen(cloud, caller, servers)
            if servers is not None
            else _tagged(cloud, project_in(cloud, caller), caller.project_name, metadata_tag or "")
        )
        self._refuse_taken(caller, site, members)
        application = self._repository.add(
            Application(
                id=str(uuid.uuid4()),
                name=name,
                project_id=caller.project_id,
                site=site,
                members=members,
                metadata_tag=metadata_tag,
                created_at=datetime.now(UTC),
            )
        )
        LOG.info("application %s of %d servers in site %s by %s", name, len(members), site, caller.user_name)
        return application

    def as_tagged(self, caller: Caller, application: Application) -> tuple[Application, tuple[str, ...]]:
        """The application with the servers that have its tag now, and what has changed since, in words.

        One that was given by its servers stays as it is.  Nothing is stored: ``keep_members`` does.  Raises Conflict
        when no server has the tag any more or one that has it is taken, SiteError.
        """
        tag = application.metadata_tag
        if tag is None:
            return application, ()
        cloud = self._clouds.open(application.site, for_project=application.project_id)
        project = owner_in(cloud, caller, application.project_id)
        try:
            members = _tagged(cloud, project, cloud.project_name, tag)
        except Invalid as error:
            raise Conflict(f"application {application.name}: {error}") from error
        self._refuse_taken(caller, application.site, members, application.id)
        return replace(application, members=members), tuple(changes(tag, application.members, members))

    def keep_members(self, application: Application) -> None:
        """Its members are these from now on; NotFound when it was deleted meanwhile."""
        known = self._repository.get(application.id)
        if known.members != application.members:
            self._repository.update(replace(known, members=application.members))

    def list(self, caller: Caller, site: str | None = None, page: Page = ALL) -> builtins.list[Application]:
        """Those of the caller's project, all for administrators; of one site when given; by name."""
        return self._repository.list(caller.scope, site, page=page)

    def get(self, caller: Caller, id: str) -> Application:
        """By id or name.  One of another project is as good as not there, except for administrators.

        Raises NotFound; Conflict when an administrator names one that several projects have.
        """
        try:
            return self._repository.get(id, caller.scope)
        except NotFound:
            pass
        try:
            return self._repository.by_name(id, caller.project_id)
        except NotFound:
            same = self._repository.list(name=id) if caller.is_admin else []
            if not same:
                raise
        if len(same) > 1:
            raise Conflict(f"application: {len(same)} projects have one called {id!r}; give its id")
        return same[0]

    def delete(self, caller: Caller, id: str) -> None:
        """Forget an application; its servers are not touched.  Conflict while it is protected."""
        application = self.get(caller, id)
        self._repository.delete(application.id)
        LOG.info("application %s deleted by %s", application.name, caller.user_name)

    def _refuse_taken(
        self, caller: Caller, site: str, members: tuple[Member, ...], besides: str | None = None
    ) -> None:
        wanted = {member.server_id: member.server_name for member in members}
        for application in self._repository.list(site=site):
            for member in application.members:
                if member.server_id in wanted and application.id != besides:
                    ours = caller.is_admin or application.project_id == caller.project_id
                    owner = (
                        f"application {application.name!r}" if ours else "an application of another project"
                    )
                    raise Conflict(f"servers: {wanted[member.server_id]} already belongs to {owner}")


def _chosen(cloud: CloudSite, caller: Caller, servers: Sequence[Mapping[str, Any]]) -> tuple[Member, ...]:
    if not servers:
        raise Invalid("servers: name at least one")
    ids = [str(server["id"]) for server in servers]
    for server_id in ids:
        if not _ID.fullmatch(server_id):
            raise Invalid(f"servers: {server_id!r} is not the id of a server")
        if ids.count(server_id) > 1:
            raise Invalid(f"servers: {server_id} is listed twice")
    try:
        rows = read_servers(cloud, ids)
    except NotFoundInSite as error:
        raise Invalid(f"servers: {error.message} (site {cloud.name})") from error
    except Unsupported as error:
        raise Invalid(f"servers: {error.message}") from error
    for row in rows:
        if drill := row["metadata"].get(tokens.DRILL_KEY):
            raise Invalid(
                f"servers: {row['name']} is a copy of drill {drill}, which will be removed: name others"
            )
    if not caller.is_admin:
        project = project_in(cloud, caller)
        for row in rows:
            if row["tenant_id"] != project:
                # The same words as for one that is not there: what other projects have is not ours to tell.
                raise Invalid(f"servers: Instance {row['id']} could not be found. (site {cloud.name})")
    return tuple(
        Member(
            row["id"],
            row["name"],
            order,
            bool(server.get("quiesce", True)),
            MemberRole(server.get("role", "active")),
        )
        for order, (row, server) in enumerate(zip(rows, servers, strict=True), start=1)
    )


def _tagged(cloud: CloudSite, project: str, shown: str, tag: str) -> tuple[Member, ...]:
    """``project``: its id in the site, ``shown`` its name."""
    key, equals, value = tag.partition("=")
    if not key or not equals or not value:
        raise Invalid(f"metadata_tag: {tag!r} must look like key=value")
    rows = list_servers(cloud, project)
    ours = [
        row
        for row in rows
        if row["tenant_id"] == project
        and row["metadata"].get(key) == value
        and tokens.DRILL_KEY not in row["metadata"]
    ]
    if not ours:
        raise Invalid(f"metadata_tag: no server of project {shown} in site {cloud.name} has {tag}")
    ours.sort(key=_place)
    return tuple(
        Member(
            row["id"], row["name"], order, row["metadata"].get(QUIESCE_KEY, "").lower() not in _NO, _role(row)
        )
        for order, row in enumerate(ours, start=1)
    )


def _role(row: Mapping[str, Any]) -> MemberRole:
    written = row["metadata"].get(ROLE_KEY, MemberRole.ACTIVE)
    try:
        return MemberRole(written.lower())
    except ValueError:
        said = f"metadata_tag: server {row['name']} has {ROLE_KEY}={written!r}, which is neither active nor standby"
        raise Invalid(said) from None


def _place(row: Mapping[str, Any]) -> tuple[float, str, str]:
    written = row["metadata"].get(ORDER_KEY)
    try:
        order = float("inf") if written is None else int(written)
    except ValueError:
        said = f"metadata_tag: server {row['name']} has {ORDER_KEY}={written!r}, which is not a whole number"
        raise Invalid(said) from None
    return order, row["name"], row["id"]
