"""``openstack multisite audit ...``."""

from __future__ import annotations

import argparse
from typing import Any

from multisite_client.osc.base import Lister, Table, seconds, table

_COLUMNS = {
    "ID": "id",
    "At": "at",
    "User": "user",
    "Kind": "kind",
    "Site": "site",
    "Service": "service",
    "Method": "method",
    "Path": "path",
    "Action": "action",
    "Resource": "resource_id",
    "Outcome": "outcome",
    "Status": "status",
}
_LONG = {
    "Project": "project_id",
    "Job": "job_id",
    "Step": "step",
    "Attempt": "attempt",
    "Undoing": "undoing",
    "Request": "request_id",
    "Request in site": "cloud_request_id",
    "Took": "seconds",
}


class List(Lister):
    """List changes, by whom and with what outcome, newest first"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--job", metavar="<job>", help="Only what this job did, and who requested it")
        parser.add_argument("--site", metavar="<site>", help="Only in this site")
        parser.add_argument(
            "--subject",
            metavar="<subject>",
            help="Only about this application (name or id), protection, restore point, recovery or resource",
        )
        parser.add_argument(
            "--since",
            metavar="<time>",
            help="Only at or after this time (ISO 8601 with time zone: 2026-01-31T12:00:00Z)",
        )
        parser.add_argument(
            "--limit", type=int, default=100, metavar="<count>", help="Maximum number of records"
        )
        parser.add_argument("--marker", type=int, metavar="<id>", help="Only older than this record")
        parser.add_argument("--long", action="store_true", help="Also job, step, requests and durations")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Table:
        names = ("job", "site", "subject", "since", "limit", "marker")
        query: dict[str, Any] = {n: getattr(parsed_args, n) for n in names if getattr(parsed_args, n)}
        columns = _COLUMNS | (_LONG if parsed_args.long else {})
        return table(self.client.audit(**query), columns, {"seconds": seconds})
