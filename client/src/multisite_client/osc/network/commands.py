"""``openstack multisite network ...``: one layer-2 network over several sites."""

from __future__ import annotations

import argparse
from typing import Any

from multisite_client.osc import findings, progress, refs
from multisite_client.osc.base import Lister, Row, ShowOne, Table, shown, table
from multisite_client.osc.network.options import add_order, order_of
from multisite_client.osc.network.view import FORMATS, ORDER, PLAN_FORMATS, PLAN_ORDER, drift_row, write_drift
from multisite_client.osc.noun import ListNoun, Noun, ShowNoun, command


def _sites(members: Any) -> str:
    return ", ".join(member["site"] for member in members)


NETWORK = Noun(
    "network",
    "Stretched network (name or id)",
    ORDER,
    {
        "ID": "id", "Name": "name", "State": "state", "Kind": "kind", "Segment": "segmentation_id", "CIDR": "cidr",
        "MTU": "mtu", "Sites": "members",
    },
    FORMATS,
    {"members": _sites},
    plural="stretched_networks",
    find=refs.as_given,
)  # fmt: skip


class Stretch(ShowOne):
    """Stretch a network over sites; exit status 1 when that fails, 2 when it cannot be started"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = add_order(super().get_parser(prog_name))
        parser.add_argument("--preview", action="store_true", help="Only show what would be done")
        return progress.add_options(parser)

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        order = order_of(self.client, parsed_args)
        plan = self.client.preview_stretch(**order)
        if parsed_args.preview or not plan["startable"]:
            self.exit_status = findings.startable(plan)
            return shown(plan, PLAN_ORDER, PLAN_FORMATS)
        started = self.client.stretch_network(**order)
        if parsed_args.no_wait:
            return NETWORK.row(started["network"])
        progress.follow(self, started["job_id"], parsed_args, "done")
        return NETWORK.row(self.client.get_stretched_network(started["network"]["id"])["network"])


List = command(ListNoun, NETWORK, "List stretched networks")


class Show(ShowNoun):
    """Show a stretched network and which of its remote ports are in sync now"""

    noun = NETWORK

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        return _drift(self, self.client.get_stretched_network(parsed_args.network), parsed_args)


class Check(Lister):
    """Compare the sites' parts of a network with what they should be; exit status 1 when one differs, 2 when unknown"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return NETWORK.argument(super().get_parser(prog_name))

    def take_action(self, parsed_args: argparse.Namespace) -> Table:
        found = self.client.check_stretched_network(parsed_args.network)
        self.exit_status = findings.exit_status(found["in_sync"])
        return table(found["findings"], findings.COLUMNS)


class Reconcile(ShowNoun):
    """Reconcile the remote ports of a network now; exit status 1 when some still differ, 2 when it is unknown"""

    noun = NETWORK

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        found = self.client.reconcile_network(parsed_args.network)
        silent = {"unknown" for site in found["sites"] if site["error"]}  # also of a site no port is known of
        states = set(found["counts"]) - {"in-sync"} | silent
        self.exit_status = findings.exit_status(False if states - {"unknown"} else None if states else True)
        return _drift(self, found, parsed_args)


class Unstretch(ShowNoun):
    """Unstretch a network; adopted networks are kept"""

    noun, waits = NETWORK, True

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--keep-networks", action="store_true", help="Keep every site's network")
        parser.add_argument(
            "--without",
            action="append",
            default=[],
            metavar="<site>",
            help="A lost site: do nothing there (repeatable)",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> Row:
        without = tuple(refs.site(self.client, site) for site in parsed_args.without)
        job_id = self.client.unstretch_network(
            parsed_args.network, keep_networks=parsed_args.keep_networks, without=without
        )
        if job_id is not None and not parsed_args.no_wait:
            progress.follow(self, job_id, parsed_args, "done")
        return ("job_id",), (job_id,)


def _drift(command: Any, found: dict[str, Any], parsed: argparse.Namespace) -> Row:
    """A table of all ports for people, everything for machines."""
    if parsed.formatter == "table":
        write_drift(found, command.app.stdout)
    return NETWORK.row(drift_row(found, whole=parsed.formatter != "table"))
