"""``openstack multisite restore point ...``."""

from __future__ import annotations

import argparse
from typing import Any

from multisite_client.osc import progress, refs
from multisite_client.osc.base import Lister, Row, ShowOne, Table, lines, seconds
from multisite_client.osc.job import JOB
from multisite_client.osc.noun import ListNoun, Noun, ShowNoun, command


def _window(window: dict[str, Any]) -> str:
    return f"{window.get('server_name', '?')} {float(window.get('seconds', 0)):.2f} s"


def _mark(mark: dict[str, Any]) -> str:
    return f"{mark.get('server_name', '?')}: {mark.get('text', '')}"


RESTORE_POINT = Noun(
    "restore_point",
    "Restore point (id, or an application's name: its newest)",
    (
        "id", "application", "state", "created_at", "consistent_at", "incremental", "quiesced", "frozen_seconds",
        "frozen", "marks", "size_gib", "method", "error",
    ),
    {
        "ID": "id", "Application": "application", "State": "state", "Consistent at": "consistent_at",
        "Incremental": "incremental", "Frozen": "frozen_seconds", "GiB": "size_gib", "Created at": "created_at",
    },
    {"frozen": lines(_window), "marks": lines(_mark)},
    {"frozen_seconds": seconds},
    find=refs.restore_point,
)  # fmt: skip


class List(ListNoun):
    """List restore points"""

    noun, filters = RESTORE_POINT, ("application",)

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--application", metavar="<application>", help="Only of this application (name or id)"
        )
        return parser


Show = command(
    ShowNoun, RESTORE_POINT, "Show a restore point: what it holds, how long its servers were quiesced"
)


class Delete(ShowOne):
    """Delete a restore point with its backups; refused while an incremental one depends on it"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        # By id only: "the newest of this application" is not something to delete by accident.
        parser.add_argument("restore_point", metavar="<restore point>", help="Restore point (id)")
        return progress.add_options(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        job_id = self.client.delete_restore_point(parsed_args.restore_point)
        if parsed_args.no_wait or job_id is None:
            return ("job_id",), (job_id,)
        return JOB.row(progress.follow(self, job_id, parsed_args))


class Rescan(Lister):
    """Read the backup store again and update the database from it"""

    def take_action(self, _parsed_args: argparse.Namespace) -> Table:
        return RESTORE_POINT.table(self.client.rescan_restore_points())
