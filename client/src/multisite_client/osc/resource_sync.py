"""``openstack multisite resource sync ...``: resources of a site, or of a file, that sites keep in sync with."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from osc_lib.exceptions import CommandError

from multisite_client.osc import progress
from multisite_client.osc.base import Command, Lister, Row, ShowOne, Table, lines, table
from multisite_client.osc.noun import DeleteNoun, ListNoun, Noun, ShowNoun, command

KINDS = ("image", "security-group", "server-group", "qos-policy", "keypair", "flavor", "volume-type")
POLICIES = ("stop", "source", "target")
LONGEST = 60
"""Characters of a value in a line of a difference."""
_IN_SYNC = {True: "yes", False: "no", None: "unknown"}


def _result(result: dict[str, Any]) -> str:
    if result["at"] is None:
        return "no pass yet"
    counts = ", ".join(f"{count} {act}d" for act, count in result["counts"].items()) or "nothing changed"
    told = "".join(f"\n{line}" for line in result["told"])
    return f"{result['at']}: in sync: {_IN_SYNC[result['in_sync']]}; {counts}{told}"


SYNC = Noun(
    "resource_sync",
    "Resource sync (id or name)",
    (
        "id", "name", "source_site", "document_digest", "target_sites", "kinds", "only_tag", "on_conflict", "deletes",
        "interval_seconds", "paused", "result", "requested_by", "created_at",
    ),
    {
        "ID": "id", "Name": "name", "Source": "source_site", "Targets": "target_sites", "Kinds": "kinds",
        "In sync": "result",
    },
    {"source_site": str, "document_digest": str, "target_sites": lines(str), "kinds": lines(str), "result": _result},
    {
        "source_site": str, "target_sites": ", ".join, "kinds": ", ".join,
        "result": lambda result: _IN_SYNC[result["in_sync"]] if result["at"] else "",
    },
    hidden=("document",),  # only said when creating
)  # fmt: skip


def _add_options(parser: argparse.ArgumentParser, *, new: bool) -> argparse.ArgumentParser:
    parser.add_argument(
        "--target-site",
        action="append",
        required=new,
        metavar="<site>",
        help="Site that is to have them (repeatable)",
    )
    parser.add_argument(
        "--kind",
        action="append",
        choices=KINDS,
        help="Kind of resource (repeatable); a file says them itself",
    )
    parser.add_argument(
        "--on-conflict", choices=POLICIES,
        help="What was changed at a target: stop: tell of it (default), source: change it back, target: let it be",
    )  # fmt: skip
    parser.add_argument(
        "--interval", type=int, metavar="<seconds>", help="Compare so often; without, only when applied"
    )
    parser.add_argument(
        "--only-tag", metavar="<tag>", help="Of images and security groups only those with this tag"
    )
    deleting = parser.add_mutually_exclusive_group()
    deleting.add_argument("--delete", action="store_true", help="What it made goes with its source (default)")
    deleting.add_argument("--no-delete", action="store_true", help="Delete nothing at the targets")
    return parser


def _wanted(parsed: argparse.Namespace) -> dict[str, Any]:
    wanted = {
        "target_sites": parsed.target_site, "kinds": parsed.kind, "on_conflict": parsed.on_conflict,
        "interval_seconds": parsed.interval, "only_tag": parsed.only_tag,
        "deletes": False if parsed.no_delete else True if parsed.delete else None,
        "document": None if parsed.file is None else read_document(parsed.file),
    }  # fmt: skip
    return {name: value for name, value in wanted.items() if value is not None}


class Create(ShowOne):
    """Say which kinds of a site's resources, or what file, sites keep in sync with; `plan` shows what `apply` would do

    Resources are the project's; QoS policies, users' key pairs, and flavors and volume types, which are the whole
    site's, are for administrators.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="<name>", help="Name of the sync")
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--source-site", metavar="<site>", help="Site that has them")
        source.add_argument(
            "--file",
            metavar="<file>",
            help="Desired state in YAML, as `export` writes it (-: standard input)",
        )
        return _add_options(parser, new=True)

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        if parsed_args.source_site and not parsed_args.kind:
            raise CommandError("--kind: say which kinds of resources of the site")
        wanted = {"name": parsed_args.name, **_wanted(parsed_args)}
        wanted |= {"source_site": parsed_args.source_site} if parsed_args.source_site else {}
        return SYNC.row(self.client.create_resource_sync(**wanted))


def read_document(name: str) -> str:
    """The text of a file; what it has to say, the service knows.

    Raises CommandError naming the file; also when it has a private key, which is sent nowhere.
    """
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--file {name}: it cannot be read: {error}") from error
    if "PRIVATE KEY-----" in text:
        what = "it has a private key: take it out, also of its history, and replace the key pair; nothing was sent"
        raise CommandError(f"--file {name}: {what}")
    return text


