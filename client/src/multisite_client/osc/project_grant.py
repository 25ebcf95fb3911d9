"""``openstack multisite project grant ...``."""

from __future__ import annotations

import argparse

from multisite_client.osc.base import Row, ShowOne
from multisite_client.osc.noun import DeleteNoun, ListNoun, Noun, ShowNoun, command

GRANT = Noun(
    "project_grant",
    "Grant (id)",
    ("project_id", "site", "site_project_id", "site_project_name", "granted_by", "created_at", "id"),
    {
        "Project": "project_id",
        "Site": "site",
        "There": "site_project_id",
        "Name there": "site_project_name",
        "ID": "id",
    },
    find=lambda _client, ref: ref,
)


class Create(ShowOne):
    """Say which project of a site stands for a project; the service's account needs a role there"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "project", metavar="<project>", help="Id of the project in the service's Keystone"
        )
        parser.add_argument("site", metavar="<site>", help="Name of the site")
        parser.add_argument(
            "site_project",
            metavar="<project-in-site>",
            help="Id of the project that stands for it in the site",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        return GRANT.row(
            self.client.create_project_grant(parsed_args.project, parsed_args.site, parsed_args.site_project)
        )


List = command(ListNoun, GRANT, "List which project of a site stands for which")
Show = command(ShowNoun, GRANT, "Show a grant")
Delete = command(DeleteNoun, GRANT, "Take a grant back; nothing more is done there for the project")
