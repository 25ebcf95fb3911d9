"""``openstack multisite recovery ...``: look, decide, recover, undo."""

from __future__ import annotations

import argparse
from typing import Any

from osc_lib.exceptions import CommandError

from multisite_client.osc import findings, old_copy, preview, progress, refs
from multisite_client.osc.base import Row, ShowOne, lines, pairs, seconds, shown
from multisite_client.osc.job import JOB
from multisite_client.osc.noun import ListNoun, Noun, ShowNoun, command, finish
from multisite_client.osc.question import question, with_members, with_question
from multisite_client.osc.restore_point import RESTORE_POINT


def _server(server: dict[str, Any]) -> str:
    return " ".join(str(value) for value in server.values() if isinstance(value, str | int | float))


def lines_of_answers(answers: dict[str, dict[str, str]]) -> str:
    """Who answered what when, a line for each."""
    return "\n".join(f"{a['by']} {a['at']}: {a['text'] or '(resumed)'}" for a in answers.values())


RECOVERY = Noun(
    "recovery",
    "Recovery (id, or an application's name: its newest)",
    (
        "id", "application", "purpose", "state", "target_site", "site_project_id", "restore_point_id", "rto_seconds",
        "rpo_seconds", "downtime_seconds", "servers", "old_copy", "reprotected_at", "committed_at", "error", "plan",
        "job_id",
        "requested_by", "created_at", "ended_at",
    ),
    {
        "ID": "id", "Application": "application", "Purpose": "purpose", "Target site": "target_site", "State": "state",
        "RTO": "rto_seconds", "RPO": "rpo_seconds", "Created at": "created_at",
    },
    {"servers": lines(_server), "mapping": pairs, "answers": lines_of_answers, "old_copy": old_copy.told},
    {"rto_seconds": seconds, "rpo_seconds": seconds, "downtime_seconds": seconds},
    plural="recoveries",
    find=refs.recovery,
)  # fmt: skip


