"""``openstack multisite audit ...``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from multisite_client.osc.base import Table, seconds
from multisite_client.osc.noun import ListNoun, Noun

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


RECORD = Noun("audit_record", "Record (id)", (), _COLUMNS, {"seconds": seconds}, plural="audit")


class List(ListNoun):
    """List changes, by whom and with what outcome, newest first"""

    noun, filters, most = RECORD, ("job", "site", "subject", "since"), 100

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
        parser.add_argument("--long", action="store_true", help="Also job, step, requests and durations")
        return parser

    def table(self, items: Iterable[Any], parsed: argparse.Namespace) -> Table:
        return (replace(RECORD, columns=_COLUMNS | _LONG) if parsed.long else RECORD).table(items)
