"""``openstack multisite drill ...``: prove that a recovery could be done, while the application runs."""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
from pathlib import Path
from typing import Any

from osc_lib.exceptions import CommandError

from multisite_client.osc import preview, progress, question, refs
from multisite_client.osc.base import Command, Row, ShowOne, lines, seconds, shown
from multisite_client.osc.noun import ListNoun, Noun, ShowNoun, command, finish
from multisite_client.osc.restore_point import RESTORE_POINT

PURPOSE = b"multisite.drill-report\0"
PAGE_BEGINS, PAGE_ENDS = b"<!-- multisite-signature ", b" -->"
FORMATS = {"rto_seconds": seconds, "rpo_seconds": seconds}

DRILL = Noun(
    "drill",
    "Drill (id, or an application's name: its newest)",
    (
        "id", "application", "result", "reasons", "state", "target_site", "site_project_id", "restore_point_id",
        "consistent_at", "rto_seconds", "rpo_seconds", "verify", "inventory_equal", "keep", "error", "job_id",
        "requested_by", "created_at", "ended_at",
    ),
    {
        "ID": "id", "Application": "application", "Target site": "target_site", "State": "state", "Result": "result",
        "RTO": "rto_seconds", "RPO": "rpo_seconds", "Created at": "created_at",
    },
    {"reasons": lines(str), **FORMATS},
    FORMATS,
    find=refs.drill,
)  # fmt: skip


class Start(ShowOne):
    """Recover a copy of an application in isolated networks of a site, and remove it again

    The application runs on and is not touched. Exit status 1 when the drill fails, 2 when it cannot be started.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = RESTORE_POINT.argument(super().get_parser(prog_name))
        question.with_question(parser, purpose="drill")
        parser.add_argument(
            "--verify",
            choices=("store", "none"),
            default="store",
            help="store: compare every block of the backups with its digest, in the backup store (default)",
        )
        parser.add_argument(
            "--keep", action="store_true", help="Leave the copy to look at, until `drill end`"
        )
        for name, what in (("rto", "a recovery may take"), ("rpo", "of work may be lost")):
            parser.add_argument(
                f"--{name}-target", type=float, metavar="<seconds>",
                help=f"How many seconds {what}: a drill that takes longer, or has older data, has failed",
            )  # fmt: skip
        progress.add_options(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        asked = question.question(self.client, parsed_args)
        found = self.client.preview_recovery(*asked.words, plan=asked.plan, purpose="drill")
        if (row := preview.refused(self, parsed_args, found)) is not None:
            return row
        names = ("verify", "keep", "rto_target", "rpo_target")
        options = {name: getattr(parsed_args, name) for name in names}
        started = self.client.start_drill(
            *asked.words, plan=asked.plan, options=options, preview=found["digest"]
        )
        wanted = "done" if parsed_args.keep else "undone"
        row = finish(self, DRILL, started, parsed_args, wanted)
        if not parsed_args.no_wait and self.client.get_drill(started["drill"]["id"]).result != "passed":
            self.exit_status = 1
        return row


List = command(ListNoun, DRILL, "List drills")
Show = command(ShowNoun, DRILL, "Show a drill")


class End(ShowNoun):
    """End a drill that is kept: remove its copy"""

    noun, waits = DRILL, True

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        return finish(self, DRILL, self.client.end_drill(self.id(parsed_args)), parsed_args, "undone")


class Report(Command):
    """Write the signed report of a drill, for programs or as a page for people"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = DRILL.argument(super().get_parser(prog_name))
        parser.add_argument(
            "--json", metavar="<file>", help="Write the report as JSON, below a line with its signature"
        )
        parser.add_argument(
            "--page", metavar="<file>", help="Write the report as a page (HTML) to look at and print"
        )
        parser.add_argument("--key", metavar="<file>", help="Write the public key that verifies both")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        found = self.client.drill_report(DRILL.id(self.client, parsed_args.drill))
        files = {"json": "report", "page": "page", "key": "public_key"}
        wanted = {name: getattr(parsed_args, name) for name in files if getattr(parsed_args, name)}
        if not wanted:
            body = json.loads(found["report"].partition("\n")[2])
            self.app.stdout.write(json.dumps(body, indent=2) + "\n")
        for name, file in wanted.items():
            Path(file).write_bytes(found[files[name]].encode())
            self.app.stdout.write(f"{file}\n")


class Verify(ShowOne):
    """Say whether the report or the page of a drill is as it was signed; exit status 1 when it is not

    Works without the service, with the public key that `drill report --key` or `multisite-manage store keys export`
    gives.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("file", metavar="<file>", help="What `drill report` wrote")
        parser.add_argument(
            "--key", metavar="<file>", required=True, help="Public key of the installation (PEM)"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        found = verify(_read(parsed_args.file), _read(parsed_args.key), parsed_args.file)
        return shown(found, ("file", "verified", "key", "id", "application", "result"))


def _read(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from error


def verify(sealed: bytes, key: bytes, name: str) -> dict[str, Any]:
    """What a signed file says; CommandError when the key did not sign these bytes."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        public = load_pem_public_key(key)
    except (ValueError, UnsupportedAlgorithm):
        public = None
    if not isinstance(public, Ed25519PublicKey):
        raise CommandError("--key: not the public key of an installation (`drill report --key` writes it)")
    id = hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]
    first, _, data = sealed.partition(b"\n")
    page = first.startswith(PAGE_BEGINS) and first.endswith(PAGE_ENDS)
    said = first[len(PAGE_BEGINS) : -len(PAGE_ENDS)] if page else first
    try:
        signature = json.loads(said)
        signed_by, value = signature["key"], base64.b64decode(signature["signature"], validate=True)
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise CommandError(
            f"{name}: its first line is no signature: it was changed, or is no report"
        ) from None
    if signed_by != id:
        raise CommandError(
            f"{name}: signed by key {str(signed_by)[:64]}; --key is {id}: get that installation's"
        )
    try:
        public.verify(value, PURPOSE + data)
    except InvalidSignature:
        raise CommandError(f"{name}: it was changed after it was signed: do not believe it") from None
    body = {} if page else json.loads(data)
    return {"file": name, "verified": True, "key": id} | {
        field: body[field] for field in ("id", "application", "result") if field in body
    }
