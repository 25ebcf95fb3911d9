"""Carrying out the commands on the keys: each gets the arguments and returns the exit status."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from multisite.command import arguments as common
from multisite.command import log, memory
from multisite.command.keys.service import program, service
from multisite.command.keys.verbs import KINDS
from multisite.domain.errors import Conflict
from multisite.identity.keys import actions, alarms, daemon, status
from multisite.identity.keys.service import KeyService
from multisite.identity.keys.state import State


def _run(arguments: argparse.Namespace) -> int:
    conf = common.configuration(arguments)
    log.set_up(conf.log_level, conf.log_file, conf.log_format)
    memory.protect(allow_core_dumps=conf.allow_core_dumps)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    hook = program("alarm_hook", conf.identity_keys.alarm_hook)
    daemon.run(service(arguments), stop, conf.identity_keys.interval, hook)
    return 0


def _exclude(arguments: argparse.Namespace) -> int:
    keys, site = service(arguments), arguments.site
    actions.known(keys, site)
    lines = alarms.consequences(keys.journal.load(), site, keys.topology.tokens, keys.now())
    lines.append(
        "While rotations are held instead, nothing of this happens; the primary keys only get older."
    )
    _confirm(arguments, "exclude", site, lines)
    return _done(actions.exclude(keys, site))


def _repair(arguments: argparse.Namespace) -> int:
    keys, site = service(arguments), arguments.site
    actions.known(keys, site)
    found = alarms.alarms(keys.journal.load(), keys.names, keys.topology.tokens, keys.now())
    lines = [a.text for a in found if a.code == "foreign-key" and a.site == site]
    _confirm(arguments, "repair", site, lines or [f"site {site} was not seen to hold foreign keys"])
    return _done(actions.repair(keys, site))


def _replace(arguments: argparse.Namespace) -> int:
    keys = service(arguments)
    kinds = _chosen(arguments, keys)
    lines = actions.replace_preview(keys, kinds, arguments.site)
    _confirm(arguments, "replace", keys.topology.name, lines)
    return _show(arguments, keys, actions.replace_compromised(keys, kinds, arguments.site))


def _shown(act: Callable[[KeyService, argparse.Namespace], State]) -> Callable[[argparse.Namespace], int]:
    """Ends with the status of all sites."""

    def run(arguments: argparse.Namespace) -> int:
        keys = service(arguments)
        return _show(arguments, keys, act(keys, arguments))

    return run


def _chosen(arguments: argparse.Namespace, keys: KeyService) -> list[str]:
    if arguments.kind:
        return [KINDS[kind] for kind in arguments.kind]
    default = [str(k) for k in keys.kinds if k != "credential"]
    return [*default, "jws"] if keys.jws else default


def _confirm(arguments: argparse.Namespace, verb: str, wanted: str, lines: list[str]) -> None:
    """Show what it means; raise Conflict unless the operator has named the thing."""
    for line in lines:
        common.say(line)
    if arguments.confirmed != wanted:
        raise Conflict(f"nothing was done; to do it, repeat the command with --yes-{verb} {wanted}")


def _done(state: State) -> int:
    sys.stdout.write(f"{state.events[-1].text}\n")
    return 0


def _show(arguments: argparse.Namespace, keys: KeyService, state: State) -> int:
    stale = 3 * common.configuration(arguments).identity_keys.interval + keys.settings.site_seconds
    found = status.document(keys.topology, keys.names, state, time.time(), stale)
    if arguments.format == "json":
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
    else:
        _print(found)
    return int(alarms.Level[found["level"]])


def _print(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    # Not a terminal: whole lines, for those who search in them.
    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)
    columns = {
        "sites": ("site", "reachable", "counts", "in_sync", "staged_confirmed", "since", "why"),
        "repositories": (
            "kind", "phase", "primary", "primary_since", "staged", "keys", "max_active_keys", "next_rotation",
        ),
        "jws": ("site", "signs_with", "since", "waiting", "next_rotation"),
    }  # fmt: skip
    for name, fields in columns.items():
        if not found[name]:
            continue
        table = Table(*(field.replace("_", " ") for field in fields))
        for row in found[name]:
            table.add_row(*("" if row[field] is None else str(row[field]) for field in fields))
        console.print(table)
    if found["emergency"]:
        console.print(f"replacement of compromised keys: {json.dumps(found['emergency'])}")
    for alarm in found["alarms"]:
        console.print(f"{alarm['level']}: {alarm['code']}: {alarm['text']}")
    console.print(f"{found['level']}; seen at {found['seen_at']}")


RUN: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "status": _shown(lambda keys, _: keys.journal.load()),
    "check": _shown(lambda keys, _: keys.check()),
    "pass": _shown(lambda keys, _: keys.tick()),
    "adopt": _shown(lambda keys, given: actions.adopt(keys, source=given.source, create=given.create)),
    "rotate": _shown(lambda keys, given: actions.rotate(keys, _chosen(given, keys))),
    "hold": lambda given: _done(actions.hold(service(given), given.reason)),
    "release": lambda given: _done(actions.release(service(given))),
    "exclude": _exclude,
    "include": lambda given: _done(actions.include(service(given), given.site)),
    "repair": _repair,
    "migrated": lambda given: _done(actions.migrated(service(given))),
    "replace": _replace,
}
"""By the verb's name."""
