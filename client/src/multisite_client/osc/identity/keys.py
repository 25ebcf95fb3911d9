"""``openstack multisite identity keys ...``: the commands of ``multisite keys`` (but `run` and `pass`, the daemon's).

They work on the key service's folder and on the sites, so they are given where that service lives; no cloud is asked.
"""

from __future__ import annotations

import argparse
from typing import ClassVar

from osc_lib import exceptions

from multisite_client.osc.base import Command
from multisite_client.osc.service_package import AnyArguments, has_service_package, needs_service_package


class _Keys(Command):
    auth_required = False
    verb: ClassVar[str]

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        if not has_service_package():
            return AnyArguments(prog=prog_name, parents=[parser], add_help=False)
        from multisite.command import arguments
        from multisite.command.keys import verbs

        arguments.config_file(parser)
        verbs.VERBS[self.verb].add_arguments(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        needs_service_package()
        from multisite.command import arguments
        from multisite.command.keys import dispatch

        try:
            self.exit_status = dispatch.run(self.verb, parsed_args)
        except arguments.ConfigurationWrong as error:
            raise exceptions.CommandError(f"configuration: {error}") from error


def _command(verb: str, doc: str) -> type[_Keys]:
    return type(verb.capitalize(), (_Keys,), {"__module__": __name__, "__doc__": doc, "verb": verb})


Status = _command(
    "status",
    "Show the last known state of the sites' keys, fingerprints only; exit status 0 fine, 1 warning, 2 critical",
)
Check = _command(
    "check", "Read the keys of all sites now and change nothing; exit status as `identity keys status`"
)
Adopt = _command(
    "adopt", "Take over the keys the sites have, once; refused while sites differ or are unreachable"
)
Rotate = _command(
    "rotate",
    "Promote the staged key as soon as every site has confirmed it; otherwise waits and reports the reason",
)
Hold = _command("hold", "Suspend rotations until released; sites are still kept in sync")
Release = _command("release", "Resume rotations that were suspended")
Exclude = _command(
    "exclude",
    "Rotate without an unreachable site; shows from when its tokens are refused, and asks for confirmation",
)
Include = _command("include", "Include an excluded site in rotations again")
Repair = _command(
    "repair", "Overwrite keys at a site that Multisite did not make; shows them, and asks for confirmation"
)
Migrated = _command("migrated", "Confirm that all stored credentials are encrypted with the primary key")
Replace = _command(
    "replace",
    "Replace compromised keys everywhere and at once; shows what is replaced, and asks for confirmation",
)
