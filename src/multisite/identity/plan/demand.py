"""How often per second each thing happens in each site."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from multisite.identity.plan.inputs import Inputs, Site

DAY = 86_400.0
HOUR = 3600.0


class Write(StrEnum):
    """What changes the Keystone database whatever the token format."""

    FIRST_LOGIN = "first login of the day"
    ROLE_CHANGE = "role change"
    REVOCATION = "revocation"


@dataclass(frozen=True)
class Demand:
    """Of one site, all per second.  ``validations``: requests that auth_token could not answer from its cache."""

    validations: float
    logins: float
    local_logins: float
    """Those by application credential, which the local Keystone can serve without writing."""
    writes: tuple[tuple[Write, float], ...]

    @property
    def written(self) -> float:
        return sum(rate for _, rate in self.writes)


def demands(inputs: Inputs) -> dict[str, Demand]:
    """Of every site, by name."""
    users = sum(site.users for site in inputs.sites)
    logins = sum(site.logins_per_second for site in inputs.sites)
    found = {}
    for site in sorted(inputs.sites, key=lambda s: s.name):
        by_users = site.users / users if users else 1 / len(inputs.sites)
        by_logins = site.logins_per_second / logins if logins else 1 / len(inputs.sites)
        local = site.logins_per_second * inputs.application_credential_logins
        by_password = site.logins_per_second - local
        found[site.name] = Demand(
            validations=validations(inputs, site),
            logins=by_password,
            local_logins=local,
            writes=(
                # Keystone notes a user's last login as a date: one write a day (set_last_active_at)
                (Write.FIRST_LOGIN, min(site.users / DAY, by_password)),
                (Write.ROLE_CHANGE, inputs.role_changes_per_hour / HOUR * by_users),
                (Write.REVOCATION, inputs.revocations_per_hour / HOUR * by_logins),
            ),
        )
    return found


def validations(inputs: Inputs, site: Site) -> float:
    """Validations per second that leave auth_token's cache.

    A token in a cache is asked for again ``token_cache_time`` after it was last asked for, at its next use: with
    requests at random at rate r per token and cache, every 1/r + cache time.  Live tokens: logins x expiration.
    """
    tokens = max(1.0, site.logins_per_second * inputs.tokens.expiration)
    rate = site.requests_per_second / (tokens * inputs.token_caches_per_site)
    return site.requests_per_second / (1 + rate * inputs.token_cache_time)
