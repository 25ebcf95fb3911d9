"""``openstack multisite path ...``: L3 paths between members of two sites."""

from __future__ import annotations

import argparse
from typing import Any

from osc_lib.exceptions import CommandError

from multisite_client.osc import findings, progress
from multisite_client.osc.address import member
from multisite_client.osc.base import Row, ShowOne, lines, shown
from multisite_client.osc.noun import DeleteNoun, ListNoun, Noun, ShowNoun, command, finish


def _end(end: dict[str, Any]) -> str:
    return f"{end['site']}: {end['address'] or 'no address yet'} -> port {end['port_id']}"


PATH = Noun(
    "path",
    "L3 path (id or name)",
    (
        "id", "name", "state", "sentence", "lets_in", "ends", "measure", "error", "job_id", "requested_by",
        "created_at",
    ),
    {"ID": "id", "Name": "name", "State": "state", "Lets in": "lets_in", "Ends": "ends"},
    {"ends": lines(_end), "measure": lines(str)},
    {"ends": lambda ends: ", ".join(end["site"] for end in ends)},
)  # fmt: skip


class Create(ShowOne):
    """Create a path between members of two sites over floating IPs, with security group rules for the peer only"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="<name>", help="Name of the path")
        parser.add_argument(
            "--end",
            action="append",
            required=True,
            metavar="<site>=<port>[@<network>]",
            help="Port of the member in a site (twice)",
        )
        parser.add_argument(
            "--allow",
            metavar="<protocol>[:<port>]",
            required=True,
            help="udp:<port>, tcp:<port>, sctp:<port>, icmp",
        )
        return progress.add_options(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        protocol, _, number = parsed_args.allow.partition(":")
        if number and not number.isdecimal():
            raise CommandError(f"--allow {parsed_args.allow}: the port must be a number")
        started = self.client.create_path(
            name=parsed_args.name,
            ends=[member(text) for text in parsed_args.end],
            protocol=protocol,
            port=int(number) if number else None,
        )
        return finish(self, PATH, started, parsed_args)


List = command(ListNoun, PATH, "List L3 paths")
Show = command(ShowNoun, PATH, "Show an L3 path, and how to measure it from its ends")


class Check(ShowNoun):
    """Check an L3 path for drift on both sides; exit status 1 when there is, 2 when it is unknown"""

    noun = PATH

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        found = self.client.check_path(self.id(parsed_args))
        self.exit_status = findings.exit_status(found["in_sync"])
        return shown(found, ("in_sync", "findings"), {"findings": findings.as_lines})


Delete = command(DeleteNoun, PATH, "Remove an L3 path from both sites", waits=True, wanted="undone")
