"""``openstack multisite quota ...``: one limit of a project over several sites."""

from __future__ import annotations

import argparse
from typing import Any

from osc_lib.exceptions import CommandError

from multisite_client.osc import progress, refs
from multisite_client.osc.base import Lister, Row, ShowOne, Table, lines
from multisite_client.osc.noun import DeleteNoun, ListNoun, Noun, ShowNoun, command


def _limits(limits: dict[str, int]) -> str:
    return ", ".join(f"{name}={_number(limit)}" for name, limit in sorted(limits.items()))


def _used(usage: dict[str, Any]) -> str:
    if usage["why"]:
        return f"unknown: {usage['why']}"
    return ", ".join(f"{name} {count}" for name, count in sorted(usage["used"].items()) if count)


def _number(limit: int) -> str:
    return "unlimited" if limit < 0 else str(limit)


QUOTA = Noun(
    "quota",
    "Quota (id, or the id of its project)",
    (
        "id", "project_id", "sites", "limits", "leases", "usage", "told", "paused", "passed_at", "raising_since",
        "requested_by", "created_at",
    ),
    {"ID": "id", "Project ID": "project_id", "Sites": "sites", "Limits": "limits", "Told": "told"},
    {
        "sites": lines(str), "told": lines(str),
        "limits": _limits,
        "leases": lambda leases: "\n".join(f"{site}: {_limits(leases[site])}" for site in sorted(leases)),
        "usage": lambda usage: "\n".join(f"{site}: {_used(usage[site])}" for site in sorted(usage)),
    },
    {
        "sites": ", ".join, "limits": _limits, "told": lambda told: str(len(told)),
    },
    find=refs.quota,
)  # fmt: skip


def _add_options(parser: argparse.ArgumentParser, *, new: bool) -> argparse.ArgumentParser:
    parser.add_argument(
        "--site", action="append", required=new, metavar="<site>", help="Site that it is lent to (repeatable)"
    )
    parser.add_argument(
        "--limit", action="append", required=new, metavar="<resource>=<limit>",
        help="As the services call it: instances, cores, ram, volumes, gigabytes, port ...; -1: unlimited (repeatable)",
    )  # fmt: skip
    return parser


def _given(words: list[str] | None) -> dict[str, int]:
    limits = {}
    for word in words or ():
        name, equals, number = word.partition("=")
        if not equals or not number.lstrip("-").isdecimal():
            raise CommandError(f"--limit {word}: say <resource>=<number>, as in cores=40")
        limits[name] = int(number)
    return limits


class Create(ShowOne):
    """Limit a project over several sites: each is lent a part, and the parts never add up to more"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("project", metavar="<project>", help="Id of the project, in Multisite's Keystone")
        return _add_options(parser, new=True)

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        limits = _given(parsed_args.limit)
        made = self.client.create_quota(project_id=parsed_args.project, sites=parsed_args.site, limits=limits)
        return QUOTA.row(made)


List = command(ListNoun, QUOTA, "List the limits of projects over several sites")
Show = command(ShowNoun, QUOTA, "Show the limits of a project over several sites, and what is lent to each")
Delete = command(DeleteNoun, QUOTA, "Forget the limits of a project; every site keeps what it has")


class Set(ShowNoun):
    """Change the limits of a project, or the sites they are lent to; pause or go on"""

    noun = QUOTA

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _add_options(super().get_parser(prog_name), new=False)
        parser.add_argument(
            "--no-limit", action="append", metavar="<resource>",
            help="Lend this no more; every site keeps the limit that it has (repeatable)",
        )  # fmt: skip
        pause = parser.add_mutually_exclusive_group()
        pause.add_argument("--pause", action="store_true", help="Change no limit until --resume")
        pause.add_argument("--resume", action="store_true", help="Go on")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        limits: dict[str, int | None] = {**_given(parsed_args.limit)}
        limits |= dict.fromkeys(parsed_args.no_limit or ())
        wanted: dict[str, Any] = {"limits": limits} if limits else {}
        wanted |= {"sites": parsed_args.site} if parsed_args.site else {}
        wanted |= {"paused": parsed_args.pause} if parsed_args.pause or parsed_args.resume else {}
        if not wanted:
            raise CommandError("say what to change: see --help")
        return QUOTA.row(self.client.change_quota(self.id(parsed_args), wanted))


class Apply(ShowNoun):
    """Lend the limits of a project to its sites now; exit status 1 when there is something to be told"""

    noun = QUOTA

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return progress.add_options(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        id = self.id(parsed_args)
        job_id = self.client.apply_quota(id)
        if not parsed_args.no_wait:
            progress.follow(self, job_id, parsed_args)
        quota = self.client.get_quota(id)
        self.exit_status = self.exit_status or int(bool(quota["told"]))
        return QUOTA.row(quota)


class Usage(Lister):
    """Show what a project uses over all sites: a line per resource, used / lent for each site

    As each site told at the last pass; a site that did not answer then is marked with a question mark.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return QUOTA.argument(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> Table:
        quota = self.client.get_quota(QUOTA.id(self.client, parsed_args.quota))
        sites = list(quota["sites"])
        rows = [_line(quota, name, limit, sites) for name, limit in sorted(quota["limits"].items())]
        return ("Resource", "Limit", "Used", *sites), rows


def _line(quota: Any, name: str, limit: int, sites: list[str]) -> tuple[Any, ...]:
    usage = {site: quota["usage"].get(site) for site in sites}
    known = [one["used"].get(name, 0) for one in usage.values() if one]
    unsure = "" if len(known) == len(sites) and not any(one["why"] for one in usage.values() if one) else " ?"
    cells = [_cell(usage[site], quota["leases"].get(site, {}).get(name), name) for site in sites]
    return (name, _number(limit), f"{sum(known)}{unsure}", *cells)


def _cell(usage: dict[str, Any] | None, lease: int | None, name: str) -> str:
    lent = "-" if lease is None else _number(lease)
    if usage is None or name not in usage["used"]:
        return f"? / {lent}"
    return f"{usage['used'][name]} / {lent}{' ?' if usage['why'] else ''}"
