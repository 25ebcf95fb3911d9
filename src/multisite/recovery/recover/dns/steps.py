"""Changing records as steps, once the application runs: what a name has is kept durably before it is changed.

So a ``kill -9`` between the change and its note is harmless: the same update again finds itself done, and an undo knows
what there was before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from multisite.clouds import resources
from multisite.clouds.errors import Cancelled
from multisite.domain.errors import MultisiteError
from multisite.jobs.model import Made, Step, StepContext, StepFailed
from multisite.recovery.dns.model import DnsChanged, DnsDriver, DnsUnknown, RecordSet, address_of, changed
from multisite.recovery.recover.dns.look import driver_of
from multisite.recovery.recover.dns.plan import VERSIONS
from multisite.recovery.recover.model import PlannedRecord
from multisite.recovery.recover.steps import MadePort, Steps

RECORDS, RECORDS_AT_ONCE = "recovery-dns", 8
"""The limit they share."""
POLL_SECONDS = 1.0
T = TypeVar("T")


@dataclass(frozen=True)
class Before:
    """``old``: what the name had; None: that could not be told, and the plan goes on without the record (``said``)."""

    old: RecordSet | None
    new: RecordSet
    said: str = ""


@dataclass(frozen=True)
class Changed:
    """``ok`` False: it was not, and the plan goes on."""

    ok: bool
    said: str


def record_steps(steps: Steps, last: str) -> list[Step]:
    """Of all records of the plan, each once the step ``last`` is done."""
    return [step for planned in steps.plan.dns for step in _Record(steps, planned).steps(last)]


class _Record:
    def __init__(self, work: Steps, planned: PlannedRecord) -> None:
        self._work, self._planned, self._record = work, planned, planned.record
        self._subject = f"DNS record {planned.record}"
        self._before = f"{planned.step}-before"

    def steps(self, last: str) -> list[Step]:
        name = self._planned.step
        if self._record.driver == "none":
            return [Step(name, f"Tell what to set {self._subject} to", self._tell, needs=(last,))]
        title = f"Read {self._subject}"
        return [
            Step(self._before, title, self._look, needs=(last,), limit=RECORDS),
            Step(
                name, f"Update {self._subject}", self._update, self._put_back, (self._before,), RECORDS, result=Changed
            ),
        ]  # fmt: skip

    def _tell(self, ctx: StepContext) -> Changed:
        said = f"{self._subject}: set it by hand to {self._new(ctx)}, TTL {self._record.ttl} s"
        ctx.event(said)
        return Changed(True, said)

    def _look(self, ctx: StepContext) -> Before:
        new = self._new(ctx)
        try:
            old = self._patiently(ctx, lambda: self._read(ctx))
            expected = self._planned.expected
            if expected is not None and old.values not in (expected.values, new.values):
                raise changed(self._record.name, self._record.type, old, expected)
        except (StepFailed, MultisiteError) as error:
            self._failed(ctx, error, self._planned.expected, new)
            return Before(None, new, str(error))
        return Before(old, new)

    def _update(self, ctx: StepContext) -> Changed:
        before = ctx.result_of(self._before, Before)
        if (old := before.old) is None:
            return Changed(False, before.said)
        try:
            self._patiently(ctx, lambda: self._replace(ctx, old, before.new))
        except (StepFailed, MultisiteError) as error:
            self._failed(ctx, error, old, before.new)
            return Changed(False, str(error))
        said = f"{self._subject}: {old} -> {before.new}"
        ctx.event(said)
        return Changed(True, said)

    def _put_back(self, ctx: StepContext, _result: Changed | None) -> None:
        """Whatever came of the update: the server changes it only if it has what this recovery has set."""
        before = ctx.result_of(self._before, Before)
        if (old := before.old) is None or old == before.new:
            return
        try:
            self._patiently(ctx, lambda: self._replace(ctx, before.new, old), undoing=True)
        except DnsChanged as error:
            ctx.event(
                f"{self._subject} is not put back to {old}, for it is not this recovery's any more: {error}"
            )
        except (StepFailed, MultisiteError) as error:
            if self._record.on_failure == "pause":
                raise
            ctx.event(f"{self._subject} is not put back to {old}, do it by hand: {error}")
        else:
            ctx.event(f"{self._subject}: {before.new} -> {old}, as it was")

    def _failed(self, ctx: StepContext, error: Exception, old: RecordSet | None, new: RecordSet) -> None:
        """Raises, unless the plan lets the recovery go on."""
        if isinstance(error, Cancelled):
            raise error
        if self._record.on_failure == "continue":
            ctx.event(f"{self._subject} is not {new}, set it by hand; the plan goes on: {error}")
            return
        if isinstance(error, DnsChanged):
            back = f", or back to {old}" if old is not None else ""
            raise StepFailed(f"{error}: set it by hand to {new}{back}, then resume") from error
        raise StepFailed(
            f"{self._subject}: {error}; then resume, or set it by hand to {new} and resume"
        ) from error

    def _patiently(self, ctx: StepContext, act: Callable[[], T], *, undoing: bool = False) -> T:
        """Until it is known; raises what it raises else, StepFailed when the time is over, Cancelled."""
        end = time.monotonic() + self._record.timeout
        while True:
            try:
                return act()
            except DnsUnknown as error:
                ctx.progress(0, 1, "records", str(error))
                if not undoing and ctx.cancelled():
                    raise Cancelled("", self._subject, "stopped waiting, on request") from error
                if (left := end - time.monotonic()) <= 0:
                    waited = f"not known after {self._record.timeout:.0f} s"
                    raise StepFailed(f"{waited}: {error}") from error
            time.sleep(min(POLL_SECONDS, left))

    def _driver(self, ctx: StepContext) -> DnsDriver:
        return driver_of(self._record, ctx.project_id, self._work.outside, lambda: self._work.site(ctx))

    def _read(self, ctx: StepContext) -> RecordSet:
        driver = self._driver(ctx)
        return driver.read(self._record.name, self._record.type)

    def _replace(self, ctx: StepContext, old: RecordSet, new: RecordSet) -> None:
        """Until the authority itself says so."""
        driver = self._driver(ctx)
        driver.replace(self._record.name, self._record.type, old, new)
        found = self._read(ctx)
        if found.values != new.values or not found.settled:
            raise DnsUnknown(f"{self._subject}: the update was taken, and it still has {found}")

    def _new(self, ctx: StepContext) -> RecordSet:
        found = {self._address(ctx, port) for port in self._planned.ports}
        return RecordSet(tuple(sorted(found)), self._record.ttl)

    def _address(self, ctx: StepContext, port_id: str) -> str:
        if self._record.floating:
            (floating,) = (f for f in self._work.plan.floating_ips if f.record.port_id == port_id)
            made = ctx.result_of(floating.step, Made).id
            row = resources.read(self._work.site(ctx), "floating_ip", made)
            return address_of(str(row["floating_ip_address"]))[1]
        port = ctx.result_of(self._work.ports[port_id].step, MadePort)
        known = map(address_of, port.addresses)
        its = next((text for version, text in known if version == VERSIONS[self._record.type]), None)
        if its is None:
            raise StepFailed(
                f"{self._subject}: port {port.id} has no {self._record.type} address: give it one and resume, or undo "
                "and correct the record in the recovery plan"
            )
        return its
