"""The sites a protection may be recovered in: which were named, and whether it can be protected to each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.errors import SiteError
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, Invalid
from multisite.domain.findings import Finding, blockers, describe
from multisite.domain.model import Capability, Protection
from multisite.recovery.methods.base import ProtectionMethod
from multisite.sites.service import SiteService

LOG = logging.getLogger(__name__)

MOST = 16
"""So many targets a protection may have."""


def in_order(target_site: str | None, target_sites: Sequence[str] | None) -> tuple[str, ...]:
    """The targets that were named, the preferred one first, which may be named alone, too.

    Raises Invalid when the two do not say the same, a site is named twice, or there are more than ``MOST``.
    """
    if target_sites is None:
        return () if target_site is None else (target_site,)
    if target_site is not None and target_site != next(iter(target_sites), None):
        raise Invalid(
            f"target_sites: begins with {next(iter(target_sites), 'none')!r}, and target_site is {target_site!r}: give "
            "one of the two, or the preferred one first in both"
        )
    if twice := sorted({site for site in target_sites if list(target_sites).count(site) > 1}):
        raise Invalid(f"target_sites: {', '.join(twice)} is named twice: name each site once")
    if len(target_sites) > MOST:
        raise Invalid(f"target_sites: {len(target_sites)} are named, at most {MOST} can be")
    return tuple(target_sites)


class TargetChecks:
    """``capabilities`` asks a site what it can do, None to leave that out."""

    def __init__(
        self,
        sites: SiteService,
        clouds: Sites,
        methods: Mapping[str, ProtectionMethod],
        capabilities: Callable[[CloudSite], Sequence[Capability]] | None,
    ) -> None:
        self._sites, self._clouds = sites, clouds
        self._methods, self._capabilities = methods, capabilities

    def check(self, caller: Caller, protection: Protection) -> None:
        """Raise Invalid, NotFound or Conflict when it could not be carried out as it says."""
        self.refuse(caller, protection.site, protection.target_sites)
        if lacking := blockers(self._lacking(protection)):
            raise Conflict(describe(lacking))

    def refuse(self, caller: Caller, site: str, targets: Sequence[str]) -> None:
        """Invalid when one is the ``site`` the application runs in, NotFound when one is not registered."""
        for target in targets:
            if target == site:
                raise Invalid(
                    f"target_site: {site!r} is the site the application runs in: name another one to recover in"
                )
            self._sites.get(caller, target)

    def can(self, site: str) -> Sequence[Capability]:
        """What a site can do.  Raises SiteError."""
        asked = self._clouds.open_for_service(site)
        return () if self._capabilities is None else self._capabilities(asked)

    def _lacking(self, protection: Protection) -> Sequence[Finding]:
        try:
            capabilities = self.can(protection.site)
        except SiteError as error:
            LOG.info("what site %s can do is not known: %s", protection.site, error)
            return ()
        return self._methods[protection.method].requirements(capabilities, protection)
