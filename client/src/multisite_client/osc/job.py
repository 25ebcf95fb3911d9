"""``openstack multisite job ...``."""

from __future__ import annotations

import argparse
from typing import Any

from multisite_client.osc import progress, refs
from multisite_client.osc.base import Row, lines, seconds
from multisite_client.osc.noun import ListNoun, Noun, ShowNoun, command
from multisite_client.osc.status import waits


def _step(step: dict[str, Any]) -> str:
    elapsed = "" if step["elapsed"] is None else f"  {seconds(step['elapsed'])}"
    text = f"{step['state']:<8} {step['title']}{elapsed}" + (f"  {step['error']}" if step["error"] else "")
    return f"{text}  {waits(step)}".rstrip()


def _entry(entry: dict[str, Any]) -> str:
    return f"{entry['at']} {entry['message']}"


JOB = Noun(
    "job",
    "Job (id)",
    (
        "id", "title", "state", "error", "steps", "worker", "kind", "subject", "requested_by", "created_at",
        "started_at", "ended_at",
    ),
    {
        "ID": "id", "Title": "title", "State": "state", "Requested by": "requested_by", "Created at": "created_at",
        "Ended at": "ended_at",
    },
    {"steps": lines(_step), "journal": lines(_entry)},
    {},
    find=refs.as_given,
    hidden=("settled", "cancel_requested"),
)  # fmt: skip


class List(ListNoun):
    """List jobs, newest first"""

    noun, filters, most = JOB, ("state", "subject"), 100

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--state", metavar="<state>", help="Only in this state")
        parser.add_argument("--subject", metavar="<id>", help="Only about this protection or recovery")
        return parser


Show = command(ShowNoun, JOB, "Show a job, its steps and its journal")


class Watch(ShowNoun):
    """Watch a job until it ends or pauses; exit status 1 when it failed"""

    noun = JOB

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        return JOB.row(progress.follow(self, parsed_args.job, parsed_args, "done", "undone"))


class _Act(ShowNoun):
    """An action on a job, then watching it."""

    noun, waits = JOB, True
    verb = ""
    wanted: tuple[str, ...] = ("done",)

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        getattr(self.client, f"{self.verb}_job")(parsed_args.job)
        if parsed_args.no_wait:
            return ("job_id",), (parsed_args.job,)
        return JOB.row(progress.follow(self, parsed_args.job, parsed_args, *self.wanted))


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
