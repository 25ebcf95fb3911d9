"""Commands that work on files use the service's own code: distribution ``multisite``, which may not be installed here.

What they import of it they import inside functions, after ``needs_service_package``; every other command works without.
"""

from __future__ import annotations

import argparse
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from osc_lib.exceptions import CommandError

EXIT_MISSING = 2
"""Refused before anything was done."""


class ServicePackageMissing(CommandError):
    """The distribution ``multisite`` is not installed beside this one, or is of another version."""


def has_service_package() -> bool:
    """Whether the service's code can be imported (a folder that is only called so does not count)."""
    found = find_spec("multisite")
    return found is not None and found.origin is not None


def needs_service_package() -> None:
    """Raises ServicePackageMissing, with the command to paste."""
    mine = version("multisite-client")
    if not has_service_package():
        raise ServicePackageMissing(
            "this command works on files with the service's own code, which is missing here: pip install multisite"
        )
    try:
        theirs = version("multisite")
    except PackageNotFoundError:
        return  # run from its sources
    if theirs != mine:
        raise ServicePackageMissing(
            f"multisite {theirs} does not fit multisite-client {mine}: pip install multisite=={mine}"
        )


class AnyArguments(argparse.ArgumentParser):
    """For a command whose options the service's code defines while that is not there: takes all that is given."""

    def parse_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        return self.parse_known_args(args, namespace)[0]
