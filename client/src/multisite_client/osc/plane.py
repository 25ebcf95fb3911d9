"""``openstack multisite application plane ...``: an application's planes, described once and realized one by one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from osc_lib.exceptions import CommandError

from multisite_client.osc import findings, progress, refs
from multisite_client.osc.application import APPLICATION
from multisite_client.osc.base import Formats, Lister, Row, ShowOne, Table, lines, shown, table

_ORDER = (
    "name", "role", "realized", "sites", "cidr", "state", "sentence", "explained", "made", "left", "error", "job_id",
    "stretched_network_id",
)  # fmt: skip
_PREVIEW_ORDER = ("startable", "actions", "notes", "problems")
_FIELDS = ("name", "role", "realized", "cidr")


class Set(Lister):
    """Set the description of all planes of an application; realized ones must not change"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = APPLICATION.argument(super().get_parser(prog_name))
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument(
            "--planes",
            metavar="<file>",
            help="All planes in YAML or JSON, see docs/planes.md (- for standard input)",
        )
        what.add_argument(
            "--plane",
            action="append",
            metavar="name=<name>,role=<role>[,realized=<how>][,cidr=<cidr>][,site=<site>...]",
            help="A plane (repeatable): role external, inter-component, backup or management; realized stretched, l3 "
            "or local (default: what its role needs)",
        )
        parser.add_argument(
            "--site",
            action="append",
            default=[],
            metavar="<site>",
            help="Site of the planes that name none (repeatable; default: the application's own)",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Table:
        sites = [refs.site(self.client, site) for site in parsed_args.site]
        if parsed_args.planes is not None:
            planes, said = read_planes(parsed_args.planes)
            sites = sites or said
        else:
            planes = [read_option(text) for text in parsed_args.plane]
        application = APPLICATION.id(self.client, parsed_args.application)
        return _table(self.client.describe_planes(application, planes, sites))


class List(Lister):
    """List the planes of an application"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return APPLICATION.argument(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> Table:
        return _table(self.client.planes(APPLICATION.id(self.client, parsed_args.application)))


class Show(ShowOne):
    """Show a plane: how it is realized and why, and what is there in each site"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_plane(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        application = APPLICATION.id(self.client, parsed_args.application)
        return _shown(self.client.get_plane(application, parsed_args.plane))


class Realize(ShowOne):
    """Realize a plane in all its sites; exit status 1 when that fails, 2 when it cannot be started"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_plane(super().get_parser(prog_name))
        parser.add_argument("--preview", action="store_true", help="Only show what would be made")
        return progress.add_options(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        application, name = APPLICATION.id(self.client, parsed_args.application), parsed_args.plane
        found = self.client.preview_plane(application, name)
        if parsed_args.preview or not found["startable"]:
            self.exit_status = findings.startable(found)
            return shown(found, _PREVIEW_ORDER, _PREVIEW_FORMATS)
        started = self.client.realize_plane(application, name)
        if parsed_args.no_wait:
            return _shown(started["plane"])
        progress.follow(self, started["job_id"], parsed_args, "done")
        return _shown(self.client.get_plane(application, name))


class Remove(ShowOne):
    """Remove a plane from all its sites, keeping its description; refused while servers use it"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_plane(super().get_parser(prog_name))
        parser.add_argument(
            "--without", action="append", default=[], metavar="<site>",
            help="A lost site: do nothing there (repeatable).  What it has is recorded: remove the plane again later",
        )  # fmt: skip
        parser.add_argument(
            "--left", action="store_true", help="Only remove what was left in sites it was removed without"
        )
        return progress.add_options(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        application, name = APPLICATION.id(self.client, parsed_args.application), parsed_args.plane
        without = tuple(refs.site(self.client, site) for site in parsed_args.without)
        job_id = self.client.remove_plane(application, name, without=without, left=parsed_args.left)
        # A plane that is removed as a whole is a job undone; unstretching, or leaving sites out, is a job done.
        if job_id is not None and not parsed_args.no_wait:
            progress.follow(self, job_id, parsed_args, "done", "undone")
        return _shown(self.client.get_plane(application, name))


class Forget(ShowOne):
    """Forget what is left of a plane in a site that will not come back"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_plane(super().get_parser(prog_name))
        parser.add_argument(
            "--site", action="append", required=True, metavar="<site>", help="The site (repeatable)"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        application = APPLICATION.id(self.client, parsed_args.application)
        return _shown(self.client.forget_plane_left(application, parsed_args.plane, parsed_args.site))


def read_planes(name: str) -> tuple[list[Any], list[str]]:
    """The planes of a file and, if it says so, the sites of those that name none: a list, or ``planes`` and ``sites``.

    Raises CommandError naming the file; what a plane must be, the service says.
    """
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        found = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CommandError(f"--planes {name}: it cannot be read: {error}") from error
    if isinstance(found, list):
        return found, []
    if not isinstance(found, Mapping) or not isinstance(found.get("planes"), list):
        raise CommandError(f"--planes {name}: it must be a list of planes, or have `planes` with such a list")
    if unknown := sorted(set(found) - {"planes", "sites"}):
        raise CommandError(
            f"--planes {name}: {', '.join(map(str, unknown))}: only `planes` and `sites` are known"
        )
    return found["planes"], list(found.get("sites") or ())


def read_option(text: str) -> dict[str, Any]:
    """``name=hb,role=backup,site=paris,site=lyon`` as a plane."""
    plane: dict[str, Any] = {}
    for word in text.split(","):
        key, _, value = word.partition("=")
        if key == "site" and value:
            plane.setdefault("sites", []).append(value)
        elif key in _FIELDS and value and key not in plane:
            plane[key] = value
        else:
            listed = ", ".join(f"{field}=..." for field in (*_FIELDS, "site"))
            raise CommandError(
                f"--plane {text}: {word!r}: must be made of {listed}, each but site at most once"
            )
    return plane


def _made(row: Mapping[str, Any]) -> str:
    router = f", router {row['router_id']}" if row["router_id"] else ""
    return f"{row['site']}: network {row['network_id']}, {row['cidr']}{router}"


_FORMATS: Formats = {"sites": ", ".join, "made": lines(_made), "left": ", ".join}
_PREVIEW_FORMATS: Formats = {"actions": lines(str), "notes": lines(str), "problems": findings.as_lines}


def _shown(plane: Mapping[str, Any]) -> Row:
    return shown(plane, _ORDER, _FORMATS, ("why",))  # ``explained`` says why


def _table(planes: list[dict[str, Any]]) -> Table:
    columns = {
        "Name": "name", "Role": "role", "Realized": "realized", "Sites": "sites", "CIDR": "cidr", "State": "state",
        "Left at": "left", "Error": "error",
    }  # fmt: skip
    return table(planes, columns, _FORMATS)


def _with_plane(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    APPLICATION.argument(parser).add_argument("plane", metavar="<plane>", help="Name of the plane")
    return parser
