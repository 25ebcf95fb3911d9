"""``openstack multisite protection ...``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from osc_lib.exceptions import CommandError

from multisite_client.osc import findings, past, progress, refs, rpo, standby, targets
from multisite_client.osc.application import APPLICATION
from multisite_client.osc.base import (
    Formats,
    Lister,
    Row,
    ShowOne,
    Table,
    pairs,
    seconds,
    shown,
    table,
)
from multisite_client.osc.job import JOB
from multisite_client.osc.noun import DeleteNoun, ListNoun, Noun, ShowNoun, command
from multisite_client.osc.policy import POLICY
from multisite_client.osc.restore_point import RESTORE_POINT


def _next_run(schedule: dict[str, Any]) -> str:
    """In a list: when, or why not."""
    said = str(schedule["next_run_at"] or {"none": "", "paused": "paused"}.get(schedule["state"], ""))
    told = [f"{schedule[word]} {word}" for word in ("skipped", "missed") if schedule[word]]
    return " ".join([said, *([f"({', '.join(told)})"] if told else [])])


PROTECTION = Noun(
    "protection",
    "Protection (id, or its application's name)",
    ("id", "application", "method", "site", "target_site", "target_sites", "options", "policy", "paused", "schedule",
     "rpo", "recoverable", "recoverable_at", "standby", "standby_status"),
    {
        "ID": "id", "Application": "application", "Method": "method", "Site": "site", "Target sites": "target_sites",
        "Policy": "policy", "Next run": "schedule", "RPO": "rpo", "Recoverable": "recoverable_at",
        "Standby": "standby_status", "Last restore point": "last_restore_point",
    },
    find=refs.protection,
    formats={
        "options": pairs, "schedule": pairs, "rpo": pairs, "standby_status": standby.as_lines,
        "target_sites": targets.in_a_list, "recoverable_at": targets.recoverable,
    },
    list_formats={
        "options": pairs, "schedule": _next_run, "rpo": rpo.in_a_list, "standby_status": standby.in_a_list,
        "target_sites": targets.in_a_list, "recoverable_at": targets.recoverable,
    },
)  # fmt: skip


MADE = replace(PROTECTION, hidden=("choice",))
"""As it was just made; why the method was chosen is told beside it."""


def estimate(found: Mapping[str, Any]) -> str:
    """``4 min 5 s to 1 h 2 min``, ``at least 4 min 5 s``, ``unknown``."""
    low, high = found["low_seconds"], found["high_seconds"]
    if low is None:
        return "unknown"
    said = f"at least {seconds(low)}" if high is None else f"{seconds(low)} to {seconds(high)}"
    if found.get("median_seconds") is None:
        return said
    return f"{seconds(found['median_seconds'])} ({said}, {past.runs(found['count'])})"


def _missing(found: Sequence[Mapping[str, Any]]) -> str:
    return findings.as_lines([one for one in found if one["severity"] in ("blocking", "unknown")])


_OFFERS = {
    "Method": "method", "Chosen": "chosen", "Possible": "possible", "Consistency": "consistency", "RPO": "rpo",
    "RTO": "rto", "Missing": "findings",
}  # fmt: skip
_OFFER_FORMATS: Formats = {
    "chosen": lambda chosen: "yes" if chosen else "", "rpo": estimate, "rto": estimate, "findings": _missing,
}  # fmt: skip
_RETENTION = {
    "Restore point": "restore_point_id", "Consistent at": "consistent_at", "State": "state", "Keep": "keep",
    "Reason": "reasons",
}  # fmt: skip


_RECOVERABILITY = (
    "target_site", "recoverable", "reason", "findings", "since", "looked_at", "restore_point_id", "rules_of",
    "method", "rto_seconds", "rto_least", "rto_most", "rto_count", "past_median", "past_least", "past_most",
    "past_count", "others",
)  # fmt: skip
_RECOVERABILITY_FORMATS: Formats = {
    "findings": findings.as_lines, "rto_seconds": seconds, "rto_least": seconds, "rto_most": seconds,
    "past_median": seconds, "past_least": seconds, "past_most": seconds,
    "others": targets.others,
}  # fmt: skip


def _kept(keep: bool) -> str:
    return "yes" if keep else "no: deleted"


class Create(ShowOne):
    """Create a protection: how an application is protected

    Without --method both sites are asked what they can do, and the best method that is possible is chosen.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = APPLICATION.argument(super().get_parser(prog_name))
        parser.add_argument(
            "--method", metavar="<method>", help="Protection method (default: chosen, see protection preview)"
        )
        parser.add_argument("--policy", metavar="<policy>", help="Policy (name or id) it is run by")
        standby.add_option(parser)
        return _add_options(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        policy = parsed_args.policy and POLICY.id(self.client, parsed_args.policy)
        method = {"method": parsed_args.method} if parsed_args.method else {}
        kept = {} if parsed_args.standby is None else {"standby": parsed_args.standby}
        made: Any = self.client.create_protection(**_wanted(self.client, parsed_args), **method, **kept)
        if made.choice:
            self.app.stderr.write(f"Chosen: {made.choice['why']}\n")
        if policy:
            made = self.client.update_protection(made.id, {"policy": policy})
        return MADE.row(made)


class Preview(Lister):
    """Show what each method would give an application, and which would be chosen; changes nothing

    Exit status 2 when none would be.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = APPLICATION.argument(super().get_parser(prog_name))
        parser.add_argument("--policy", metavar="<policy>", help="Policy (name or id) it would be run by")
        return _add_options(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Table:
        policy = parsed_args.policy and POLICY.id(self.client, parsed_args.policy)
        found = self.client.preview_protection(**_wanted(self.client, parsed_args), policy=policy or None)
        self.app.stderr.write(f"{'Chosen' if found['method'] else 'Not chosen'}: {found['why']}\n")
        self.exit_status = findings.exit_status(True if found["method"] else None)
        offers = [{**offer, "chosen": offer["method"] == found["method"]} for offer in found["offers"]]
        return table(offers, _OFFERS, _OFFER_FORMATS)


def _wanted(client: Any, parsed: argparse.Namespace) -> dict[str, Any]:
    """What the service is asked for, but the method."""
    options: dict[str, Any] = {
        "freeze_timeout": parsed.freeze_timeout,
        "full_every": parsed.full_every,
        "console_mark": parsed.console_mark,
        "snapshot_gap_seconds": parsed.snapshot_gap,
        "quiesce": False if parsed.no_quiesce else None,
        "standby_only": True if parsed.standby_only else None,
    }
    said = {name: value for name, value in options.items() if value is not None}
    return {
        "application": APPLICATION.id(client, parsed.application),
        **targets.wanted(client, parsed.target_site),
        "options": said | dict(parsed.option),
    }


def _add_options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    targets.add_option(parser)
    parser.add_argument(
        "--freeze-timeout",
        type=int,
        metavar="<seconds>",
        help="Time limit of a quiesce: the site unquiesces a server after it by itself, even if Multisite is down",
    )
    parser.add_argument("--no-quiesce", action="store_true", help="Quiesce no server: crash-consistent only")
    parser.add_argument(
        "--standby-only", action="store_true",
        help="Protect through the standby members: active ones are neither quiesced nor snapshotted",
    )  # fmt: skip
    parser.add_argument(
        "--full-every", type=int, metavar="<runs>", help="Make a full backup every so many runs"
    )
    parser.add_argument(
        "--console-mark",
        metavar="<regex>",
        help="Keep the newest console line of each server that matches, seen after quiescing",
    )
    return _add_rare_options(parser)


def _add_rare_options(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
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


class Set(ShowNoun):
    """Give a protection a policy, which is carried out in your name, or target sites; pause it, keep points restored"""

    noun = PROTECTION

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        policy = parser.add_mutually_exclusive_group()
        policy.add_argument("--policy", metavar="<policy>", help="Policy (name or id)")
        policy.add_argument(
            "--no-policy", action="store_true", help="Run and delete nothing by itself any more"
        )
        pause = parser.add_mutually_exclusive_group()
        pause.add_argument(
            "--pause", action="store_true", help="Run, drill and delete nothing until --resume"
        )
        pause.add_argument("--resume", action="store_true", help="Go on with the next run that becomes due")
        standby.add_option(parser)
        aim = parser.add_mutually_exclusive_group()
        targets.add_option(aim)
        aim.add_argument("--no-target-site", action="store_true", help="Name no site to recover it in")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        wanted: dict[str, Any] = {}
        if parsed_args.target_site or parsed_args.no_target_site:
            wanted |= targets.wanted(self.client, parsed_args.target_site)
        if parsed_args.policy is not None:
            wanted["policy"] = POLICY.id(self.client, parsed_args.policy)
        elif parsed_args.no_policy:
            wanted["policy"] = None
        if parsed_args.pause or parsed_args.resume:
            wanted["paused"] = parsed_args.pause
        if parsed_args.standby is not None:
            wanted["standby"] = parsed_args.standby
        if not wanted:
            raise CommandError(
                "say what to change: --policy, --no-policy, --pause, --resume, --standby, --target-site or "
                "--no-target-site"
            )
        return PROTECTION.row(self.client.update_protection(self.id(parsed_args), wanted))


class PreviewRetention(Lister):
    """Show what the policy of a protection would delete now, and why; changes nothing"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return PROTECTION.argument(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> Table:
        found = self.client.protection_retention(PROTECTION.id(self.client, parsed_args.protection))
        if found["held"]:
            self.app.stderr.write(f"Nothing is deleted now: {found['held']}\n")
        return table(found["restore_points"], _RETENTION, {"keep": _kept, "reasons": "; ".join})


class Rpo(ShowNoun):
    """Show what would be lost if the site died now, against the RPO target, and how it was"""

    noun = PROTECTION

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--hours", type=int, default=24, metavar="<hours>", help="How far to look back (default: 24)"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        return rpo.row(self.client.protection_rpo(self.id(parsed_args), parsed_args.hours))


class Check(ShowNoun):
    """Check whether an application could be recovered now, and what is in the way; changes nothing in any site

    Exit status 1 when it could not in one of its target sites, 2 when that is unknown.
    """

    noun = PROTECTION

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--last", action="store_true", help="Show what the newest look found, and do not look"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        found = self.client.protection_recoverability(self.id(parsed_args), check=not parsed_args.last)
        words = {found["recoverable"], *(one["recoverable"] for one in found.get("others") or ())}
        self.exit_status = findings.exit_status(
            False if "no" in words else True if words == {"yes"} else None
        )
        return shown(found, _RECOVERABILITY, _RECOVERABILITY_FORMATS)


Delete = command(DeleteNoun, PROTECTION, "Delete a protection; its restore points are kept")
