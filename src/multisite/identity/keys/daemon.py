"""The daemon: a pass at every interval, alarms when they come and go.  All it knows is in the journal."""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
from collections.abc import Sequence

from multisite.domain.errors import MultisiteError
from multisite.identity.keys.alarms import Alarm, Level, alarms, critical
from multisite.identity.keys.hook import run_program
from multisite.identity.keys.service import KeyService
from multisite.periodic.loop import Loop
from multisite.periodic.schedule import Interval
from multisite.periodic.task import Task

LOG = logging.getLogger(__name__)

PASS_SECONDS = 300.0
"""How long the end of a pass under way is waited for; one that is cut off goes on from the journal."""
_LEVELS = {Level.OK: logging.INFO, Level.WARNING: logging.WARNING, Level.CRITICAL: logging.ERROR}


def run(service: KeyService, stop: threading.Event, interval: float, hook: Sequence[str] = ()) -> None:
    """Passes until ``stop``; ``interval`` s between them.  Raises Conflict when another daemon runs.

    ``hook``: a program that gets every change of alarms as JSON: {"raised": [...], "cleared": [...]}.
    """
    known: dict[tuple[str, str, str], Alarm] = {}

    def keep() -> None:
        nonlocal known
        known = report_changes(known, one_pass(service), hook)

    with service.journal.only_daemon():
        LOG.info("keeping the keys of %s, every %g s", ", ".join(service.names), interval)
        # No database: keys are kept while every one is lost.
        loop = Loop([Task("identity-keys", Interval(interval), keep)])
        loop.start()
        stop.wait()
        loop.stop(PASS_SECONDS)


def one_pass(service: KeyService) -> list[Alarm]:
    """A pass and the alarms after it; what keeps the service from working is an alarm too."""
    try:
        state = service.tick()
    except MultisiteError as error:
        return [critical("no-pass", "", "", str(error))]
    except OSError as error:  # a full disk, most likely: nothing was promoted that is not in the journal
        return [critical("no-pass", "", "", f"{error.filename or 'state'}: {error.strerror}")]
    return alarms(state, service.names, service.topology.tokens, service.now())


def report_changes(
    known: dict[tuple[str, str, str], Alarm], found: Sequence[Alarm], hook: Sequence[str]
) -> dict[tuple[str, str, str], Alarm]:
    """Log and hand on what is new and what is over; an alarm that stays is reported once."""
    current = {alarm.identity: alarm for alarm in found}
    raised = [alarm for identity, alarm in current.items() if identity not in known]
    cleared = [alarm for identity, alarm in known.items() if identity not in current]
    for alarm in raised:
        LOG.log(_LEVELS[alarm.level], "%s: %s", alarm.code, alarm.text)
    for alarm in cleared:
        LOG.info("over: %s %s %s", alarm.code, alarm.site, alarm.kind)
    if hook and (raised or cleared):
        said = {"raised": _plain(raised), "cleared": _plain(cleared)}
        if failed := run_program(hook, json.dumps(said)):
            LOG.error("alarm hook: %s", failed)
    return current


def _plain(found: Sequence[Alarm]) -> list[dict[str, object]]:
    return [dataclasses.asdict(alarm) | {"level": alarm.level.name} for alarm in found]
