"""``openstack multisite recovery plan ...``: how an application is recovered in a site, kept and used again."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from osc_lib.exceptions import CommandError

from multisite_client.osc import refs
from multisite_client.osc.base import Row, ShowOne, lines
from multisite_client.osc.noun import DeleteNoun, ListNoun, Noun, ShowNoun, command, finish
from multisite_client.osc.question import KINDS, mapping, with_rules
from multisite_client.osc.recovery import RECOVERY

_WORDS = {name: word for word, name in KINDS.items()}


def rules(kept: dict[str, Any]) -> str:
    """Rules as people read them: a map per line as ``--map`` takes it."""
    found = []
    for name, value in kept.items():
        if name in _WORDS:
            found += [f"{_WORDS[name]}:{source}={target}" for source, target in value.items()]
        else:
            found.append(f"{name}={json.dumps(value)}")
    return "\n".join(found)


def group(one: Mapping[str, Any]) -> str:
    """A group as people read it."""
    gates = [gate["kind"] + (f" {gate['port']}" if gate.get("port") else "") for gate in one["gates"]]
    return f"{one['name']}: {', '.join(one['members'])}" + (f" (gates: {', '.join(gates)})" if gates else "")


def hook(one: Mapping[str, Any]) -> str:
    """A hook as people read it."""
    where = f"{one['when']} {one['group']}" if one["group"] else one["when"]
    what = one["url"] or one["command"] or one["question"] or one["action"]
    return f"{one['name']}: {where}: {one['kind']} {what}"


def dns_record(one: Mapping[str, Any]) -> str:
    """A DNS record as people read it."""
    of = "floating IP" if one["floating"] else f"address in {one['network']}" if one["network"] else "address"
    zone = f" zone {one['zone']}" if one["zone"] else ""
    how = f"TTL {one['ttl']} s, {one['driver']}{zone}"
    return f"{one['name']} {one['type']}: {of} of {', '.join(one['members'])} ({how})"


KEPT = ("description", "mapping", "groups", "hooks", "dns")
"""What a file says of a plan; the other fields that ``show`` writes are passed over."""

PLAN = Noun(
    "recovery_plan",
    "Recovery plan (name or id)",
    (
        "name",
        "id",
        "application",
        "target_site",
        "mapping",
        "groups",
        "hooks",
        "dns",
        "description",
        "project_id",
        "created_at",
    ),
    {
        "ID": "id",
        "Name": "name",
        "Application": "application",
        "Target site": "target_site",
        "Rules": "mapping",
    },
    {"mapping": rules, "groups": lines(group), "hooks": lines(hook), "dns": lines(dns_record)},
    {"mapping": lambda kept: rules(kept).replace("\n", " ")},
    find=lambda client, ref: refs.one("recovery plan", ref, client.recovery_plans),
)


class Create(ShowOne):
    """Create a recovery plan: the rules by which an application is recovered in a site

    It keeps all rules but those by which you vouch for something: --accept-loss and --source-is-fenced are for a start.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="<name>", help="Name of the recovery plan")
        parser.add_argument(
            "application", metavar="<application>", help="Application to recover (name or id)"
        )
        parser.add_argument("--target-site", metavar="<site>", required=True, help="Site to recover in")
        return _with_contents(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        made = self.client.create_recovery_plan(
            name=parsed_args.name,
            application=parsed_args.application,
            target_site=refs.site(self.client, parsed_args.target_site),
            **_wanted(parsed_args),
        )
        return PLAN.row(made)


List = command(ListNoun, PLAN, "List recovery plans")
Show = command(ShowNoun, PLAN, "Show a recovery plan")


class Set(ShowNoun):
    """Change a recovery plan; recoveries that are begun already go on as they were

    Rules, groups, hooks and DNS records that are given replace all that there were.
    """

    noun = PLAN

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_contents(super().get_parser(prog_name))
        parser.add_argument("--no-rules", action="store_true", help="Keep no rules")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        wanted = ({"mapping": {}} if parsed_args.no_rules else {}) | _wanted(parsed_args)
        if not wanted:
            raise CommandError("say what to change: see --help")
        return PLAN.row(self.client.update_recovery_plan(self.id(parsed_args), wanted))


Delete = command(DeleteNoun, PLAN, "Delete a recovery plan; recoveries that were begun by it are as they are")


def _with_contents(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument(
        "--file",
        metavar="<file>",
        help=f"Take {', '.join(KEPT)} from a file (YAML, or what `show -f json` wrote; -: standard input)",
    )
    parser.add_argument("--description", metavar="<text>", help="What it is for")
    return with_rules(parser)


def _wanted(parsed: argparse.Namespace) -> dict[str, Any]:
    """Of the file, and of the options, which come first."""
    wanted = read_file(parsed.file) if parsed.file else {}
    if named := mapping(parsed):
        wanted["mapping"] = (wanted.get("mapping") or {}) | named
    if parsed.description is not None:
        wanted["description"] = parsed.description
    return wanted


def read_file(name: str) -> dict[str, Any]:
    """What a file says of a plan.  Raises CommandError naming the file; what a plan may say, the service says."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        found = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CommandError(f"--file {name}: it cannot be read: {error}") from error
    if not isinstance(found, Mapping):
        raise CommandError(f"--file {name}: it must have one or more of {', '.join(KEPT)}")
    if unknown := sorted(set(map(str, found)) - {*KEPT, *PLAN.order, "application_id"}):
        raise CommandError(f"--file {name}: {', '.join(unknown)}: only {', '.join(KEPT)} are known")
    return {field: found[field] for field in KEPT if found.get(field) is not None}


class Answer(ShowNoun):
    """Answer the question that a recovery waits with, and go on; what it made already is kept"""

    noun, waits = RECOVERY, True

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("text", metavar="<text>", help="The answer, which the recovery keeps")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        answered = self.client.answer_recovery(self.id(parsed_args), parsed_args.text)
        return finish(self, RECOVERY, answered, parsed_args)
