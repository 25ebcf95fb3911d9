"""The report of a drill: made once it is at rest, signed, and kept; JSON, and a page for people.

Each is a line with the signature, and what it is of (``signatures``): whoever has the public key of the installation
can see, without it, that no byte was changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import jinja2
from pydantic import TypeAdapter

from multisite.domain.drill import Drill, DrillReport, DrillResult
from multisite.domain.model import Recovery, RecoveryState
from multisite.jobs.model import Ended, JobState
from multisite.recovery.recover.job import RECOVERY_STATES
from multisite.recovery.signatures import ManifestKeys
from multisite.store.drills import DrillRepository
from multisite.store.recoveries import RecoveryRepository

PURPOSE = b"multisite.drill-report\0"
PAGE_BEGINS, PAGE_ENDS = b"<!-- multisite-signature ", b" -->"
_REPORT: TypeAdapter[DrillReport] = TypeAdapter(DrillReport)


def report_writer(
    recoveries: RecoveryRepository,
    drills: DrillRepository,
    keys: ManifestKeys,
    now: Callable[[], datetime],
) -> Callable[[str, Ended], None]:
    """What writes the report of a drill, by its id, when its job has come to rest."""

    def write(id: str, job: Ended) -> None:
        recovery = replace(recoveries.get(id), state=RECOVERY_STATES[job.state])

        def change(known: Drill) -> Drill:
            made = made_of(recovery, known, job, now())
            return replace(known, report=keys.seal(PURPOSE, _REPORT.dump_json(made)).decode())

        drills.change(id, change)

    return write


def made_of(recovery: Recovery, drill: Drill, job: Ended, at: datetime) -> DrillReport:
    """The report as things are now."""
    kept = drill.options.keep and recovery.state in (RecoveryState.DONE, RecoveryState.PAUSED)
    reasons = tuple(_reasons(recovery, drill, job, kept=kept))
    result = DrillResult.FAILED if reasons else DrillResult.PASSED
    return DrillReport(
        id=recovery.id,
        application=recovery.application,
        application_id=recovery.application_id,
        requested_by=recovery.requested_by,
        restore_point_id=recovery.restore_point_id,
        consistent_at=recovery.consistent_at,
        target_site=recovery.target_site,
        site_project_id=recovery.site_project_id,
        begun_at=recovery.created_at,
        made_at=at,
        result=result,
        reasons=reasons,
        kept=kept,
        state=recovery.state.value,
        rto_seconds=recovery.rto_seconds,
        rpo_seconds=recovery.rpo_seconds,
        options=drill.options,
        digests=drill.seen.digests,
        inventory=drill.inventory,
        steps=drill.seen.steps,
    )


def _reasons(recovery: Recovery, drill: Drill, job: Ended, *, kept: bool) -> Iterator[str]:
    """Why it has not passed."""
    options, seen = drill.options, drill.seen
    if seen.error:
        yield seen.error
    elif any(step.state != "done" for step in seen.steps) or not seen.steps:
        yield job.error or "not every step was carried out"
    if job.state is JobState.UNDO_FAILED:
        yield job.error or "not everything could be removed"
    for what, measured, target in (
        ("RTO", recovery.rto_seconds, options.rto_target), ("RPO", recovery.rpo_seconds, options.rpo_target)
    ):  # fmt: skip
        if target is not None and (measured is None or measured > target):
            said = "was not measured" if measured is None else f"is {measured:.0f} s"
            yield f"{what} {said}; the target is {target:.0f} s"
    if options.verify == "store":
        yield from (
            f"volume {d.volume or d.volume_id} was not compared: {d.unknown}"
            for d in seen.digests
            if d.unknown
        )
    if not kept and job.state is not JobState.UNDO_FAILED and not drill.inventory.equal:
        yield _difference(drill)


def _difference(drill: Drill) -> str:
    found = drill.inventory
    if found.left or found.gone:
        said = [f"{d.kind} {d.name or d.id} is left" for d in found.left]
        said += [f"{d.kind} {d.name or d.id} is gone" for d in found.gone]
        return f"the inventory differs: {', '.join(said[:20])}"
    return "the inventory is not known: " + (
        "; ".join(f"{c.kind}: {c.unknown}" for c in found.counts if c.unknown) or "it was not counted again"
    )


def read(sealed: str) -> DrillReport:
    """The report of a signed one that this installation keeps."""
    return _REPORT.validate_json(sealed.partition("\n")[2])


def page(sealed: str, keys: ManifestKeys) -> str:
    """The same for people: HTML without anything from elsewhere, signed in its first line."""
    report = read(sealed)
    html = _environment().get_template("report.html.j2").render(r=report, n=_numbers(report)).encode()
    return (PAGE_BEGINS + keys.sign(PURPOSE + html).strip() + PAGE_ENDS + b"\n" + html).decode()


def _numbers(report: DrillReport) -> dict[str, Any]:
    compared = [d for d in report.digests if not d.unknown]
    return {
        "blocks": sum(d.blocks for d in compared),
        "bytes": sum(d.blocks * d.block_bytes for d in compared),
        "compared": len(compared),
        "longest": max((s.seconds or 0.0 for s in report.steps), default=0.0),
    }


def _environment() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("multisite.recovery.recover.drills"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["seconds"] = seconds
    found.filters["moment"] = lambda at: at.strftime("%Y-%m-%d %H:%M:%S UTC") if at else "unknown"
    return found


def seconds(value: float | None) -> str:
    """As people say it: ``95 s``, ``12 min 5 s``, ``3 h 2 min``."""
    if value is None:
        return "not measured"
    if value < 120:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
