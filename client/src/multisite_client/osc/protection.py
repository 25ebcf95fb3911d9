"""``openstack multisite protection ...``."""

from __future__ import annotations

import argparse
import json
from typing import Any

from multisite_client.osc import progress, refs
from multisite_client.osc.application import APPLICATION
from multisite_client.osc.base import Row, ShowOne, pairs
from multisite_client.osc.job import JOB
from multisite_client.osc.noun import DeleteNoun, ListNoun, Noun, ShowNoun, command
from multisite_client.osc.restore_point import RESTORE_POINT

PROTECTION = Noun(
    "protection",
    "Protection (id, or its application's name)",
    ("id", "application", "method", "site", "target_site", "options"),
    {
        "ID": "id", "Application": "application", "Method": "method", "Site": "site", "Target site": "target_site",
        "Last restore point": "last_restore_point",
    },
    find=refs.protection,
    formats={"options": pairs},
)  # fmt: skip


class Create(ShowOne):
    """Create a protection: how an application is protected"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = APPLICATION.argument(super().get_parser(prog_name))
        parser.add_argument(
            "--method", metavar="<method>", default="consistent-backup", help="Protection method"
        )
        parser.add_argument("--target-site", metavar="<site>", help="Site it would be recovered in")
        parser.add_argument(
            "--freeze-timeout",
            type=int,
            metavar="<seconds>",
            help="Time limit of a quiesce: the site unquiesces a server after it by itself, even if Multisite is down",
        )
        parser.add_argument(
            "--no-quiesce", action="store_true", help="Quiesce no server: crash-consistent only"
        )
        parser.add_argument(
            "--full-every", type=int, metavar="<runs>", help="Make a full backup every so many runs"
        )
        parser.add_argument(
            "--console-mark",
            metavar="<regex>",
            help="Keep the newest console line of each server that matches, seen after quiescing",
        )
        parser.add_argument(
            "--snapshot-gap",
            type=float,
            metavar="<seconds>",
            help="Wait between snapshots; only to show what a backup without quiescing is worth",
        )
        parser.add_argument(
            "--option",
            action="append",
            default=[],
            type=_option,
            metavar="<name>=<value>",
            help="An option of the method by its own name, the value as JSON or a word (repeatable)",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        wanted: dict[str, Any] = {
            "freeze_timeout": parsed_args.freeze_timeout,
            "full_every": parsed_args.full_every,
            "console_mark": parsed_args.console_mark,
            "snapshot_gap_seconds": parsed_args.snapshot_gap,
            "quiesce": False if parsed_args.no_quiesce else None,
        }
        made = self.client.create_protection(
            application=APPLICATION.id(self.client, parsed_args.application),
            method=parsed_args.method,
            target_site=parsed_args.target_site and refs.site(self.client, parsed_args.target_site),
            options={name: value for name, value in wanted.items() if value is not None}
            | dict(parsed_args.option),
        )
        return PROTECTION.row(made)


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not <name>=<value>")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


List = command(ListNoun, PROTECTION, "List protections")
Show = command(ShowNoun, PROTECTION, "Show a protection")


class Run(ShowNoun):
    """Run a protection: create a restore point and wait for it; exit status 1 when that fails"""

    noun, waits = PROTECTION, True

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        kind = parser.add_mutually_exclusive_group()
        kind.add_argument("--full", action="store_true", help="Full backups")
        kind.add_argument(
            "--incremental", action="store_true", help="Incremental backups (refused without a full one)"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        incremental = True if parsed_args.incremental else (False if parsed_args.full else None)
        job_id = self.client.run_protection(self.id(parsed_args), incremental)
        if parsed_args.no_wait:
            return ("job_id",), (job_id,)
        job = progress.follow(self, job_id, parsed_args)
        made = next((p for p in self.client.restore_points() if p.job_id == job_id), None)
        return JOB.row(job) if made is None else RESTORE_POINT.row(made)


Delete = command(DeleteNoun, PROTECTION, "Delete a protection; its restore points are kept")
