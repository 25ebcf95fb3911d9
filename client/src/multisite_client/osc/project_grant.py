"""``openstack multisite project grant ...``."""

from __future__ import annotations

import argparse

from multisite_client.osc.base import Row, ShowOne
from multisite_client.osc.noun import DeleteNoun, ListNoun, Noun, ShowNoun, command

_DEFAULT = "Do everything there that chooses no other project"

GRANT = Noun(
    "project_grant",
    "Grant (id)",
    (
        "project_id", "site", "site_project_id", "site_project_name", "is_default", "granted_by", "created_at", "id",
    ),
    {
        "Project": "project_id",
        "Site": "site",
        "There": "site_project_id",
        "Name there": "site_project_name",
        "Default": "is_default",
        "ID": "id",
    },
    find=lambda _client, ref: ref,
)  # fmt: skip


class Create(ShowOne):
    """Say which project of a site is for a project; the service's account needs a role there

    The first one of a project in a site is the default. Recoveries choose others by --map project:.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "project", metavar="<project>", help="Id of the project in the service's Keystone"
        )
        parser.add_argument("site", metavar="<site>", help="Name of the site")
        parser.add_argument(
            "site_project",
            metavar="<project-in-site>",
            help="Id of the project that is for it in the site",
        )
        parser.add_argument("--default", action="store_true", help=_DEFAULT)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        wanted = (parsed_args.project, parsed_args.site, parsed_args.site_project)
        return GRANT.row(self.client.create_project_grant(*wanted, is_default=parsed_args.default))


List = command(ListNoun, GRANT, "List which projects of a site are for which")
Show = command(ShowNoun, GRANT, "Show a grant")


class Set(ShowNoun):
    """Make a grant the default of its project in its site"""

    noun = GRANT

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--default", action="store_true", required=True, help=_DEFAULT)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        return GRANT.row(self.client.set_default_project_grant(self.id(parsed_args)))


class Delete(DeleteNoun):
    """Take a grant back; nothing more is done there for the project"""

    noun = GRANT

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        found = GRANT.get(self.client, self.id(parsed_args))
        super().take_action(parsed_args)
        default = ", the default there" if found["is_default"] else ""
        self.app.stdout.write(
            f"Project {found['project_id']} does not have project {found['site_project_name']} "
            f"({found['site_project_id']}) of site {found['site']} any more{default}\n"
        )
