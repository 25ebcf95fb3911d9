"""``multisite``: serve the API, carry out jobs, keep the sites' keys, check the configuration."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import NoReturn

from multisite.command import arguments as common
from multisite.command.keys import dispatch as keys
from multisite.domain.findings import Finding, blockers, describe


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the program."""
    parser = common.parser("multisite", __doc__)
    commands = parser.add_subparsers(required=True, metavar="<command>")
    common.command(commands, "serve", "serve the REST API and carry out jobs", _serve)
    common.command(commands, "worker", "carry out jobs only, beside others on a database server", _worker)
    check = common.command(
        commands, "check", "check the configuration; exit 1 when the service would not work", _check
    )
    check.add_argument("--offline", action="store_true", help="do not open the database, do not ask Keystone")
    common.command(commands, "openapi", "print the OpenAPI document of the REST API", _openapi)
    keys.add(commands)
    return common.run(parser, argv)


def _serve(arguments: argparse.Namespace) -> NoReturn:
    from multisite.command import checks
    from multisite.command.serve import serve

    conf = common.configuration(arguments)
    _refuse(checks.static(conf))
    serve(conf)


def _worker(arguments: argparse.Namespace) -> NoReturn:
    from multisite.command import checks
    from multisite.command.worker import work

    conf = common.configuration(arguments)
    _refuse(checks.for_worker(conf))
    work(conf)


def _refuse(findings: Sequence[Finding]) -> None:
    if found := blockers(findings):
        raise common.ConfigurationWrong(describe(found))


def _check(arguments: argparse.Namespace) -> int:
    from multisite.command import checks

    conf = common.configuration(arguments)
    findings = checks.static(conf) if arguments.offline else checks.thorough(conf)
    for finding in findings:
        sys.stdout.write(f"{'error' if finding.blocking else 'warning'}: {finding}\n")
    wrong = len(blockers(findings))
    sys.stdout.write(f"{wrong} errors, {len(findings) - wrong} warnings\n")
    return common.EXIT_FAILED if wrong else 0


def _openapi(_arguments: argparse.Namespace) -> int:
    from oslo_config import cfg

    from multisite.api.app import create_app

    conf = cfg.ConfigOpts()  # the document does not depend on the configuration
    conf([], project="multisite", default_config_files=[], default_config_dirs=[])
    app = create_app(None, conf, auth=False)  # describing routes calls no service
    json.dump(app.spec, sys.stdout, indent=2)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
