"""``openstack multisite application ...``."""

from __future__ import annotations

import argparse
from typing import Any

from osc_lib.exceptions import CommandError

from multisite_client.osc import old_copy, refs
from multisite_client.osc.base import Row, ShowOne, lines
from multisite_client.osc.noun import DeleteNoun, ListNoun, Noun, ShowNoun, command


def _member(member: dict[str, Any]) -> str:
    told = [*([member["role"]] if member["role"] != "active" else []),
            *([] if member["quiesce"] else ["never quiesced"])]  # fmt: skip
    more = f" ({', '.join(told)})" if told else ""
    return f"{member['order']}. {member['server_name']} {member['server_id']}{more}"


def _names(members: list[dict[str, Any]]) -> str:
    return ", ".join(member["server_name"] for member in members)


APPLICATION = Noun(
    "application",
    "Application (name or id)",
    ("name", "id", "site", "members", "metadata_tag", "old_copy", "project_id", "created_at"),
    {"ID": "id", "Name": "name", "Site": "site", "Servers": "members", "Created at": "created_at"},
    {"members": lines(_member), "old_copy": old_copy.told},
    {"members": _names},
    hidden=("servers",),  # only said when creating
)


class Create(ShowOne):
    """Create an application (a VNF): an ordered group of servers of this project in one site"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="<name>", help="Name of the application")
        parser.add_argument("--site", metavar="<site>", required=True, help="Site its servers run in")
        parser.add_argument(
            "--server",
            action="append",
            metavar="<server>[,no-quiesce][,standby]",
            help="Server (repeatable, in boot order); with ',no-quiesce' it is never quiesced, with ',standby' it "
            "stands by for an active one (see protection create --standby-only)",
        )
        parser.add_argument(
            "--metadata-tag", metavar="<key>=<value>", help="Servers with this metadata, instead of --server"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        if bool(parsed_args.server) == bool(parsed_args.metadata_tag):
            raise CommandError("name the servers: either --server (repeatable) or --metadata-tag")
        what: dict[str, Any] = {"metadata_tag": parsed_args.metadata_tag}
        if parsed_args.server:
            what = {"servers": [_server(text) for text in parsed_args.server]}
        site = refs.site(self.client, parsed_args.site)
        return APPLICATION.row(self.client.create_application(name=parsed_args.name, site=site, **what))


List = command(ListNoun, APPLICATION, "List applications")
Show = command(ShowNoun, APPLICATION, "Show an application")
Delete = command(DeleteNoun, APPLICATION, "Delete an application; its servers and restore points are kept")


def _server(text: str) -> dict[str, Any]:
    server, *options = text.split(",")
    for option in options:
        if option not in ("no-quiesce", "standby"):
            raise CommandError(
                f"--server {text}: {option!r} is unknown; only 'no-quiesce' and 'standby' may follow a server"
            )
    role = {"role": "standby"} if "standby" in options else {}
    return {"id": server, "quiesce": "no-quiesce" not in options, **role}
