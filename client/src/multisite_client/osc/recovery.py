"""``openstack multisite recovery ...``: look, decide, recover, undo."""

from __future__ import annotations

import argparse
from typing import Any

from osc_lib.exceptions import CommandError

from multisite_client.osc import findings, preview, progress, refs
from multisite_client.osc.base import Row, ShowOne, lines, pairs, seconds, shown
from multisite_client.osc.noun import ListNoun, Noun, ShowNoun, command, finish
from multisite_client.osc.restore_point import RESTORE_POINT

KINDS = {
    "project": "projects",
    "network": "networks",
    "network-name": "network_names",
    "flavor": "flavors",
    "volume-type": "volume_types",
    "availability-zone": "availability_zones",
    "volume-zone": "volume_zones",
    "keypair": "keypairs",
    "keypair-name": "keypair_names",
    "security-group": "security_groups",
    "security-group-name": "security_group_names",
    "server-group": "server_groups",
    "qos-policy": "qos_policies",
    "router": "routers",
    "router-name": "router_names",
    "external-network": "external_networks",
    "floating-ip": "floating_ips",
}
"""Every map of the API's rules, by what ``--map`` calls it."""


def _server(server: dict[str, Any]) -> str:
    return " ".join(str(value) for value in server.values() if isinstance(value, str | int | float))


RECOVERY = Noun(
    "recovery",
    "Recovery (id, or an application's name: its newest)",
    (
        "id", "application", "state", "target_site", "site_project_id", "restore_point_id", "rto_seconds",
        "rpo_seconds", "servers", "error", "job_id", "requested_by", "created_at", "ended_at",
    ),
    {
        "ID": "id", "Application": "application", "Target site": "target_site", "State": "state",
        "RTO": "rto_seconds", "RPO": "rpo_seconds", "Created at": "created_at",
    },
    {"servers": lines(_server), "mapping": pairs},
    {"rto_seconds": seconds, "rpo_seconds": seconds},
    plural="recoveries",
    find=refs.recovery,
)  # fmt: skip


class Preview(ShowOne):
    """Show what a recovery would do, what data would be lost and which problems block it

    Changes nothing. Exit status 2 when the recovery could not be started.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_question(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        question = _question(self.client, parsed_args)
        found = self.client.preview_recovery(*question, supersede=parsed_args.supersede)
        self.exit_status = findings.startable(found)
        if parsed_args.formatter == "table":
            preview.write(found, self.app.stdout)
            found = {name: found[name] for name in preview.BESIDE_TABLE if name in found}
        return shown(found, preview.ORDER, preview.FORMATS)


class Start(ShowOne):
    """Recover an application in another site; exit status 1 when that fails, 2 when it cannot be started"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_question(super().get_parser(prog_name))
        parser.add_argument(
            "--yes-recover",
            metavar="<application name>",
            required=True,
            help="Confirm the recovery by the application's name",
        )
        progress.add_options(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        question = _question(self.client, parsed_args)
        found = self.client.preview_recovery(*question, supersede=parsed_args.supersede)
        stream = self.app.stdout if parsed_args.formatter == "table" else self.app.stderr
        stream.write(preview.summary(found) + "\n")
        if not found["startable"]:
            preview.write(found, stream)
            self.exit_status = findings.startable(found)
            return shown(found, preview.ORDER, preview.FORMATS)
        if parsed_args.yes_recover != found["application"]:
            raise CommandError(
                f"--yes-recover {parsed_args.yes_recover}: this restore point is of {found['application']!r}"
            )
        confirmed = {"confirm": parsed_args.yes_recover, "preview": found["digest"]}
        started = self.client.start_recovery(*question, **confirmed, supersede=parsed_args.supersede)
        return finish(self, RECOVERY, started, parsed_args)


List = command(ListNoun, RECOVERY, "List recoveries")
Show = command(ShowNoun, RECOVERY, "Show a recovery")


class Resume(ShowNoun):
    """Resume a paused recovery; what it made already is kept"""

    noun, waits = RECOVERY, True

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        return finish(self, RECOVERY, self.client.resume_recovery(self.id(parsed_args)), parsed_args)


class Undo(ShowNoun):
    """Undo a recovery: remove everything it made at the target, in reverse order"""

    noun, waits = RECOVERY, True

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        return finish(self, RECOVERY, self.client.undo_recovery(self.id(parsed_args)), parsed_args, "undone")


def _with_question(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    RESTORE_POINT.argument(parser)
    parser.add_argument("--target-site", metavar="<site>", required=True, help="Site to recover in")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="<kind>:<source>=<target>",
        help=f"Map a source resource to a target resource (repeatable; kinds: {', '.join(KINDS)})",
    )
    parser.add_argument(
        "--accept-loss",
        action="append",
        default=[],
        metavar="<loss>:<name or id>",
        help="Accept a loss that the preview names, such as ephemeral-disk:mme-1 (repeatable; goes to the audit trail)",
    )
    parser.add_argument(
        "--create-missing-flavors", action="store_true", help="Create flavors the target site lacks"
    )
    parser.add_argument(
        "--source-is-fenced",
        action="store_true",
        help="Confirm that the source's servers are off or cut off (needed while the source site cannot be asked)",
    )
    parser.add_argument(
        "--supersede",
        action="store_true",
        help="Confirm that the copies other recoveries made of the application are off or cut off, and given up",
    )
    parser.add_argument(
        "--ready-console", metavar="<regex>", help="A recovered server is ready when its console shows this"
    )
    parser.add_argument(
        "--ready-timeout", type=float, metavar="<seconds>", help="How long to wait until a server is ready"
    )
    return parser


def _question(client: Any, parsed: argparse.Namespace) -> tuple[str, str, dict[str, Any]]:
    """Restore point, target site and mapping of a request."""
    mapping: dict[str, Any] = {}
    for text in parsed.map:
        kind, source, target = _pair(text)
        mapping.setdefault(kind, {})[source] = target
    flags = ("accept_loss", "create_missing_flavors", "source_is_fenced", "ready_console", "ready_timeout")
    mapping |= {name: getattr(parsed, name) for name in flags if getattr(parsed, name)}
    point = RESTORE_POINT.id(client, parsed.restore_point)
    return point, refs.site(client, parsed.target_site), mapping


def _pair(text: str) -> tuple[str, str, str]:
    kind, _, pair = text.partition(":")
    source, _, target = pair.partition("=")
    if kind not in KINDS or not source or not target:
        raise CommandError(f"--map {text}: must be <kind>:<source>=<target>; kinds: {', '.join(KINDS)}")
    return KINDS[kind], source, target
