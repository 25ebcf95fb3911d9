"""``openstack multisite site ...``."""

from __future__ import annotations

import argparse
from typing import Any

from multisite_client.osc import refs
from multisite_client.osc.base import Row, ShowOne, lines, shown
from multisite_client.osc.findings import exit_status
from multisite_client.osc.noun import DeleteNoun, ListNoun, Noun, ShowNoun, command

SITE = Noun(
    "site",
    "Site (name or id)",
    ("name", "cloud", "region", "auth_url", "description", "created_at", "id"),
    {"Name": "name", "Cloud": "cloud", "Region": "region", "Description": "description"},
    find=refs.site,
)


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
        return SITE.row(self.client.register_site(parsed_args.name, cloud, parsed_args.description))


List = command(ListNoun, SITE, "List sites")
Show = command(ShowNoun, SITE, "Show a site")


class Check(ShowNoun):
    """Check what a site can do; exit status 1 when it cannot be reached"""

    noun = SITE

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        found = self.client.check_site(self.id(parsed_args))
        self.exit_status = exit_status(found["reachable"])
        order = ("site", "reachable", "seconds", "error", "capabilities", "checked_at")
        return shown(found, order, {"capabilities": lines(_capability)})


class Unregister(DeleteNoun):
    """Unregister a site; refused while it has applications"""

    noun = SITE

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        self.client.unregister_site(self.id(parsed_args))


def _capability(item: dict[str, Any]) -> str:
    parts = [f"{item['present']:<8}", item["name"], item.get("version") or "", item.get("detail") or ""]
    return " ".join(part for part in parts if part)
