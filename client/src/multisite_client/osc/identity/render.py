"""``openstack multisite identity render``: needs no cloud and no service."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from multisite_client.osc.base import Lister, Table, table
from multisite_client.osc.service_package import needs_service_package

_COLUMNS = {"File": "file", "Mode": "mode", "Change": "change"}


class Render(Lister):
    """Write every node's files of an identity topology; refuses to overwrite what it did not write"""

    auth_required = False

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("topology", metavar="<topology file>", type=Path, help="The topology (YAML)")
        parser.add_argument("--to", metavar="<folder>", type=Path, required=True, help="Where the files go")
        parser.add_argument(
            "--secrets",
            metavar="<file>",
            type=Path,
            help="Passwords by name (YAML, mode 600); without it, placeholders are written",
        )
        parser.add_argument(
            "--diff",
            action="store_true",
            help="Write nothing: show what would change; exit status 1 if anything",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Table:
        needs_service_package()
        from multisite.identity import secrets
        from multisite.identity.render import everything, tree
        from multisite.identity.topology import file as topology_file
        from multisite.identity.topology import rules as topology_rules

        topology = topology_file.read(parsed_args.topology)
        known = secrets.read(parsed_args.secrets) if parsed_args.secrets else None
        for warning in topology_rules.warnings(topology):
            self.app.stderr.write(f"warning: {warning}\n")
        files = everything.files(topology, known)
        if parsed_args.diff:
            changes = [c for c in tree.changes(parsed_args.to, files) if c.kind != "same"]
            for change in changes:
                self.app.stderr.write(change.diff)
            self.exit_status = 1 if changes else 0
        else:
            changes = list(tree.write(parsed_args.to, files))
        modes = {file.name: f"{file.mode:o}" for file in files}
        rows: list[dict[str, Any]] = [
            {"file": c.name, "mode": modes.get(c.name, ""), "change": c.kind} for c in changes
        ]
        return table(rows, _COLUMNS)
