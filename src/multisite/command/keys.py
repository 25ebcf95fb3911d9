"""``multisite keys ...``: the daemon, and what an operator asks of it.  Needs its folder, no Keystone, no database."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from multisite.command import arguments as common
from multisite.domain.errors import Conflict

if TYPE_CHECKING:
    from multisite.identity.keys.service import KeyService
    from multisite.identity.keys.state import State

_KINDS = {"tokens": "fernet_tokens", "receipts": "fernet_receipts", "credential": "credential", "jws": "jws"}


@dataclass(frozen=True)
class Verb:
    """A command on the keys.  ``run`` gets the arguments and returns the exit status; ``arguments`` adds its own."""

    name: str
    help: str
    run: Callable[[argparse.Namespace], int]
    arguments: Callable[[argparse.ArgumentParser], None]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the group to the program ``multisite``."""
    group = common.command(commands, "keys", "the sites' token keys: distribute, rotate, replace")
    found = group.add_subparsers(required=True, metavar="<action>")
    for verb in VERBS.values():
        verb.arguments(common.command(found, verb.name, verb.help, verb.run))


def _adopt_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from", dest="source", default="", metavar="<site>", help="take over this site's keys"
    )
    parser.add_argument("--create", action="store_true", help="no site has keys yet: make the first ones")
    _shown(parser)


def _rotate_arguments(parser: argparse.ArgumentParser) -> None:
    _kinds(parser)
    _shown(parser)


def _hold_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("reason", metavar="<reason>", help="why, shown by status")


def _site(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("site", metavar="<site>")


def _exclude_arguments(parser: argparse.ArgumentParser) -> None:
    _site(parser)
    _sure(parser, "exclude", "<site>", "after reading what it means")


def _repair_arguments(parser: argparse.ArgumentParser) -> None:
    _site(parser)
    _sure(parser, "repair", "<site>", "tokens made with those keys are refused")


def _replace_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--compromised", action="store_true", required=True, help="confirm that the keys are compromised"
    )
    parser.add_argument(
        "--site", action="append", default=[], metavar="<site>", help="JWS: whose pair (repeatable)"
    )
    _kinds(parser)
    _sure(parser, "replace", "<topology>", "all users have to log in again")
    _shown(parser)


def _nothing(_parser: argparse.ArgumentParser) -> None:
    """It has no arguments of its own."""


def _kinds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--kind",
        action="append",
        choices=tuple(_KINDS),
        help="repeatable; default: tokens and receipts, or jws",
    )


def _sure(parser: argparse.ArgumentParser, verb: str, what: str, why: str) -> None:
    parser.add_argument(f"--yes-{verb}", default="", metavar=what, dest="sure", help=f"do it; {why}")


