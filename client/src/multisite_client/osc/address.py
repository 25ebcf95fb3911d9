"""``openstack multisite address ...``: addresses that move between sites."""

from __future__ import annotations

import argparse
from typing import Any

from osc_lib.exceptions import CommandError

from multisite_client.osc import findings, progress, refs
from multisite_client.osc.base import Command, Lister, Row, ShowOne, Table, lines, shown, table

_ORDER = (
    "id", "name", "address", "state", "sentence", "active_site", "in_doubt", "epoch", "members", "probe", "history",
    "error", "job_id", "move_job_id", "requested_by", "created_at",
)  # fmt: skip


class Create(ShowOne):
    """Create an address that moves between sites: reserved in each, bound in the active one"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="<name>", help="Name of the address")
        parser.add_argument("--address", metavar="<address>", required=True, help="The external IP address")
        parser.add_argument(
            "--member",
            action="append",
            required=True,
            metavar="<site>=<port>[@<network>]",
            help="Port it is bound to in a site, and the external network if the site has several (repeatable)",
        )
        parser.add_argument(
            "--active", metavar="<site>", help="The site it is bound in first (default: the first member's)"
        )
        parser.add_argument(
            "--probe",
            metavar="<way>",
            default="icmp",
            help="How it is probed from outside: icmp, tcp:<port>, none",
        )
        return progress.add_options(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        members = [member(text) for text in parsed_args.member]
        started = self.client.create_address(
            name=parsed_args.name,
            address=parsed_args.address,
            members=members,
            active=parsed_args.active or members[0]["site"],
            probe=parsed_args.probe,
        )
        return _finish(self, started, parsed_args)


class List(Lister):
    """List moving addresses"""

    def take_action(self, _parsed_args: argparse.Namespace) -> Table:
        columns = {
            "ID": "id", "Name": "name", "Address": "address", "State": "state", "Active site": "active_site",
            "Epoch": "epoch", "In doubt": "in_doubt",
        }  # fmt: skip
        return table(self.client.addresses(), columns, {"in_doubt": ", ".join})


class Show(ShowOne):
    """Show a moving address: its state, and who moved it when and why"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_address(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        return _shown(self.client.get_address(refs.address(self.client, parsed_args.address)))


class Move(ShowOne):
    """Move an address to another site: release it there, bind it here, verify from outside

    Refused while the old site cannot be asked, unless you vouch with --fenced that nothing answers there any more.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_address(super().get_parser(prog_name))
        parser.add_argument("--to", metavar="<site>", required=True, help="Site to move it to")
        parser.add_argument(
            "--fenced",
            action="append",
            default=[],
            metavar="<site>",
            help="Confirm that this site is down or cut off; recorded with your name (repeatable)",
        )
        parser.add_argument(
            "--why", metavar="<text>", default="", help="Reason, recorded in the address's history"
        )
        return progress.add_options(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        id = refs.address(self.client, parsed_args.address)
        started = self.client.move_address(id, parsed_args.to, parsed_args.fenced, parsed_args.why)
        return _finish(self, started, parsed_args)


class Undo(ShowOne):
    """Undo the last move of an address"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return progress.add_options(_with_address(super().get_parser(prog_name)))

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        started = self.client.undo_address(refs.address(self.client, parsed_args.address))
        return _finish(self, started, parsed_args, "undone")


class Check(ShowOne):
    """Check where an address is bound, and probe it from outside; exit status 1 when it differs, 2 when unknown

    A site that came back with an old binding is made to let go.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_address(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        found = self.client.check_address(refs.address(self.client, parsed_args.address))
        wanted = {"one holder": True, "unknown": None}
        self.exit_status = findings.exit_status(wanted.get(found["verdict"], False))
        order = ("verdict", "sentence", "answers", "findings", "stale", "released")
        return shown(found, order, {"findings": findings.as_lines, "stale": ", ".join, "released": ", ".join})


class Delete(Command):
    """Release an address in every site and delete it"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return progress.add_options(_with_address(super().get_parser(prog_name)))

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        job_id = self.client.delete_address(refs.address(self.client, parsed_args.address))
        if job_id is not None and not parsed_args.no_wait:
            progress.follow(self, job_id, parsed_args)


def member(text: str) -> dict[str, Any]:
    """``<site>=<port>[@<network>]`` as the API wants it."""
    site, _, rest = text.partition("=")
    port, _, network = rest.partition("@")
    if not site or not port:
        raise CommandError(f"{text}: must be <site>=<port>, or <site>=<port>@<external network>")
    return {"site": site, "port": port, "network": network or None}


def _finish(command: Any, started: dict[str, Any], parsed: argparse.Namespace, wanted: str = "done") -> Row:
    if parsed.no_wait:
        return _shown(started["address"])
    progress.follow(command, started["job_id"], parsed, wanted)
    return _shown(command.client.get_address(started["address"]["id"]))


def _shown(address: Any) -> Row:
    formats = {"members": lines(_member), "history": lines(_line), "in_doubt": ", ".join}
    return shown(address, _ORDER, formats)


def _member(one: dict[str, Any]) -> str:
    epochs = f"bound at epoch {one['bound_epoch']}, let go at {one['released_epoch']}"
    return f"{one['site']}: port {one['port_id']}, {epochs}"


def _line(one: dict[str, Any]) -> str:
    return f"{one['epoch']}. {one['site']} {one['at']} by {one['by']}: {one['why']}"


def _with_address(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument(
        "address", metavar="<address>", help="Moving address (id, name, or the address itself)"
    )
    return parser
