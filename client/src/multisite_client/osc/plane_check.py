"""``openstack multisite application plane check|repair``: whether planes are still as they were made, and repair."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from multisite_client.osc import findings, progress
from multisite_client.osc.application import APPLICATION
from multisite_client.osc.base import Lister, Table, table

IN_SYNC, DRIFT, UNKNOWN = "in-sync", "drift", "unknown"
COLUMNS = {
    "Plane": "plane", "Site": "site", "State": "state", "What": "what", "Consequence": "consequence",
    "Remedy": "remedy",
}  # fmt: skip
_AT_REST = "described"


class Check(Lister):
    """Compare planes with what their sites have; exit status 1 when something differs, 2 when it is unknown"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = APPLICATION.argument(super().get_parser(prog_name))
        parser.add_argument(
            "plane", metavar="<plane>", nargs="?", help="Name of the plane (default: all of the application)"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Table:
        application = APPLICATION.id(self.client, parsed_args.application)
        if parsed_args.plane is not None:
            rows = list(
                compared(self.client, application, self.client.get_plane(application, parsed_args.plane))
            )
        else:
            rows = [
                row
                for plane in self.client.planes(application)
                for row in _of_any(self.client, application, plane)
            ]
        self.exit_status = status(rows)
        return table(rows, COLUMNS)


class Repair(Lister):
    """Repair what is missing or disabled of a plane, removing nothing, then check it; exit status as of check"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = APPLICATION.argument(super().get_parser(prog_name))
        parser.add_argument("plane", metavar="<plane>", help="Name of the plane")
        return progress.add_options(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Table:
        application, name = APPLICATION.id(self.client, parsed_args.application), parsed_args.plane
        job_id = self.client.repair_plane(application, name)
        if job_id is not None and not parsed_args.no_wait:
            progress.follow(self, job_id, parsed_args, "done")
        elif job_id is not None:
            self.app.stderr.write(f"job {job_id} is at work; what follows is as it is now\n")
        rows = list(compared(self.client, application, self.client.get_plane(application, name)))
        self.exit_status = self.exit_status or status(rows)
        return table(rows, COLUMNS)


def compared(client: Any, application: str, plane: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A row for everything that differs or is unknown, and one for each site where nothing does."""
    found = client.check_plane(application, plane["name"])["findings"]
    for one in found:
        state = UNKNOWN if one["severity"] == UNKNOWN else DRIFT
        yield {**one, "plane": plane["name"], "state": state}
    named = {one["site"] for one in found}
    for site in plane["sites"]:
        if site not in named:
            yield {"plane": plane["name"], "site": site, "state": IN_SYNC}


def status(rows: list[dict[str, Any]]) -> int:
    """What differs outweighs what is unknown."""
    states = {row["state"] for row in rows}
    return findings.exit_status(False if DRIFT in states else None if states - {IN_SYNC, _AT_REST} else True)


def _of_any(client: Any, application: str, plane: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One that is not active is told as it is: there is nothing to compare."""
    if plane["state"] == "active":
        yield from compared(client, application, plane)
    else:
        yield {
            "plane": plane["name"],
            "site": "",
            "state": plane["state"],
            "what": plane["error"] or plane["sentence"],
        }
