"""``multisite-manage``: the database, the backup store, the catalog, a sample configuration."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Sequence

from multisite.command import arguments as common
from multisite.command import backup_store, database
from multisite.command.database import opened as _database


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the program."""
    parser = common.parser("multisite-manage", __doc__)
    groups = parser.add_subparsers(required=True, metavar="<group>")
    database.add(groups)
    backup_store.add(groups)
    schedules = common.command(groups, "schedule", "periodic tasks").add_subparsers(required=True)
    common.command(schedules, "list", "every task, its last and its next run", _schedule_list)
    for verb, help in (("pause", "begin no further run of a task"), ("resume", "go on with a task")):
        pausing = common.command(schedules, verb, help, functools.partial(_schedule_pause, verb == "pause"))
        pausing.add_argument("name", metavar="<task>", help="its name in the list")
    common.command(groups, "retention", "what is kept, and what the next run removes", _retention)
    _register_command(groups)
    config = common.command(groups, "config", "the configuration").add_subparsers(required=True)
    common.command(config, "sample", "print a sample with every option", _config_sample)
    return common.run(parser, argv)


def _register_command(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    help = "put service and endpoints into Keystone's catalog; safe to repeat"
    register = common.command(groups, "register", help, _register)
    register.add_argument(
        "--cloud", required=True, metavar="<entry>", help="clouds.yaml entry of an administrator"
    )
    register.add_argument("--url", metavar="<url>", help="URL of the service (default: listen and port)")
    register.add_argument(
        "--region", metavar="<region>", help="region of the endpoints (default: the entry's)"
    )
    register.add_argument(
        "--interface",
        action="append",
        choices=("public", "internal", "admin"),
        help="endpoints to make (repeatable; default public and internal)",
    )


def _schedule_list(arguments: argparse.Namespace) -> int:
    from multisite.store.schedules import ScheduleStore

    for task in ScheduleStore(_database(arguments)).read()[1]:
        last = task.started_at.isoformat(timespec="seconds") if task.started_at else "never"
        following = "paused" if task.paused else f"next {task.next_at.isoformat(timespec='seconds')}"
        sys.stdout.write(f"{task.name}  {task.schedule}  last {last}  {following}  {task.error or 'ok'}\n")
    return 0


def _schedule_pause(paused: bool, arguments: argparse.Namespace) -> int:
    from multisite.store.schedules import ScheduleStore

    ScheduleStore(_database(arguments)).pause(arguments.name, paused)
    return 0


def _retention(arguments: argparse.Namespace) -> int:
    from multisite.jobs.retention import Policy, Retention
    from multisite.store.trail import AuditTrail

    conf, rows = common.configuration(arguments), _database(arguments)
    policy = Policy(conf.retention.job_days, conf.retention.audit_days)
    kept = Retention(rows, AuditTrail(rows), policy).kept()
    sys.stdout.write("".join(f"{line}\n" for line in kept.lines()))
    return 0


def _register(arguments: argparse.Namespace) -> int:
    from multisite.command.catalog import register

    conf = common.configuration(arguments)
    host = f"[{conf.listen}]" if ":" in conf.listen else conf.listen
    url = arguments.url or f"http://{host}:{conf.port}/v1"
    interfaces = tuple(arguments.interface or ("public", "internal"))
    for line in register(conf.clouds.config_file, arguments.cloud, url, arguments.region, interfaces):
        sys.stdout.write(f"{line}\n")
    return 0


def _config_sample(_arguments: argparse.Namespace) -> int:
    from multisite.command.sample import sample

    sys.stdout.write(sample())
    return 0


if __name__ == "__main__":
    sys.exit(main())
