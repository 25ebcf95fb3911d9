"""``openstack multisite identity check``: asks databases, files and Keystones themselves, no service of ours."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from osc_lib import exceptions

from multisite_client.osc import findings
from multisite_client.osc.base import Lister, Table, table
from multisite_client.osc.service_package import needs_service_package

_AREAS = ("database", "keystone", "services", "catalog")
_LOGIN_SECONDS = 20


class Check(Lister):
    """Compare a running identity deployment with its topology; exit status 0 in sync, 1 drift, 2 unknown"""

    auth_required = False

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("topology", metavar="<topology file>", type=Path, help="The topology (YAML)")
        parser.add_argument(
            "--site", metavar="<site>", action="append", default=[], help="Only this site (repeatable)"
        )
        parser.add_argument(
            "--only", choices=_AREAS, action="append", default=[], help="Only this area (repeatable)"
        )
        parser.add_argument(
            "--secrets", metavar="<file>", type=Path, help="Passwords by name (YAML, mode 600), for databases"
        )
        parser.add_argument(
            "--configs",
            metavar="<folder>",
            type=Path,
            help="Files of nodes, laid out as `render` writes them: <site>/keystone/etc/keystone/keystone.conf,"
            " <site>/services/*.conf",
        )
        parser.add_argument(
            "--authtoken",
            metavar="<site>=<file>",
            action="append",
            default=[],
            help="A service's configuration file (repeatable)",
        )
        parser.add_argument(
            "--wait", type=float, default=3.0, metavar="<seconds>",
            help="How long a replica may lag behind its master (default 3)",
        )  # fmt: skip
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Table:
        needs_service_package()
        from multisite.domain.findings import in_sync
        from multisite.identity import secrets
        from multisite.identity.check import run
        from multisite.identity.topology import file as topology_file

        topology = topology_file.read(parsed_args.topology)
        names = {site.name for site in topology.sites}
        scope = run.Scope(
            sites=frozenset(_known(name, names) for name in parsed_args.site) or frozenset(names),
            areas=frozenset(run.Area(area) for area in parsed_args.only or _AREAS),
            secrets=secrets.read(parsed_args.secrets) if parsed_args.secrets else None,
            configs=_folder(parsed_args.configs),
            authtokens=_authtokens(parsed_args.authtoken, names),
            login=self._login(),
            wait=parsed_args.wait,
        )
        found = run.findings(topology, scope)
        self.exit_status = findings.exit_status(in_sync(found))
        if not found:
            self.app.stderr.write(f"{topology.name}: in sync\n")
        return table([asdict(finding) for finding in found], findings.COLUMNS)

    def _login(self) -> Callable[[], str] | None:
        """A login as `openstack` was told to; None when it was told nothing."""
        app = self.app
        if not (app.options.cloud or app.options.auth_url):
            return None

        def token() -> str:
            # This command needs no login in itself, so the shell has not looked at how to.
            cloud = app.cloud_config.get_one(cloud=app.options.cloud, argparse=app.options, validate=True)
            session = cloud.get_session()
            session.timeout = _LOGIN_SECONDS
            return str(session.get_token())

        return token


def _known(name: str, names: set[str]) -> str:
    if name not in names:
        raise exceptions.CommandError(
            f"site: {name!r} is not in the topology: name one of {', '.join(sorted(names))}"
        )
    return name


def _folder(path: Path | None) -> Path | None:
    if path is not None and not path.is_dir():
        raise exceptions.CommandError(
            f"--configs: {path} is not a folder: name one laid out as `render` writes it"
        )
    return path


def _authtokens(options: list[str], names: set[str]) -> dict[str, tuple[Path, ...]]:
    found: dict[str, tuple[Path, ...]] = {}
    for option in options:
        site, separator, file = option.partition("=")
        if not separator or not file:
            raise exceptions.CommandError(f"--authtoken: {option!r} is wrong: give <site>=<file>")
        found[_known(site, names)] = (*found.get(site, ()), Path(file))
    return found
