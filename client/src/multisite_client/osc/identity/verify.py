"""``openstack multisite identity verify``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multisite_client.osc import findings
from multisite_client.osc.base import Formats, Lister, Table, seconds, table
from multisite_client.osc.service_package import has_service_package, needs_service_package

if TYPE_CHECKING:
    from multisite.identity.proof.report import Report

_COLUMNS = {
    "Issued at": "issued",
    "Used at": "used",
    "Token": "verdict",
    "Validated at": "asked",
    "Local": "local",
    "Took": "seconds",
    "Revoked after": "refused_after",
}


class Verify(Lister):
    """Try a token of every site at every site; exit status 0 proven, 1 wrong, 2 incomplete

    It must be accepted, validated in the region of the service that gets it, and refused once it is revoked.  Needs an
    account that may create projects (--os-cloud): one is made, disabled, to measure replication, and removed.
    """

    @property
    def auth_required(self) -> bool:
        """Nobody is asked for a password before the command can do anything."""
        return has_service_package()

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("topology", type=Path, metavar="<file>", help="The identity's topology (YAML)")
        parser.add_argument("--report", type=Path, metavar="<file>", help="Write everything there, as JSON")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Table:
        needs_service_package()
        from multisite.identity.proof.keystone import Login
        from multisite.identity.proof.verify import verify
        from multisite.identity.topology import file as topology_file

        topology = topology_file.read(parsed_args.topology)
        auth: dict[str, Any] = self.app.client_manager.get_configuration()["auth"]
        names = ("username", "password", "project_name", "user_domain_name", "project_domain_name")
        login = Login(**{name: auth[name] for name in names if name in auth})
        report = verify(topology, login, lambda line: self._tell(f"... {line}"))
        found = report.to_json()
        if parsed_args.report:
            parsed_args.report.write_text(json.dumps(found, indent=1) + "\n")
        self._conclude(report, found["findings"])
        formats: Formats = {"asked": ", ".join, "seconds": _milliseconds, "refused_after": seconds}
        return table(found["pairs"], _COLUMNS, formats)

    def _conclude(self, report: Report, found: list[dict[str, Any]]) -> None:
        for lag in report.lags:
            arrived = f"after {lag.seconds:.3f} s" if lag.seconds is not None else f"not seen {lag.error}"
            self._tell(f"a write through the entry is read at {lag.site} {arrived}")
        self._tell(f"validations asked of another site: {report.inter_site}; a revocation is promised to be known "
                   f"everywhere within {report.bound:.0f} s")  # fmt: skip
        for finding in found:
            self._tell(findings.line(finding))
        self.exit_status = findings.exit_status(report.in_sync)

    def _tell(self, line: str) -> None:
        self.app.stderr.write(line + "\n")


def _milliseconds(value: float) -> str:
    return f"{value * 1000:.0f} ms"
