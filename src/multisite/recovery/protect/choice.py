"""Which method protects an application where none is named: the sites are asked, each method says what it could do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from multisite.clouds.ask import ask_all
from multisite.clouds.capabilities import unknown as nothing_known
from multisite.clouds.connect import Sites
from multisite.clouds.errors import SiteError
from multisite.domain.errors import Conflict, Invalid
from multisite.domain.findings import Finding, blocking, unknown
from multisite.domain.model import Application, Capability
from multisite.recovery.methods.base import ProtectionMethod, checked_options
from multisite.recovery.methods.cinder_backups.state import ApplicationState, read_state, said_by_images
from multisite.recovery.methods.estimates import Every
from multisite.recovery.methods.needs import looked_at
from multisite.recovery.methods.offers import Candidate, Choice, SiteSeen, choose, together
from multisite.recovery.methods.storages import StorageSeen, read_storage
from multisite.recovery.protect.figures import PastFigures

SECONDS = 60.0
"""So long a site may take to tell what it has."""


@dataclass(frozen=True)
class _Seen:
    """What one site told."""

    capabilities: Sequence[Capability]
    state: ApplicationState | None = None
    unseen: Finding | None = None
    said: Mapping[str, Mapping[str, str] | None] = field(default_factory=dict)
    storage: StorageSeen | Finding | None = None


class MethodChoice:
    """``capabilities`` asks a site, by its name, what it can do; it raises SiteError."""

    def __init__(
        self,
        clouds: Sites,
        figures: PastFigures,
        methods: Mapping[str, ProtectionMethod],
        capabilities: Callable[[str], Sequence[Capability]],
    ) -> None:
        self._clouds, self._figures = clouds, figures
        self._methods, self._capabilities = methods, capabilities

    def preview(
        self,
        application: Application,
        targets: Sequence[str],
        options: Mapping[str, Any],
        every: Every | None = None,
    ) -> Choice:
        """What each method would give in all targets, and which would be chosen.  Changes nothing.

        Raises Invalid for options that no method takes.
        """
        candidates = [
            replace(
                one, figures=self._figures.of(application, one.target.name if one.target else None, every)
            )
            for one in self._candidates(application, targets, options)
        ]
        offers = [
            together({one.target.name if one.target else "": method.offer(one) for one in candidates})
            for method in self._methods.values()
        ]
        return choose(offers, application.name)

    def _candidates(
        self, application: Application, targets: Sequence[str], options: Mapping[str, Any]
    ) -> list[Candidate]:
        """One for each target; one without a target when there is none."""
        taken, refused = self._options(options)
        names = [application.site, *targets]
        asked = ask_all(names, lambda name: self._look(name, application), seconds=SECONDS)
        seen = asked.known | {name: self._late(name, why) for name, why in asked.reasons.items()}
        here = seen[application.site]
        known = Candidate(
            application,
            SiteSeen(application.site, here.capabilities),
            None,
            taken,
            refused,
            here.state,
            here.unseen,
            here.said,
            {name: one.storage for name, one in seen.items() if one.storage is not None},
            targets=tuple(targets),
        )
        return [replace(known, target=SiteSeen(name, seen[name].capabilities)) for name in targets] or [known]

    def _options(self, given: Mapping[str, Any]) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
        """By method: those that take what is given, and why the others do not."""
        taken: dict[str, Mapping[str, Any]] = {}
        refused: dict[str, Invalid] = {}
        for name, method in self._methods.items():
            try:
                taken[name] = checked_options(self._methods, name, given)
            except Invalid as error:
                known = set(given) <= set(method.options.__dataclass_fields__)
                refused = {name: error, **refused} if known else {**refused, name: error}
        if not taken:
            raise next(iter(refused.values()))  # of a method that has all of them, if there is one
        return taken, {name: str(error) for name, error in refused.items()}

    def _look(self, site: str, application: Application) -> _Seen:
        try:
            seen = _Seen(self._capabilities(site))
        except (SiteError, Invalid) as error:
            seen = _silent(site, str(error))
        else:
            if site == application.site:
                seen = self._application(seen, application)
        return replace(seen, storage=self._storage(site, seen.state.volumes if seen.state else ()))

    def _application(self, seen: _Seen, application: Application) -> _Seen:
        site = self._clouds.open(application.site, for_project=application.project_id)
        try:
            state = looked_at(application, lambda: read_state(site, application, ask_quiesce=True))
            return replace(seen, state=state, said=said_by_images(site, state))
        except Conflict as error:
            remedy = "make the application's servers what it says, or describe it anew"
            return replace(seen, unseen=blocking(site.name, "application", str(error), remedy))
        except SiteError as error:
            return replace(seen, unseen=_not_told(site.name, str(error)))

    def _storage(self, site: str, volumes: Iterable[str]) -> StorageSeen | Finding | None:
        mirror = self._clouds.mirrors.get(site)
        if mirror is None:
            return None
        try:
            return read_storage(mirror, volumes)
        except SiteError as error:
            return _not_told(site, f"its storage: {error}")

    def _late(self, site: str, why: str) -> _Seen:
        storage = _not_told(site, why) if site in self._clouds.mirrors else None
        return replace(_silent(site, why), storage=storage)


def _silent(site: str, why: str) -> _Seen:
    return _Seen(nothing_known(why), unseen=_not_told(site, why))


def _not_told(site: str, why: str) -> Finding:
    return unknown(site, why, "which methods are possible is not known")