def _shown(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--format", choices=("table", "json"), default="table")


def _service(arguments: argparse.Namespace) -> KeyService:
    from multisite.command.keys_options import service

    return service(arguments)


def _run(arguments: argparse.Namespace) -> int:
    import shlex

    from multisite.command import log
    from multisite.identity.keys import daemon

    conf = common.configuration(arguments)
    log.set_up(conf.log_level, conf.log_file, conf.log_format)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    hook = shlex.split(conf.identity_keys.alarm_hook or "")
    daemon.run(_service(arguments), stop, conf.identity_keys.interval, hook)
    return 0


def _status(arguments: argparse.Namespace) -> int:
    service = _service(arguments)
    return _show(arguments, service, service.journal.load())


def _check(arguments: argparse.Namespace) -> int:
    from multisite.identity.keys.check import checked

    service = _service(arguments)
    return _show(arguments, service, checked(service, service.journal.load()))


def _pass(arguments: argparse.Namespace) -> int:
    service = _service(arguments)
    return _show(arguments, service, service.tick())


def _adopt(arguments: argparse.Namespace) -> int:
    from multisite.identity.keys import orders

    service = _service(arguments)
    return _show(arguments, service, orders.adopt(service, source=arguments.source, create=arguments.create))


def _rotate(arguments: argparse.Namespace) -> int:
    from multisite.identity.keys import orders

    service = _service(arguments)
    return _show(arguments, service, orders.rotate(service, _chosen(arguments, service)))


def _hold(arguments: argparse.Namespace) -> int:
    from multisite.identity.keys import orders

    return _said(orders.hold(_service(arguments), arguments.reason))


def _release(arguments: argparse.Namespace) -> int:
    from multisite.identity.keys import orders

    return _said(orders.release(_service(arguments)))


def _exclude(arguments: argparse.Namespace) -> int:
    from multisite.identity.keys import alarms, orders

    service, site = _service(arguments), arguments.site
    orders.known(service, site)
    state = service.journal.load()
    lines = alarms.consequences(state, site, service.topology.tokens, service.now())
    lines.append(
        "While rotations are held instead, nothing of this happens; the primary keys only get older."
    )
    _preview(lines, arguments.sure, site, f"--yes-exclude {site}")
    return _said(orders.exclude(service, site))


def _include(arguments: argparse.Namespace) -> int:
    from multisite.identity.keys import orders

    return _said(orders.include(_service(arguments), arguments.site))


def _repair(arguments: argparse.Namespace) -> int:
    from multisite.identity.keys import alarms, orders

    service, site = _service(arguments), arguments.site
    orders.known(service, site)
    found = alarms.alarms(service.journal.load(), service.names, service.topology.tokens, service.now())
    lines = [a.text for a in found if a.code == "foreign-key" and a.site == site]
    _preview(
        lines or [f"site {site} was not seen to hold foreign keys"],
        arguments.sure,
        site,
        f"--yes-repair {site}",
    )
    return _said(orders.repair(service, site))


def _migrated(arguments: argparse.Namespace) -> int:
    from multisite.identity.keys import orders

    return _said(orders.migrated(_service(arguments)))


def _replace(arguments: argparse.Namespace) -> int:
    from multisite.identity.keys import orders

    service = _service(arguments)
    kinds, name = _chosen(arguments, service), service.topology.name
    _preview(
        orders.replace_preview(service, kinds, arguments.site), arguments.sure, name, f"--yes-replace {name}"
    )
    return _show(arguments, service, orders.replace_compromised(service, kinds, arguments.site))


def _chosen(arguments: argparse.Namespace, service: KeyService) -> list[str]:
    if arguments.kind:
        return [_KINDS[kind] for kind in arguments.kind]
    default = [str(k) for k in service.kinds if k != "credential"]
    return [*default, "jws"] if service.jws else default


def _preview(lines: list[str], given: str, wanted: str, how: str) -> None:
    """Show what it means; raise Conflict unless the operator has named the thing."""
    for line in lines:
        common.say(line)
    if given != wanted:
        raise Conflict(f"nothing was done; to do it, repeat the command with {how}")


def _said(state: State) -> int:
    sys.stdout.write(f"{state.events[-1].text}\n")
    return 0


def _show(arguments: argparse.Namespace, service: KeyService, state: State) -> int:
    from multisite.identity.keys import tell
    from multisite.identity.keys.alarms import Level

    stale = 3 * common.configuration(arguments).identity_keys.interval + service.settings.site_seconds
    found = tell.document(service.topology, service.names, state, time.time(), stale)
    if arguments.format == "json":
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
    else:
        _print(found)
    return int(Level[found["level"]])


def _print(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    # Not a terminal: whole lines, for those who search in them.
    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)
    columns = {
        "sites": ("site", "reachable", "counts", "in_step", "staged_confirmed", "since", "why"),
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
    console.print(
        f"{found['level']}; seen at {found['seen_at']}" + os.linesep
        if found["alarms"]
        else f"OK; seen at {found['seen_at']}"
    )


VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb("run", "keep all sites in step and rotate on schedule, until stopped", _run, _nothing),
        Verb("status", "what is remembered; exit 1 warning, 2 critical", _status, _shown),
        Verb("check", "look at all sites now, change nothing; exits as status", _check, _shown),
        Verb("pass", "one pass of the daemon, now", _pass, _shown),
        Verb("adopt", "take over the keys the sites have, once", _adopt, _adopt_arguments),
        Verb("rotate", "rotate as soon as every site has the staged key", _rotate, _rotate_arguments),
        Verb("hold", "promote no key until released", _hold, _hold_arguments),
        Verb("release", "end a hold", _release, _nothing),
        Verb("exclude", "let rotations go on without a site", _exclude, _exclude_arguments),
        Verb("include", "let a site count again", _include, _site),
        Verb("repair", "overwrite keys that somebody else made at a site", _repair, _repair_arguments),
        Verb("migrated", "say that all credentials are encrypted with the primary key", _migrated, _nothing),
        Verb("replace", "replace compromised keys everywhere, at once", _replace, _replace_arguments),
    )
}
"""Both doors, ``multisite keys`` and ``openstack multisite identity keys``, have the same commands."""
