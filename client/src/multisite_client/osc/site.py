"""``openstack multisite site ...``."""

from __future__ import annotations

import argparse
from typing import Any

from multisite_client.osc import refs
from multisite_client.osc.base import Command, Lister, Row, ShowOne, Table, lines, shown, table
from multisite_client.osc.findings import exit_status

_ORDER = ("name", "cloud", "region", "auth_url", "description", "created_at", "id")


class Register(ShowOne):
    """Register a site (an OpenStack cloud or region) by its entry in the service's clouds.yaml"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="<name>", help="Name of the site")
        parser.add_argument("--cloud", metavar="<entry>", help="Entry of clouds.yaml (default: the name)")
        parser.add_argument("--description", metavar="<text>", default="", help="Description of the site")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        cloud = parsed_args.cloud or parsed_args.name
        return shown(self.client.register_site(parsed_args.name, cloud, parsed_args.description), _ORDER)


class List(Lister):
    """List sites"""

    def take_action(self, _parsed_args: argparse.Namespace) -> Table:
        columns = {"Name": "name", "Cloud": "cloud", "Region": "region", "Description": "description"}
        return table(self.client.sites(), columns)


class Show(ShowOne):
    """Show a site"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_site(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        return shown(self.client.get_site(refs.site(self.client, parsed_args.site)), _ORDER)


class Check(ShowOne):
    """Check what a site can do; exit status 1 when it cannot be reached"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_site(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        found = self.client.check_site(refs.site(self.client, parsed_args.site))
        self.exit_status = exit_status(found["reachable"])
        order = ("site", "reachable", "seconds", "error", "capabilities", "checked_at")
        return shown(found, order, {"capabilities": lines(_capability)})


class Unregister(Command):
    """Unregister a site; refused while it has applications"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_site(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        self.client.unregister_site(refs.site(self.client, parsed_args.site))


def _with_site(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("site", metavar="<site>", help="Site (name or id)")
    return parser


def _capability(item: dict[str, Any]) -> str:
    parts = [f"{item['present']:<8}", item["name"], item.get("version") or "", item.get("detail") or ""]
    return " ".join(part for part in parts if part)
