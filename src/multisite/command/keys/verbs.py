"""The commands on the keys: names, help and arguments."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

KINDS = {"tokens": "fernet_tokens", "receipts": "fernet_receipts", "credential": "credential", "jws": "jws"}

Argument = Callable[[argparse.ArgumentParser], object]


@dataclass(frozen=True)
class Verb:
    """``arguments``: each adds one to a parser."""

    help: str
    arguments: tuple[Argument, ...] = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        for add_to in self.arguments:
            add_to(parser)


def _argument(*names: str, **settings: Any) -> Argument:
    return lambda parser: parser.add_argument(*names, **settings)


def _confirmed(verb: str, what: str, why: str) -> Argument:
    return _argument(f"--yes-{verb}", default="", metavar=what, dest="confirmed", help=f"do it; {why}")


_FORMAT = _argument("-f", "--format", choices=("table", "json"), default="table")
_SITE = _argument("site", metavar="<site>")
_KIND = _argument(
    "--kind", action="append", choices=tuple(KINDS), help="repeatable; default: tokens and receipts, or jws"
)

VERBS = {
    "run": Verb("keep all sites in sync and rotate on schedule, until stopped"),
    "status": Verb("what is remembered; exit 1 warning, 2 critical", (_FORMAT,)),
    "check": Verb("read all sites now, change nothing; exits as status", (_FORMAT,)),
    "pass": Verb("one pass of the daemon, now", (_FORMAT,)),
    "adopt": Verb("take over the keys the sites have, once", (
        _argument("--from", dest="source", default="", metavar="<site>", help="take over this site's keys"),
        _argument("--create", action="store_true", help="no site has keys yet: make the first ones"), _FORMAT)),
    "rotate": Verb("rotate as soon as every site has the staged key", (_KIND, _FORMAT)),
    "hold": Verb("promote no key until released", (
        _argument("reason", metavar="<reason>", help="why, shown by status"),)),
    "release": Verb("end a hold"),
    "exclude": Verb("let rotations go on without a site", (
        _SITE, _confirmed("exclude", "<site>", "after reading what it means"))),
    "include": Verb("let a site count again", (_SITE,)),
    "repair": Verb("overwrite keys at a site that Multisite did not make", (
        _SITE, _confirmed("repair", "<site>", "tokens made with those keys are refused"))),
    "migrated": Verb("confirm that all credentials are encrypted with the primary key"),
    "replace": Verb("replace compromised keys everywhere, at once", (
        _argument("--compromised", action="store_true", required=True, help="confirm that the keys are compromised"),
        _argument("--site", action="append", default=[], metavar="<site>", help="JWS: whose pair (repeatable)"),
        _KIND, _confirmed("replace", "<topology>", "all users have to log in again"), _FORMAT)),
}  # fmt: skip
"""Of both ``multisite keys`` and ``openstack multisite identity keys``."""