class Preview(ShowOne):
    """Show what a recovery would do, what data would be lost and which problems block it

    Changes nothing. Exit status 2 when the recovery could not be started.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = with_question(RESTORE_POINT.argument(super().get_parser(prog_name)))
        parser.add_argument(
            "--purpose",
            choices=("disaster", "drill", "move"),
            default="disaster",
            help="drill: a copy in isolated networks, while the application runs; move: stop it and take everything "
            "along (default: disaster)",
        )
        return with_members(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        asked = question(self.client, parsed_args)
        found = self.client.preview_recovery(
            *asked.words, plan=asked.plan, supersede=parsed_args.supersede, purpose=parsed_args.purpose
        )
        self.exit_status = findings.startable(found)
        if parsed_args.formatter == "table":
            preview.write(found, self.app.stdout)
            found = {name: found[name] for name in preview.BESIDE_TABLE if name in found}
        return shown(found, preview.ORDER, preview.FORMATS)


class Start(ShowOne):
    """Recover an application in another site; exit status 1 when that fails, 2 when it cannot be started"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = with_question(RESTORE_POINT.argument(super().get_parser(prog_name)))
        parser.add_argument(
            "--yes-recover",
            metavar="<application name>",
            required=True,
            help="Confirm the recovery by the application's name",
        )
        progress.add_options(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        return _start(self, parsed_args, "--yes-recover", parsed_args.yes_recover, "disaster")


class Move(ShowOne):
    """Move an application to another site without loss: stop it, take a last restore point, recover it there

    With --one-by-one each of its servers by itself, while the others stay up.

    Exit status 1 when that fails, 2 when it cannot be started. `recovery undo` brings it back to where it was.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "restore_point",
            metavar="<application>",
            help="Application (its name), or a restore point of it (id): what is there to build on",
        )
        with_members(with_question(parser, purpose="move"))
        parser.add_argument(
            "--warm-sync",
            action="count",
            default=0,
            help="Run the protection before, while the application works, so that it is stopped for a shorter time "
            "(repeatable)",
        )
        parser.add_argument(
            "--yes-move",
            metavar="<application name>",
            required=True,
            help="Confirm by the application's name that it is stopped and moved",
        )
        progress.add_options(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        for _ in range(parsed_args.warm_sync):
            protection = refs.protection(self.client, parsed_args.yes_move)
            job = progress.follow(self, self.client.run_protection(protection), parsed_args)
            if job["state"] != "done":
                return JOB.row(job)
        return _start(self, parsed_args, "--yes-move", parsed_args.yes_move, "move")


List = command(ListNoun, RECOVERY, "List recoveries")
Show = command(ShowNoun, RECOVERY, "Show a recovery")


class Resume(ShowNoun):
    """Resume a paused recovery; what it made already is kept"""

    noun, waits = RECOVERY, True

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        return finish(self, RECOVERY, self.client.resume_recovery(self.id(parsed_args)), parsed_args)


class Undo(ShowNoun):
    """Undo a recovery: remove everything it made at the target, in reverse order"""

    noun, waits = RECOVERY, True

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        return finish(self, RECOVERY, self.client.undo_recovery(self.id(parsed_args)), parsed_args, "undone")


class StopSource(ShowNoun):
    """Shut off the servers of the old copy, once its site is back; exit status 1 when that fails

    Only by the servers' ids, and only while this recovery's copy is the application. Shows the recovery.
    """

    noun, waits = RECOVERY, True

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--yes-stop",
            metavar="<application name>",
            required=True,
            help="Confirm by the application's name",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        started = self.client.stop_source(self.id(parsed_args), confirm=parsed_args.yes_stop)
        return finish(self, RECOVERY, started, parsed_args)


class Reprotect(ShowNoun):
    """Describe a recovered application where it runs now, and protect it from there; --undo takes that back"""

    noun = RECOVERY

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--target-site", metavar="<site>", help="Site to protect it to (default: back to the old one)"
        )
        parser.add_argument(
            "--source-is-fenced",
            action="store_true",
            help="Confirm that the old copy is off or cut off (needed while its site cannot be asked)",
        )
        parser.add_argument(
            "--undo", action="store_true", help="Describe the application and its protections as before"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        id = self.id(parsed_args)
        if parsed_args.undo:
            return RECOVERY.row(self.client.undo_reprotect(id))
        site = parsed_args.target_site and refs.site(self.client, parsed_args.target_site)
        fenced = parsed_args.source_is_fenced
        return RECOVERY.row(self.client.reprotect(id, target_site=site, source_is_fenced=fenced))


class Commit(ShowNoun):
    """End that a recovery can be undone; with --remove-source its old copy is removed: servers, ports, volumes

    With --remove-source it shows first what would be deleted; without --yes-remove it only shows, exit status 2.
    """

    noun, waits = RECOVERY, True

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--remove-source",
            action="store_true",
            help="Remove the old copy, which has to be off, from the old site",
        )
        parser.add_argument(
            "--yes-remove",
            metavar="<application name>",
            help="Confirm --remove-source by the application's name",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        id, name = self.id(parsed_args), parsed_args.yes_remove
        if name and not parsed_args.remove_source:
            raise CommandError("--yes-remove confirms --remove-source: give that, too")
        if parsed_args.remove_source:
            found = self.client.preview_commit(id)
            stream = self.app.stdout if parsed_args.formatter == "table" else self.app.stderr
            stream.write(_removal(found))
            if not name or not found["removable"]:
                self.exit_status = findings.exit_status(None)
                return shown(found, ("application", "recovery_id", "site", "removable"), _REMOVAL)
        done = self.client.commit_recovery(id, remove_source=parsed_args.remove_source, confirm=name)
        if done["job_id"] is None:
            return RECOVERY.row(done["recovery"])
        return finish(self, RECOVERY, done, parsed_args)


def _item(item: dict[str, Any]) -> str:
    more = f" ({item['detail']})" if item["detail"] else ""
    return f"{item['action']}: {item['kind']} {item['name']} {item['target_id']}{more}"


_REMOVAL = {"items": lines(_item), "problems": findings.as_lines}


def _removal(found: dict[str, Any]) -> str:
    """Every line of what would be done."""
    told = [f"old copy of {found['application']} in {found['site']}:", *map(_item, found["items"])]
    return "".join(f"{line}\n" for line in [*told, *map(findings.line, found["problems"])])


def _start(command: ShowOne, parsed: argparse.Namespace, option: str, confirm: str, purpose: str) -> Row:
    """Preview, and start what it shows; ``confirm``: what was typed at ``option``."""
    asked = question(command.client, parsed)
    about = {"supersede": parsed.supersede, "purpose": purpose, "plan": asked.plan}
    found = command.client.preview_recovery(*asked.words, **about)
    if (row := preview.refused(command, parsed, found)) is not None:
        return row
    if confirm != found["application"]:
        raise CommandError(f"{option} {confirm}: this restore point is of {found['application']!r}")
    started = command.client.start_recovery(*asked.words, confirm=confirm, preview=found["digest"], **about)
    return finish(command, RECOVERY, started, parsed)
