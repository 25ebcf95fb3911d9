"""``openstack multisite address ...``: addresses that move between sites."""

from __future__ import annotations

import argparse
from typing import Any

from osc_lib.exceptions import CommandError

from multisite_client.osc import findings, progress, refs
from multisite_client.osc.base import Row, ShowOne, lines, shown
from multisite_client.osc.noun import DeleteNoun, ListNoun, Noun, ShowNoun, command, finish


def _member(one: dict[str, Any]) -> str:
    epochs = f"bound at epoch {one['bound_epoch']}, released at {one['released_epoch']}"
    return f"{one['site']}: port {one['port_id']}, {epochs}"


def _line(one: dict[str, Any]) -> str:
    return f"{one['epoch']}. {one['site']} {one['at']} by {one['by']}: {one['why']}"


ADDRESS = Noun(
    "address",
    "Moving address (id, name, or the address itself)",
    (
        "id", "name", "address", "state", "sentence", "active_site", "in_doubt", "epoch", "members", "probe",
        "history", "error", "job_id", "move_job_id", "requested_by", "created_at",
    ),
    {
        "ID": "id", "Name": "name", "Address": "address", "State": "state", "Active site": "active_site",
        "Epoch": "epoch", "In doubt": "in_doubt",
    },
    {"members": lines(_member), "history": lines(_line), "in_doubt": ", ".join},
    plural="addresses",
    find=refs.address,
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
        return finish(self, ADDRESS, started, parsed_args)


List = command(ListNoun, ADDRESS, "List moving addresses")
Show = command(ShowNoun, ADDRESS, "Show a moving address: its state, and who moved it when and why")


class Move(ShowNoun):
    """Move an address to another site: release it there, bind it here, verify from outside

    Refused while the old site cannot be asked, unless you confirm with --fenced that nothing answers there any more.
    """

    noun, waits = ADDRESS, True

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
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
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        to, fenced = parsed_args.to, parsed_args.fenced
        started = self.client.move_address(self.id(parsed_args), to, fenced, parsed_args.why)
        return finish(self, ADDRESS, started, parsed_args)


class Undo(ShowNoun):
    """Undo the last move of an address"""

    noun, waits = ADDRESS, True

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        return finish(self, ADDRESS, self.client.undo_address(self.id(parsed_args)), parsed_args, "undone")


class Check(ShowNoun):
    """Check where an address is bound, and probe it from outside; exit status 1 when it differs, 2 when unknown

    A site that came back with an old binding has to release it.
    """

    noun = ADDRESS

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        found = self.client.check_address(self.id(parsed_args))
        wanted = {"one holder": True, "unknown": None}
        self.exit_status = findings.exit_status(wanted.get(found["verdict"], False))
        order = ("verdict", "sentence", "answers", "findings", "stale", "released")
        return shown(found, order, {"findings": findings.as_lines, "stale": ", ".join, "released": ", ".join})


Delete = command(DeleteNoun, ADDRESS, "Release an address in every site and delete it", waits=True)


def member(text: str) -> dict[str, Any]:
    """``<site>=<port>[@<network>]`` as the API wants it."""
    site, _, rest = text.partition("=")
    port, _, network = rest.partition("@")
    if not site or not port:
        raise CommandError(f"{text}: must be <site>=<port>, or <site>=<port>@<external network>")
    return {"site": site, "port": port, "network": network or None}
