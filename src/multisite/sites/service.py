"""What operators do with sites: register them by their clouds.yaml entry, look at them, ask them what they can do."""

from __future__ import annotations

import builtins
import logging
import re
import time
import uuid
from datetime import UTC, datetime

from multisite.clouds.capabilities import discover, unknown
from multisite.clouds.connect import Sites
from multisite.clouds.errors import SiteError, Unreachable
from multisite.domain.caller import Caller
from multisite.domain.errors import Invalid
from multisite.domain.model import Capability, Site, SiteCheck
from multisite.domain.page import ALL, Page
from multisite.store.sites import SiteRepository

LOG = logging.getLogger(__name__)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NAME_RULE = "must be 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit"
"""Names go into addresses and file names."""


class SiteService:
    """The verbs.  Who may use them is decided by the API's policy; ``caller`` is here for the log."""

    def __init__(self, repository: SiteRepository, clouds: Sites) -> None:
        self._repository = repository
        self._clouds = clouds

    def register(self, caller: Caller, name: str, cloud: str, description: str = "") -> Site:
        """Remember a site by the name of its clouds.yaml entry; nothing is sent to it.

        Region and address are copied for people to see, credentials never.  Raises Invalid naming the field,
        Conflict when the name is taken.
        """
        if not NAME.fullmatch(name):
            raise Invalid(f"name: {name!r} {NAME_RULE}")
        known = self._clouds.entries()
        if cloud not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise Invalid(f"cloud: {cloud!r} is not an entry of clouds.yaml; it has: {listed}")
        entry = known[cloud]
        if entry.problem:
            raise Invalid(entry.problem)
        if not entry.auth_url:
            raise Invalid(f"cloud: entry {cloud!r} of clouds.yaml has no auth_url")
        site = self._repository.add(
            Site(
                id=str(uuid.uuid4()),
                name=name,
                cloud=cloud,
                region=entry.region,
                auth_url=entry.auth_url,
                description=description,
                created_at=datetime.now(UTC),
            )
        )
        LOG.info("site %s registered as cloud %s by %s", name, cloud, caller.user_name)
        return site

    def list(self, caller: Caller, page: Page = ALL) -> builtins.list[Site]:  # noqa: ARG002 - one shape for all verbs
        """All sites, by name."""
        return self._repository.list(page)

    def get(self, caller: Caller, name: str) -> Site:  # noqa: ARG002
        """One site; NotFound when there is none of that name."""
        return self._repository.by_name(name)

    def unregister(self, caller: Caller, name: str) -> None:
        """Forget a site; nothing in it is touched.  Conflict while applications are in it, or protections aim at it."""
        self._repository.delete(self._repository.by_name(name).id)
        self._clouds.drop(name)
        LOG.info("site %s unregistered by %s", name, caller.user_name)

    def check(self, caller: Caller, name: str) -> SiteCheck:  # noqa: ARG002
        """Ask a site, over a new connection, what it can do.  A site that cannot be reached is an answer too.

        ``reachable`` says whether its Keystone answered; ``error`` why we could not ask.  What could not
        be asked is unknown, never "no".  Takes seconds, also when the site is dead.
        """
        site = self._repository.by_name(name)
        self._clouds.drop(name)
        begun = time.monotonic()
        reachable, error = True, None
        capabilities: tuple[Capability, ...]
        try:
            capabilities = discover(self._clouds.open_for_service(name))
        except (SiteError, Invalid) as failure:
            reachable = not isinstance(failure, Unreachable | Invalid)
            error = str(failure)
            capabilities = unknown(error)
        return SiteCheck(
            site=site.name,
            checked_at=datetime.now(UTC),
            reachable=reachable,
            seconds=round(time.monotonic() - begun, 3),
            capabilities=capabilities,
            error=error,
        )