class Export(Command):
    """Write what a site has as a file for `create --file`, to be kept under version control; changes nothing

    What is not carried is in its comments.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--source-site", required=True, metavar="<site>", help="Site that has them")
        kinds = [kind for kind in KINDS if kind != "image"]
        parser.add_argument(
            "--kind", action="append", required=True, choices=kinds, help="Kind of resource (repeatable)"
        )
        parser.add_argument("--only-tag", metavar="<tag>", help="Of security groups only those with this tag")
        parser.add_argument(
            "--file", metavar="<file>", default="-", help="Write it there (default: standard output)"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        asked = {"source_site": parsed_args.source_site, "kinds": parsed_args.kind}
        asked |= {"only_tag": parsed_args.only_tag} if parsed_args.only_tag else {}
        text = self.client.export_resources(**asked)["document"]
        if parsed_args.file == "-":
            self.app.stdout.write(text)
            return
        try:
            Path(parsed_args.file).write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"--file {parsed_args.file}: it cannot be written: {error}") from error


List = command(ListNoun, SYNC, "List resource syncs, and whether the last pass found everything in sync")
Show = command(ShowNoun, SYNC, "Show a resource sync, and what its last pass found")
Delete = command(DeleteNoun, SYNC, "Forget a resource sync; what it made stays in the sites")


class Set(ShowNoun):
    """Change, pause or go on with a resource sync"""

    noun = SYNC

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _add_options(super().get_parser(prog_name), new=False)
        parser.add_argument("--file", metavar="<file>", help="New version of the file (-: standard input)")
        parser.add_argument("--no-interval", action="store_true", help="Compare only when applied")
        pause = parser.add_mutually_exclusive_group()
        pause.add_argument("--pause", action="store_true", help="Compare nothing by itself until --resume")
        pause.add_argument("--resume", action="store_true", help="Go on")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        wanted = _wanted(parsed_args)
        wanted |= {"interval_seconds": None} if parsed_args.no_interval else {}
        wanted |= {"paused": parsed_args.pause} if parsed_args.pause or parsed_args.resume else {}
        if not wanted:
            raise CommandError("say what to change: see --help")
        return SYNC.row(self.client.change_resource_sync(self.id(parsed_args), wanted))


class Plan(Lister):
    """Show what a pass would do now, and what it would not and why; changes nothing

    Exit status 1 when something is to be done or decided, 2 when a site did not answer and nothing else is.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return SYNC.argument(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> Table:
        changes = self.client.plan_resource_sync(SYNC.id(self.client, parsed_args.resource_sync))
        shown = [change for change in changes if change["act"] != "accept"]
        acts = {change["act"] for change in shown}
        self.exit_status = 1 if acts - {"unknown"} else 2 if acts else 0
        columns = {
            "": "sign", "Act": "act", "Site": "target_site", "Kind": "kind", "Name": "name", "Why": "why",
            "Difference": "difference",
        }  # fmt: skip
        rows = [
            {**change, "sign": _SIGNS[change["act"]], "difference": _difference(change)} for change in shown
        ]
        return table(rows, columns)


_SIGNS = {
    "create": "+", "update": "~", "delete": "-", "adopt": "=", "forget": "=", "conflict": "!", "unknown": "?",
}  # fmt: skip


def _difference(change: dict[str, Any]) -> str:
    """A line per field, and of a field of many values those that come and go."""
    if change["act"] == "create":
        return ""
    names = sorted({*change["fields"], *change["before"]})
    return "\n".join(line for name in names for line in _field(name, change))


def _field(name: str, change: dict[str, Any]) -> list[str]:
    old, new = change["before"].get(name), change["fields"].get(name)
    if not isinstance(old, list) and not isinstance(new, list):
        return [
            f"{name}: {_text(old)} -> {_text(new)}" if name in change["fields"] else f"{name}: {_text(old)}"
        ]
    before, after = list(old or ()), list(new or ())
    gone = [f"{name}: - {_rule(one)}" for one in before if one not in after]
    return gone + [f"{name}: + {_rule(one)}" for one in after if one not in before]


def _text(value: Any) -> str:
    text = json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _rule(text: str) -> str:
    """What a rule of a security group says, without what it does not."""
    try:
        rule = json.loads(text)
    except ValueError:
        return str(text)
    return " ".join(f"{k}={v}" for k, v in sorted(rule.items()) if v not in (None, "")) if rule else text


class Apply(ShowNoun):
    """Bring the targets of a resource sync in sync: one pass

    Exit status 1 when something is not in sync afterwards, 2 when a site did not answer.
    """

    noun = SYNC

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = progress.add_options(super().get_parser(prog_name))
        parser.add_argument(
            "--delete-many", action="store_true",
            help="Delete also when more than half of all are gone at the source at once",
        )  # fmt: skip
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        id = self.id(parsed_args)
        job_id = self.client.apply_resource_sync(id, delete_many=parsed_args.delete_many)
        if not parsed_args.no_wait:
            progress.follow(self, job_id, parsed_args)
        sync = self.client.get_resource_sync(id)
        if not self.exit_status and not parsed_args.no_wait:
            self.exit_status = {True: 0, False: 1, None: 2}[sync["result"]["in_sync"]]
        return SYNC.row(sync)


class Items(Lister):
    """List every resource that a sync keeps in sync, and its counterpart at each target"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return SYNC.argument(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> Table:
        columns = {
            "Kind": "kind", "Name": "name", "Source ID": "source_id", "Site": "target_site", "Target ID": "target_id",
            "Made": "made",
        }  # fmt: skip
        return table(self.client.sync_items(SYNC.id(self.client, parsed_args.resource_sync)), columns)
