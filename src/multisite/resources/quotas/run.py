"""One pass of one global quota: read every site, lower first, look again, raise what is free by then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from multisite.clouds import quota_limits
from multisite.clouds.ask import ask_all, do_all
from multisite.clouds.connect import CloudSite, Sites
from multisite.domain.errors import MultisiteError
from multisite.domain.global_quota import (
    LATE_SECONDS,
    GlobalQuota,
    Held,
    SiteUsage,
    may_raise,
    shares,
    to_lower,
)
from multisite.store.global_quotas import GlobalQuotaRepository

ByResource = dict[str, dict[str, int]]
"""Limits by site and resource."""


class QuotaRunner:
    """Of any quota; its row has the leases, and is written before a limit is raised."""

    def __init__(self, clouds: Sites, rows: GlobalQuotaRepository, now: Callable[[], datetime]) -> None:
        self._clouds, self._rows, self._now = clouds, rows, now

    def run(self, quota: GlobalQuota) -> GlobalQuota:
        """The quota afterwards; what a site refuses is in ``told``.  Raises what the fence and the database raise."""
        told: list[str] = []
        seen = self._read(quota, quota.sites)
        told += _by_hand(quota, seen)
        wanted = {name: self._shares(quota, seen, name) for name in quota.limits}
        lower = _turned({name: to_lower(self._held(quota, seen, name), w) for name, w in wanted.items()})
        quota, seen = self._lower(quota, seen, lower, told)
        raised = {
            name: may_raise(
                quota.limits[name], self._held(quota, seen, name), _known(seen, wanted[name], name)
            )
            for name in quota.limits
        }
        quota, seen = self._raise(quota, seen, _turned(raised), told)
        told += _facts(quota, seen)
        after, moment = {**quota.usage, **seen}, self._now()
        return self._rows.change(
            quota.id, lambda known: replace(known, usage=after, told=tuple(told), passed_at=moment)
        )

    def _read(self, quota: GlobalQuota, sites: tuple[str, ...]) -> dict[str, SiteUsage]:
        asked = ask_all(
            sites, lambda name: quota_limits.read(self._open(quota, name)), errors=(MultisiteError,)
        )
        moment = self._now()
        found = {
            name: SiteUsage({n: v[0] for n, v in rows.items()}, {n: v[1] for n, v in rows.items()}, moment)
            for name, rows in asked.known.items()
        }
        away = {
            name: replace(quota.usage.get(name, SiteUsage()), why=why) for name, why in asked.reasons.items()
        }
        return {**found, **away}

    def _held(self, quota: GlobalQuota, seen: Mapping[str, SiteUsage], resource: str) -> dict[str, Held]:
        found = {}
        raising = self._raising(quota)
        for name in quota.sites:
            lease, usage = quota.leases.get(name, {}).get(resource), seen[name]
            known = usage.why is None and resource in usage.limits
            limit, used = (usage.limits[resource], usage.used.get(resource, 0)) if known else (None, None)
            found[name] = Held(lease, limit, used, raising)
            if usage.why is None and resource not in usage.limits:
                found[name] = Held(0)  # it does not count this: it is told, and gets nothing
        return found

    def _shares(self, quota: GlobalQuota, seen: Mapping[str, SiteUsage], resource: str) -> dict[str, int]:
        return shares(quota.limits[resource], self._held(quota, seen, resource))

    def _lower(
        self, quota: GlobalQuota, seen: dict[str, SiteUsage], lower: ByResource, told: list[str]
    ) -> tuple[GlobalQuota, dict[str, SiteUsage]]:
        """Leases follow what the sites say after it, not what they were asked for."""
        if not lower:
            return self._leased(quota, seen), seen
        self._write(quota, lower, told)
        seen = {**seen, **self._read(quota, tuple(lower))}
        return self._leased(quota, seen), seen

    def _raise(
        self, quota: GlobalQuota, seen: dict[str, SiteUsage], wanted: ByResource, told: list[str]
    ) -> tuple[GlobalQuota, dict[str, SiteUsage]]:
        if not wanted:
            return quota, seen

        def lent(known: GlobalQuota) -> GlobalQuota:
            leases = {name: {**known.leases.get(name, {}), **wanted.get(name, {})} for name in known.sites}
            return replace(known, leases=leases, raising_since=self._now())

        quota = self._rows.change(quota.id, lent)  # before the sites have it
        self._write(quota, wanted, told)
        seen = {**seen, **self._read(quota, tuple(wanted))}
        have = all(
            seen[n].limits.get(r) == limit for n, limits in wanted.items() for r, limit in limits.items()
        )
        if have:
            quota = self._rows.change(quota.id, lambda known: replace(known, raising_since=None))
        return quota, seen

    def _raising(self, quota: GlobalQuota) -> bool:
        since = quota.raising_since
        return since is not None and self._now() - since < timedelta(seconds=LATE_SECONDS)

    def _leased(self, quota: GlobalQuota, seen: Mapping[str, SiteUsage]) -> GlobalQuota:
        """Its leases as the limits are that the sites have just told, unless they may still be raised."""
        raising = self._raising(quota)

        def of(known: GlobalQuota, name: str) -> dict[str, int]:
            before = dict(known.leases.get(name, {}))
            if seen[name].why is not None:
                return before
            limits = {n: limit for n, limit in seen[name].limits.items() if n in quota.limits}
            return {n: max(limit, before.get(n, limit)) if raising else limit for n, limit in limits.items()}

        def told(known: GlobalQuota) -> GlobalQuota:
            since = known.raising_since if raising else None
            return replace(known, leases={name: of(known, name) for name in known.sites}, raising_since=since)

        return self._rows.change(quota.id, told)

    def _write(self, quota: GlobalQuota, wanted: ByResource, told: list[str]) -> None:
        failed = do_all(
            wanted, lambda name: quota_limits.write(self._open(quota, name), wanted[name]), errors=(MultisiteError,)
        )  # fmt: skip
        told += [f"{name}: {error}" for name, error in failed.items()]

    def _open(self, quota: GlobalQuota, name: str) -> CloudSite:
        return self._clouds.open(name, for_project=quota.project_id)


def _turned(by_resource: Mapping[str, Mapping[str, int]]) -> ByResource:
    """From resource and site to site and resource."""
    found: ByResource = {}
    for resource, limits in by_resource.items():
        for site, limit in limits.items():
            found.setdefault(site, {})[resource] = limit
    return found


def _known(seen: Mapping[str, SiteUsage], wanted: Mapping[str, int], resource: str) -> dict[str, int]:
    """Of those that answered after the lowering, too."""
    return {n: w for n, w in wanted.items() if seen[n].why is None and resource in seen[n].limits}


def _by_hand(quota: GlobalQuota, seen: Mapping[str, SiteUsage]) -> list[str]:
    """Limits that are not as they were lent."""
    return [
        f"{name}: {resource}: its limit was {lease} and is {seen[name].limits[resource]}: somebody else changed it"
        for name in quota.sites
        if seen[name].why is None
        for resource, lease in quota.leases.get(name, {}).items()
        if resource in quota.limits and seen[name].limits.get(resource, lease) != lease
    ]


def _facts(quota: GlobalQuota, seen: Mapping[str, SiteUsage]) -> list[str]:
    told = [f"{name}: unknown: {one.why}: it keeps its last lease" for name, one in seen.items() if one.why]
    for resource, total in quota.limits.items():
        answers = [one for one in seen.values() if one.why is None]
        told += [
            f"{name}: {resource} is not counted there: it is not limited either"
            for name, one in seen.items()
            if one.why is None and resource not in one.limits
        ]
        used = sum(one.used.get(resource, 0) for one in answers)
        if 0 <= total < used:
            told.append(f"{resource}: {used} are used, {used - total} more than the limit of {total}")
    return told
