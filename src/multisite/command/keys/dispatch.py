"""Finding the command that was given.  Only carrying it out imports the key service."""

from __future__ import annotations

import argparse
import functools

from multisite.command import arguments as common
from multisite.command.keys.verbs import VERBS


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the group to the program ``multisite``."""
    group = common.command(commands, "keys", "the sites' token keys: distribute, rotate, replace")
    found = group.add_subparsers(required=True, metavar="<action>")
    for name, verb in VERBS.items():
        verb.add_arguments(common.command(found, name, verb.help, functools.partial(run, name)))


def run(name: str, arguments: argparse.Namespace) -> int:
    """Carry out a verb; its exit status."""
    from multisite.command.keys.run import RUN

    return RUN[name](arguments)
