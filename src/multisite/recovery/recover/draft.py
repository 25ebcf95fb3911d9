"""A plan in the making: what will be done, with reasons, and what is in the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, TypeVar

from multisite.domain.findings import Finding, Severity, blocking
from multisite.domain.manifest import Manifest
from multisite.domain.model import PreviewItem, Purpose
from multisite.domain.standby import Standby
from multisite.recovery.recover import losses
from multisite.recovery.recover.mapping import Rules, listed, option
from multisite.recovery.recover.target_facts import TargetFacts


class Named(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


@dataclass(frozen=True)
class ByName:
    """What has no id but its name."""

    name: str

    @property
    def id(self) -> str:
        return self.name


@dataclass
class Draft:
    """Given: ``manifest``, ``facts``, ``rules``, ``purpose``; ``projects``: id -> name of what else is granted there;
    ``standby``: what is kept of the restore point at the target, as the facts' ``standby_volumes`` (id -> row) are.

    Collected: ``items`` in the order of the work, ``problems``, ``quota``: how much of the target's quotas restoring
    the volumes' data takes beside the volumes, ``accepted``: the losses that the operator accepts, and ``unread``:
    those of the problems that say only that the target did not tell.
    """

    manifest: Manifest
    facts: TargetFacts
    rules: Rules
    items: list[PreviewItem] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    unread: list[Finding] = field(default_factory=list)
    quota: Counter[str] = field(default_factory=Counter)
    accepted: list[losses.Loss] = field(default_factory=list)
    projects: Mapping[str, str] = field(default_factory=dict)
    purpose: Purpose = Purpose.DISASTER
    standby: Sequence[Standby] = ()

    def create(self, kind: str, name: str, detail: str = "") -> None:
        self.items.append(PreviewItem(kind, name, "create", detail))

    def use(self, kind: str, name: str, target_id: str, detail: str = "") -> None:
        self.items.append(PreviewItem(kind, name, "use", detail, target_id))

    def do(self, kind: str, name: str, action: str, detail: str = "") -> None:
        self.items.append(PreviewItem(kind, name, action, detail))

    def problem(self, kind: str, what: str, remedy: str) -> None:
        """In the way: the recovery will not start."""
        self.problems.append(blocking("", kind, what, remedy))

    def note(self, kind: str, what: str, remedy: str) -> None:
        """Worth knowing before starting, not in the way."""
        self.problems.append(Finding("", kind, what, "", remedy, Severity.NOTE))

    def unknown(self, kind: str, what: str, remedy: str) -> None:
        """The target did not tell; not in the way."""
        self.problems.append(Finding("", kind, what, "", remedy, Severity.UNKNOWN))

    def loss(self, kind: str, id: str, name: str, what: str, remedy: str) -> bool:
        """What the recovery cannot bring back, or not as it was: in the way, unless the operator accepts it by name.

        ``kind``: one of ``losses.LOSSES``; ``id``, ``name``: of the thing in the source; ``remedy``: what else can be
        done.  True: it is accepted, and noted.
        """
        subject = f"{losses.LOSSES[kind].noun} {name or id}"
        loss = self._loss_names.of(kind, id, name)
        if (kind, id) not in self._accepted_ids:
            self.problem(subject, what, f"{remedy}, or accept it: {losses.option(loss)}")
            return False
        self.note(subject, f"accepted: {what}", "nothing to do: it is accepted by --accept-loss")
        self.accepted.append(loss)
        return True

    @cached_property
    def _loss_names(self) -> losses.LossNames:
        return losses.LossNames(self.manifest)

    @cached_property
    def _accepted_ids(self) -> frozenset[tuple[str, str]]:
        return losses.accepted_losses(self.rules.accept_loss, self.manifest)

    def needs(self, part: str, shown: str) -> bool:
        """Whether this part of the target is known; if not that is a problem, for "not seen" is not "not there"."""
        if self.facts.knows(part):
            return True
        reason = self.facts.unknown[part]
        unread = blocking(
            "",
            shown,
            f"could not be read at {self.facts.site}, so nothing can be said: {reason}",
            "make the target answer, then preview again",
        )
        if unread not in self.problems:  # others may have said something else of the kind
            self.problems.append(unread)
            self.unread.append(unread)
        return False

    def option(self, rule: str, id: str, name: str, target: str = "...") -> str:
        """What to type to map a thing of the restore point: ``--map network:lan=...``."""
        return option(self.manifest, rule, id, name, target)

    def find(
        self, things: Iterable[T], wanted: str, subject: str, rule: str, *, listing: bool = True
    ) -> T | None:
        """The thing at the target an operator's rule names, by id or else by name; a problem when there is not one.

        ``listing``: the problem says which there are.
        """
        known = list(things)
        for thing in known:
            if thing.id == wanted:
                return thing
        named = [thing for thing in known if thing.name == wanted]
        if len(named) == 1:
            return named[0]
        site = self.facts.site
        if named:
            ids = ", ".join(sorted(thing.id for thing in named))
            self.problem(
                subject,
                f"mapping.{rule} maps it to {wanted!r}, the name of {len(named)} things at {site}",
                f"map it to one of these ids: {ids}",
            )
        else:
            there = f" ({site} has: {listed(thing.name or thing.id for thing in known)})" if listing else ""
            self.problem(
                subject,
                f"mapping.{rule} maps it to {wanted!r}, which is not at {site}",
                f"create {wanted!r} there, or correct the mapping{there}",
            )
        return None
