"""``openstack multisite policy ...``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from osc_lib.exceptions import CommandError

from multisite_client.osc.base import Row, ShowOne, lines, pairs
from multisite_client.osc.noun import DeleteNoun, ListNoun, Noun, ShowNoun, command

RULES = {
    "last": "Keep so many of the newest restore points",
    "days": "Keep all that are younger than so many days",
    "hourly": "Keep the newest of each of the last so many hours that have one",
    "daily": "Keep the newest of each of the last so many days that have one",
    "weekly": "... of each week",
    "monthly": "... of each month",
    "yearly": "... of each year",
}


def schedule(one: Mapping[str, Any]) -> str:
    """A schedule as people read it."""
    when = f"cron {one['cron']} UTC" if one["cron"] else f"every {one['interval_seconds']} s"
    return when if one["backup"] == "auto" else f"{when} ({one['backup']})"


def _rules(retention: Mapping[str, Any]) -> str:
    chosen = {name: count for name, count in retention.items() if count is not None}
    return pairs(chosen) if chosen else "keep everything"


def _named_rules(retention: Mapping[str, Any]) -> str:
    return _rules(retention).replace("\n", " ")


POLICY = Noun(
    "policy",
    "Policy (name or id)",
    (
        "name", "id", "schedules", "jitter_seconds", "retention", "rpo_seconds", "history_days", "paused",
        "drill_cron", "description", "project_id", "created_at",
    ),
    {
        "ID": "id", "Name": "name", "Schedules": "schedules", "Keeps": "retention", "RPO target (s)": "rpo_seconds",
        "Paused": "paused",
    },
    {"schedules": lines(schedule), "retention": _rules},
    {"schedules": lambda found: "; ".join(map(schedule, found)), "retention": _named_rules},
    plural="policies",
)  # fmt: skip


def _add_options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    for option, backup in (("--cron", ""), ("--full-cron", "full "), ("--incremental-cron", "incremental ")):
        parser.add_argument(
            option, action="append", metavar="<expression>",
            help=f"Make a {backup}restore point at these times: minute, hour, day of month, month, day of week, in UTC "
            "(repeatable)",
        )  # fmt: skip
    parser.add_argument(
        "--interval", type=int, metavar="<seconds>", help="Make a restore point every so many seconds"
    )
    parser.add_argument(
        "--jitter", type=int, metavar="<seconds>",
        help="Begin runs up to so much later, each protection always by the same, so that not all begin at once",
    )  # fmt: skip
    for name, text in RULES.items():
        parser.add_argument(f"--keep-{name}", type=int, metavar="<count>", help=text)
    parser.add_argument(
        "--rpo", type=int, metavar="<seconds>",
        help="RPO target: the newest usable restore point may be so old",
    )  # fmt: skip
    parser.add_argument(
        "--history-days", type=int, metavar="<days>", help="Keep the series of the RPO so long (default: 30)"
    )
    parser.add_argument(
        "--drill-cron", metavar="<expression>", help="Drill the newest restore point at these times, in UTC"
    )
    parser.add_argument("--description", metavar="<text>", help="What it is for")
    return parser


def _schedules(parsed: argparse.Namespace) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    kinds = (("auto", parsed.cron), ("full", parsed.full_cron), ("incremental", parsed.incremental_cron))
    for backup, expressions in kinds:
        found += [{"cron": text, "backup": backup} for text in expressions or ()]
    if parsed.interval is not None:
        found.append({"interval_seconds": parsed.interval})
    return found


def _wanted(parsed: argparse.Namespace) -> dict[str, Any]:
    rules = {name: count for name in RULES if (count := getattr(parsed, f"keep_{name}")) is not None}
    wanted = {
        "schedules": _schedules(parsed) or None,
        "jitter_seconds": parsed.jitter,
        "retention": rules or None,
        "rpo_seconds": parsed.rpo,
        "history_days": parsed.history_days,
        "drill_cron": parsed.drill_cron,
        "description": parsed.description,
    }
    return {name: value for name, value in wanted.items() if value is not None}


class Create(ShowOne):
    """Create a protection policy: when protections are run, what they keep, and their RPO target"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="<name>", help="Name of the policy")
        return _add_options(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        return POLICY.row(self.client.create_policy(name=parsed_args.name, **_wanted(parsed_args)))


List = command(ListNoun, POLICY, "List protection policies")
Show = command(ShowNoun, POLICY, "Show a protection policy")


class Set(ShowNoun):
    """Change a protection policy; its protections go on with it from now on

    Schedules and rules that are given replace all that there were.
    """

    noun = POLICY

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _add_options(super().get_parser(prog_name))
        parser.add_argument("--no-schedule", action="store_true", help="Run nothing by itself")
        parser.add_argument("--keep-everything", action="store_true", help="Delete nothing by itself")
        parser.add_argument("--no-rpo", action="store_true", help="No RPO target")
        parser.add_argument("--no-drill", action="store_true", help="Drill nothing by itself")
        pause = parser.add_mutually_exclusive_group()
        pause.add_argument(
            "--pause", action="store_true", help="Run, drill and delete nothing until --resume"
        )
        pause.add_argument("--resume", action="store_true", help="Go on with the next run that becomes due")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        wanted = _wanted(parsed_args)
        wanted |= {"schedules": []} if parsed_args.no_schedule else {}
        wanted |= {"retention": {}} if parsed_args.keep_everything else {}
        wanted |= {"rpo_seconds": None} if parsed_args.no_rpo else {}
        wanted |= {"drill_cron": None} if parsed_args.no_drill else {}
        wanted |= {"paused": parsed_args.pause} if parsed_args.pause or parsed_args.resume else {}
        if not wanted:
            raise CommandError("say what to change: see --help")
        return POLICY.row(self.client.update_policy(self.id(parsed_args), wanted))


Delete = command(DeleteNoun, POLICY, "Delete a protection policy; refused while a protection has it")
