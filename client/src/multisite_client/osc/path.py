"""``openstack multisite path ...``: L3 paths between members of two sites."""

from __future__ import annotations

import argparse
from typing import Any

from osc_lib.exceptions import CommandError

from multisite_client.osc import findings, progress, refs
from multisite_client.osc.address import member
from multisite_client.osc.base import Command, Lister, Row, ShowOne, Table, lines, shown, table

_ORDER = (
    "id", "name", "state", "sentence", "lets_in", "ends", "measure", "error", "job_id", "requested_by", "created_at",
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
        if not parsed_args.no_wait:
            progress.follow(self, started["job_id"], parsed_args)
            return _shown(self.client.get_path(started["path"]["id"]))
        return _shown(started["path"])


class List(Lister):
    """List L3 paths"""

    def take_action(self, _parsed_args: argparse.Namespace) -> Table:
        columns = {"ID": "id", "Name": "name", "State": "state", "Lets in": "lets_in", "Ends": "ends"}
        return table(self.client.paths(), columns, {"ends": lambda ends: ", ".join(e["site"] for e in ends)})


class Show(ShowOne):
    """Show an L3 path, and how to measure it from its ends"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_path(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        return _shown(self.client.get_path(refs.path(self.client, parsed_args.path)))


class Check(ShowOne):
    """Check an L3 path for drift on both sides; exit status 1 when there is, 2 when it is unknown"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_path(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        found = self.client.check_path(refs.path(self.client, parsed_args.path))
        self.exit_status = findings.exit_status(found["in_sync"])
        return shown(found, ("in_sync", "findings"), {"findings": findings.as_lines})


class Delete(Command):
    """Remove an L3 path from both sites"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return progress.add_options(_with_path(super().get_parser(prog_name)))

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        job_id = self.client.delete_path(refs.path(self.client, parsed_args.path))
        if job_id is not None and not parsed_args.no_wait:
            progress.follow(self, job_id, parsed_args, "undone")


def _shown(path: Any) -> Row:
    return shown(path, _ORDER, {"ends": lines(_end), "measure": lines(str)})


def _end(end: dict[str, Any]) -> str:
    return f"{end['site']}: {end['address'] or 'no address yet'} -> port {end['port_id']}"


def _with_path(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("path", metavar="<path>", help="L3 path (id or name)")
    return parser
