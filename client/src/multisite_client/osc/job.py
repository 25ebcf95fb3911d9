"""``openstack multisite job ...``."""

from __future__ import annotations

import argparse
from typing import Any

from multisite_client.osc import progress
from multisite_client.osc.base import Lister, Row, ShowOne, Table, table


class List(Lister):
    """List jobs, newest first"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--state", metavar="<state>", help="Only in this state")
        parser.add_argument("--subject", metavar="<id>", help="Only about this protection or recovery")
        parser.add_argument(
            "--limit", type=int, default=100, metavar="<count>", help="Maximum number of jobs"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Table:
        query = {n: getattr(parsed_args, n) for n in ("state", "subject", "limit") if getattr(parsed_args, n)}
        columns = {
            "ID": "id",
            "Title": "title",
            "State": "state",
            "Requested by": "requested_by",
            "Created at": "created_at",
            "Ended at": "ended_at",
        }
        return table(self.client.jobs(**query), columns)


class Show(ShowOne):
    """Show a job, its steps and its journal"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_job(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        return progress.shown_job(self.client.get_job(parsed_args.job))


class Watch(ShowOne):
    """Watch a job until it ends or pauses; exit status 1 when it failed"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_job(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        wanted = ("done", "undone")
        return progress.shown_job(progress.follow(self, parsed_args.job, parsed_args, *wanted))


class _Act(ShowOne):
    """An action on a job, then watching it."""

    verb = ""
    wanted: tuple[str, ...] = ("done",)

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return progress.add_options(_with_job(super().get_parser(prog_name)))

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        verb: Any = getattr(self.client, f"{self.verb}_job")
        verb(parsed_args.job)
        if parsed_args.no_wait:
            return ("job_id",), (parsed_args.job,)
        return progress.shown_job(progress.follow(self, parsed_args.job, parsed_args, *self.wanted))


class Cancel(_Act):
    """Cancel a job as soon as it is safe: no more steps begin, then what was made is undone or kept"""

    verb = "cancel"
    wanted = ("done", "paused", "undone")


class Resume(_Act):
    """Resume a paused job; completed steps are not repeated"""

    verb = "resume"


class Undo(_Act):
    """Remove what a job made, in reverse order"""

    verb = "undo"
    wanted = ("undone",)


def _with_job(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("job", metavar="<job>", help="Job (id)")
    return parser
