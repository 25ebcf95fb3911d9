"""One limit of a project over several sites, lent to them as leases; pure.

A lease is the most that a site's own limit can be.  It is written down before a limit is raised, and taken back only
when the site has said that its limit is lower: whatever dies in between, the sites' limits never add up to more than
the global one, so neither does what is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

UNLIMITED = -1
LATE_SECONDS = 90.0
"""A request of a process that died may take effect so much later."""
KEEP_SHARE = 0.5
"""A site that has this much of its fair share still free is left alone: limits are not written for nothing."""


@dataclass(frozen=True)
class SiteUsage:
    """What a site said: its limit (-1: unlimited) and what is used, by resource.  ``why``: it did not answer."""

    limits: Mapping[str, int] = field(default_factory=dict)
    used: Mapping[str, int] = field(default_factory=dict)
    at: datetime | None = None
    why: str | None = None


@dataclass(frozen=True)
class GlobalQuota:
    """``limits``: by resource, -1: unlimited.  ``leases``: by site and resource; ``usage`` as each site last said it.

    ``raising_since``: limits are being raised, and it is not known that every site has its own; ``told``: what the
    last pass found to be told.
    """

    id: str
    project_id: str
    sites: tuple[str, ...]
    limits: Mapping[str, int]
    paused: bool
    requested_by: str
    leases: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    usage: Mapping[str, SiteUsage] = field(default_factory=dict)
    raising_since: datetime | None = None
    told: tuple[str, ...] = ()
    passed_at: datetime | None = None
    created_at: datetime | None = None


@dataclass(frozen=True)
class Held:
    """One resource at one site.  ``lease`` None: none yet.  ``limit``, ``used`` None: the site did not answer.

    ``raising``: a request that raises the limit to the lease may still be under way.
    """

    lease: int | None
    limit: int | None = None
    used: int | None = None
    raising: bool = False

    @property
    def answers(self) -> bool:
        return self.limit is not None and self.used is not None

    @property
    def holds(self) -> int | None:
        """The most that this site may come to use as it is; None: there is no end to it, or it is not known."""
        if not self.answers:
            return self.lease if self.lease is not None and self.lease >= 0 else None
        if self.limit is not None and self.limit < 0:
            return None
        return max(self.limit or 0, self.used or 0, (self.lease or 0) if self.raising else 0)


def shares(total: int, sites: Mapping[str, Held]) -> dict[str, int]:
    """The limit that each site that answers is to have.

    What is used stays usable; what is free is divided evenly, and left as it is while every site has enough of it.
    With more used than the total, each gets what it uses: nothing can grow.
    """
    asked = {name: one for name, one in sites.items() if one.answers}
    if total < 0:
        return dict.fromkeys(asked, UNLIMITED)
    away = [one.holds for name, one in sites.items() if name not in asked]
    if None in away:
        return {name: one.used or 0 for name, one in asked.items()}  # nothing is known to be free
    used = {name: one.used or 0 for name, one in asked.items()}
    free = total - sum(h or 0 for h in away) - sum(used.values())
    if free <= 0 or not asked:
        return used
    fair, rest = divmod(free, len(asked))
    wanted = {name: used[name] + fair + (n < rest) for n, name in enumerate(sorted(asked))}
    enough = _enough(total, asked, fair, sum(h or 0 for h in away))
    return {name: one.limit or 0 for name, one in asked.items()} if enough else wanted


def _enough(total: int, asked: Mapping[str, Held], fair: int, away: int) -> bool:
    """Whether the limits there are add up, and leave everybody room to grow."""
    limits = [one.limit or 0 for one in asked.values()]
    if any(limit < 0 for limit in limits) or sum(limits) + away != total:
        return False
    return all((one.limit or 0) - (one.used or 0) >= KEEP_SHARE * fair for one in asked.values())


def may_raise(total: int, sites: Mapping[str, Held], wanted: Mapping[str, int]) -> dict[str, int]:
    """Of ``wanted`` what may be given now: raises only, out of what nobody holds.  {} while that is not known."""
    if total < 0:
        return {n: w for n, w in wanted.items() if sites[n].limit != w}
    held = {name: one.holds for name, one in sites.items()}
    if None in held.values():
        return {}
    left = total - sum(h or 0 for h in held.values())
    given = {}
    for name in sorted(wanted):
        limit = sites[name].limit or 0
        more = min(wanted[name] - limit, left)
        if more > 0:
            given[name] = limit + more
            left -= more
    return given


def to_lower(sites: Mapping[str, Held], wanted: Mapping[str, int]) -> dict[str, int]:
    """Of ``wanted`` what is less than the site's limit is."""
    return {
        name: limit
        for name, limit in wanted.items()
        if limit >= 0 and ((sites[name].limit or 0) < 0 or limit < (sites[name].limit or 0))
    }
