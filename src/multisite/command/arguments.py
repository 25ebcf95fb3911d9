"""What both programs share: ``--config-file`` in either place, one-line errors, exit statuses."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from oslo_config import cfg

from multisite.command import options
from multisite.domain.errors import MultisiteError

UMASK = 0o027
"""Of both programs: database, log and state hold user data of guests and are not for everybody on the host."""
EXIT_FAILED = 1
EXIT_CONFIGURATION = 78
"""``EX_CONFIG``: systemd's RestartPreventExitStatus knows it."""


class ConfigurationWrong(Exception):
    """The configuration cannot be used; the message says which option and why."""


def parser(program: str, description: str | None) -> argparse.ArgumentParser:
    """A parser whose commands are added with ``command``."""
    made = argparse.ArgumentParser(prog=program, description=description)
    config_file(made)
    return made


def command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    help: str,
    run: Callable[[argparse.Namespace], int] | None = None,
    aliases: Sequence[str] = (),
) -> argparse.ArgumentParser:
    """Add a command; ``run`` gets the arguments and returns the exit status."""
    made = commands.add_parser(name, help=help, description=help, aliases=aliases)
    config_file(made)
    if run is not None:
        made.set_defaults(run=run)
    return made


def config_file(parser: argparse.ArgumentParser) -> None:
    """Add ``--config-file``."""
    # SUPPRESS: a command's own default must not overwrite what was given in front of the command.
    parser.add_argument(
        "--config-file",
        action="append",
        default=argparse.SUPPRESS,
        metavar="<file>",
        help=f"configuration (repeatable; default {options.DEFAULT_FILE})",
    )


def configuration(arguments: argparse.Namespace) -> cfg.ConfigOpts:
    """The configuration the arguments name; ConfigurationWrong when it cannot be read."""
    try:
        return options.load(getattr(arguments, "config_file", ()))
    except cfg.Error as error:
        raise ConfigurationWrong(" ".join(str(error).split())) from error


def run(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> int:
    """Parse and carry out; errors an operator can act on become one line on standard error."""
    arguments = parser.parse_args(argv)
    os.umask(UMASK)
    try:
        status: int = arguments.run(arguments)
        return status
    except ConfigurationWrong as error:
        say(f"{parser.prog}: configuration: {error}")
        return EXIT_CONFIGURATION
    except MultisiteError as error:
        say(f"{parser.prog}: {error}")
        return EXIT_FAILED
    except BrokenPipeError:  # a reader like `head` that has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED


def say(line: str) -> None:
    """A line for the operator on standard error."""
    sys.stderr.write(line + "\n")
