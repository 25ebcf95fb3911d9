"""Whether applications could be recovered now: everything that a recovery would ask for, asked all the time.

A look is a preview of a recovery of the newest usable restore point, as if the source were fenced, with the rules of
the application's newest recovery plan for that site, or else of its newest recovery or drill there.  It changes nothing
in any site.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from multisite.clouds.errors import SiteError
from multisite.domain import work
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, Invalid, MultisiteError, NotFound
from multisite.domain.fence import FencedThreads
from multisite.domain.findings import Finding, blocking, unknown
from multisite.domain.model import Protection, Recovery, RestorePoint
from multisite.domain.past import spread
from multisite.domain.recoverability import Recoverability, Recoverable, TargetLook, judge
from multisite.domain.rpo import doubtful, newest_usable
from multisite.periodic.lease import LeaseLost
from multisite.recovery.manifests import StoreUnavailable
from multisite.recovery.plans.question import Question
from multisite.recovery.protect.points import KnownPoints
from multisite.recovery.recover.decider import Decider
from multisite.recovery.recover.known_rules import KnownRules
from multisite.recovery.recover.mapping import parse
from multisite.recovery.recover.plan import Decision
from multisite.store.database import Database
from multisite.store.protections import ProtectionRepository
from multisite.store.recoverability import RecoverabilityRepository
from multisite.store.recoveries import RecoveryRepository

LOG = logging.getLogger(__name__)

SECONDS = 1800.0
"""Between two looks at each protection."""
AT_ONCE = 4
"""Looks at the same time."""
_STORE = "let the backup store answer (multisite-manage store check)"


@dataclass(frozen=True)
class _Seen:
    """What a look came to; ``decision`` None: there was none to be made."""

    findings: tuple[Finding, ...]
    restore_point: str | None = None
    rules_of: str = ""
    decision: Decision | None = None


class RecoverabilityChecks:
    """``run`` is the periodic task's."""

    def __init__(
        self, database: Database, points: KnownPoints, decider: Decider, now: Callable[[], datetime]
    ) -> None:
        self._points, self._decider, self._now = points, decider, now
        self._looks = RecoverabilityRepository(database)
        self._protections = ProtectionRepository(database)
        self._recoveries = RecoveryRepository(database)
        self._rules = KnownRules(database)

    def of(self, protections: Sequence[Protection]) -> dict[str, Recoverability]:
        """The newest look at each, by id of the protection; of those that were looked at, in one read."""
        return self._looks.of([protection.id for protection in protections])

    def look(self, protection: Protection) -> Recoverability:
        """Look now, at each target, and keep what is found."""
        before = _by_target(self._looks.of([protection.id]).get(protection.id))
        looks = [self._judged(protection, site) for site in protection.target_sites or [""]]
        for number, look in enumerate(looks):
            known = before.get(look.target_site)
            if known is not None and known.recoverable is look.recoverable:
                looks[number] = replace(look, since=known.since)
            else:
                _tell(protection, look)
        first, *others = looks
        found = Recoverability(protection.id, looked_at=self._now(), others=tuple(others), **_fields(first))
        self._looks.save(found)
        return found

    def run(self) -> None:
        """Look at every protection that has a target site."""
        threads = FencedThreads(AT_ONCE, "recoverability")
        try:
            wanted = [protection for protection in self._protections.list() if protection.target_site]
            wait([threads.submit(self._look_safely, protection) for protection in wanted])
        finally:
            threads.shutdown(cancel_futures=True)

    def _look_safely(self, protection: Protection) -> None:
        try:
            with work.doing(work.Work("multisite", protection.project_id, subject=protection.id)):
                self.look(protection)
        except LeaseLost:
            return  # another process goes on
        except (NotFound, Conflict) as error:  # deleted meanwhile
            LOG.info("recoverability of protection %s: %s", protection.id, error)
        except Exception:  # the others' turn must come whatever befalls this one
            LOG.exception("recoverability of protection %s", protection.id)

    def _seen(self, protection: Protection, target: str, past: Sequence[Recovery]) -> _Seen:
        command = f"openstack multisite protection run {protection.application}"
        if not target:
            what = "the protection names no target site"
            remedy = f"openstack multisite protection set {protection.application} --target-site <site>"
            return _Seen((blocking("", "target site", what, remedy),))
        try:
            points = self._points.newest({protection.application_id}).get(protection.application_id, [])
        except StoreUnavailable as error:
            return _Seen((unknown("", str(error), "whether there is a restore point is not known", _STORE),))
        if (doubt := doubtful(points)) is not None:
            why = f"which copy is the application is unknown: {doubt.error}"
            return _Seen((unknown("", why, "which restore points count is not known", "see there"),))
        if (point := newest_usable(points)) is None:
            what = "there is no usable one: everything would be lost"
            return _Seen((blocking("", "restore point", what, command),))
        return self._previewed(protection, target, point, past)

    def _previewed(
        self, protection: Protection, target: str, point: RestorePoint, past: Sequence[Recovery]
    ) -> _Seen:
        rules_of, mapping = self._rules.of(protection, target, past)
        caller = Caller("multisite", "multisite", protection.project_id, "", frozenset({"reader"}), "")
        try:
            rules = replace(parse(mapping), source_is_fenced=True)
            manifest = self._decider.manifest(caller, point.id)
            question = Question(target, dict(mapping), rules)
            decision = self._decider.decide(caller, manifest, question, ())
        except Invalid as error:
            remedy = "correct the plan: openstack multisite recovery plan set; without one, drill with rules that fit"
            found = blocking("", "rules", f"those of {rules_of} do not fit any more: {error}", remedy)
        except (StoreUnavailable, SiteError) as error:
            found = unknown(target, str(error), "whether a recovery there could start is not known")
        except MultisiteError as error:
            found = blocking(
                "", f"restore point {point.id}", str(error), "recover from another restore point"
            )
        else:
            return _Seen(decision.preview.problems, point.id, rules_of, decision)
        return _Seen((found,), point.id, rules_of)

    def _judged(self, protection: Protection, target: str) -> TargetLook:
        known = self._recoveries.list(application_id=protection.application_id)
        past = [recovery for recovery in known if recovery.target_site == target]
        seen = self._seen(protection, target, past)
        recoverable, reason = judge(seen.findings, seen.decision.unread if seen.decision else ())
        shown = seen.decision.preview if seen.decision else None
        warm = bool(seen.decision and seen.decision.plan.standby)
        took = spread(self._decider.past.took(past, protection.method, warm=warm))
        return TargetLook(
            target,
            recoverable,
            since=self._now(),
            reason=reason,
            findings=seen.findings,
            restore_point_id=seen.restore_point,
            rules_of=seen.rules_of,
            rto_seconds=shown.predicted_rto_seconds if shown else None,
            rto_least=shown.predicted_rto_least if shown else None,
            rto_most=shown.predicted_rto_most if shown else None,
            rto_count=shown.predicted_rto_count if shown else 0,
            past_median=took.median,
            past_least=took.least,
            past_most=took.most,
            past_count=took.count,
            method=protection.method,
        )


def _fields(look: TargetLook) -> dict[str, Any]:
    return {name: getattr(look, name) for name in TargetLook.__dataclass_fields__}


def _by_target(found: Recoverability | None) -> dict[str, Recoverability | TargetLook]:
    """What was found of each target before."""
    return (
        {} if found is None else {found.target_site: found} | {one.target_site: one for one in found.others}
    )


def _tell(protection: Protection, found: TargetLook) -> None:
    """A line of the log when it is another than before: at WARNING unless it is recoverable."""
    LOG.log(
        logging.INFO if found.recoverable is Recoverable.YES else logging.WARNING,
        "recoverable %s: protection=%s application=%s target_site=%s: %s",
        found.recoverable, protection.id, protection.application, found.target_site,
        found.reason or "nothing is in the way",
    )  # fmt: skip
