"""``openstack multisite identity plan``: which identity topology for which sites.  Needs no cloud and no service."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from osc_lib.exceptions import CommandError

from multisite_client.osc.base import Row, ShowOne
from multisite_client.osc.service_package import needs_service_package

_UNIFORM = ("users", "logins", "requests")
_EQUAL_SITES: tuple[tuple[str, type[int] | type[float], float | None, str, str], ...] = (
    ("--sites", int, None, "count", "How many"),
    ("--users", int, None, "count", "Users who log in per day, all sites together"),
    ("--logins", float, None, "per second", "All sites together (default: users/3600)"),
    ("--requests", float, None, "per second", "API requests, all sites together (default: 10 per login)"),
    ("--round-trip", float, 20.0, "ms", "Between any two sites, as ping shows it (default 20)"),
    ("--bandwidth", float, 1000.0, "Mbit/s", "Between any two sites (default 1000)"),
    ("--role-changes", float, 20.0, "per hour", "All sites together (default 20)"),
)


class Plan(ShowOne):
    """Compare the identity topologies for given sites and recommend one, with reasons

    Reads a plan file (YAML, see docs/identity-planner.md) or takes equal sites: --sites 5 --users 10000.
    Talks to no cloud. -f json tells everything.
    """

    auth_required = False

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "file", nargs="?", metavar="<file>", help="Sites, links and load in YAML (- for standard input)"
        )
        parser.add_argument(
            "--plot", metavar="<file.svg>", help="Write a picture of traffic by number of sites"
        )
        group = parser.add_argument_group("Instead of a file: equal sites")
        for option, kind, default, metavar, text in _EQUAL_SITES:
            group.add_argument(option, type=kind, default=default, metavar=f"<{metavar}>", help=text)
        group.add_argument(
            "--no-secrets-travel",
            action="store_true",
            help="Symmetric token keys may not be copied between sites",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        needs_service_package()
        from multisite.domain.errors import Invalid
        from multisite_client.osc.identity import view

        try:
            inputs = _inputs(parsed_args)
        except Invalid as error:
            raise CommandError(str(error)) from None
        from multisite.identity.plan.verdict import plan

        found = plan(inputs)
        if parsed_args.plot:
            _draw(inputs, Path(parsed_args.plot))
        if parsed_args.formatter == "table":
            view.write(found, self.app.stdout, view.width())
            return view.beside(found)
        data = view.everything(found)
        return tuple(data), tuple(data.values())


def _inputs(parsed_args: argparse.Namespace) -> Any:
    from multisite.identity.plan.inputs import Link, checked, load, uniform

    if (parsed_args.file is None) == (parsed_args.sites is None):
        raise CommandError("plan: give a plan file, or --sites with the numbers of equal sites, not both")
    if parsed_args.file is not None:
        unused = [f"--{name}" for name in _UNIFORM if getattr(parsed_args, name) is not None]
        if unused:
            raise CommandError(f"plan: {', '.join(unused)} goes with --sites; write it into the file instead")
        return load(_read(parsed_args.file))
    link = {"round_trip_ms": parsed_args.round_trip, "bandwidth_mbit": parsed_args.bandwidth}
    checked({"version": 1, "sites": [{"name": "site"}], "links": {"default": link}})
    users = 1000 if parsed_args.users is None else parsed_args.users
    logins = users / 3600 if parsed_args.logins is None else parsed_args.logins
    requests = 10 * logins if parsed_args.requests is None else parsed_args.requests
    return uniform(
        parsed_args.sites, users=users, logins=logins, requests=requests, link=Link(**link),
        role_changes_per_hour=parsed_args.role_changes, secrets_may_travel=not parsed_args.no_secrets_travel,
    )  # fmt: skip


def _read(name: str) -> str:
    import sys

    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"plan: cannot read {name}: {error}") from None


def _draw(inputs: Any, where: Path) -> None:
    from multisite.identity.plan.picture import svg

    if where.suffix.lower() != ".svg":
        raise CommandError(f"--plot: {where} does not end in .svg, the only format")
    try:
        where.write_text(svg(inputs), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"--plot: cannot write {where}: {error.strerror or error}") from None
