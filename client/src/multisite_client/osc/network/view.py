"""How a stretched network, its plan and its drift look to people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from multisite_client.osc.base import Formats, lines, pairs, seconds
from multisite_client.osc.findings import as_lines

ORDER = (
    "id", "name", "state", "kind", "segmentation_id", "cidr", "mtu", "gateway", "gateway_site", "dhcp",
    "remote_groups", "port_security", "members", "counts", "changes", "error", "job_id", "requested_by", "created_at",
)  # fmt: skip
PLAN_ORDER = ("startable", "segment", "cidr", "mtu", "members", "actions", "notes", "problems")
_COLUMNS = ("Site", "Port of", "Real port", "Addresses", "Endpoint", "State", "Age", "Detail")
_STYLES = {"in-sync": "green", "unknown": "yellow", "conflict": "red"}


def member(row: Mapping[str, Any]) -> str:
    """``paris: network 1f.. (adopted), 10.0.0.1 to 10.0.0.99, gateway 10.0.0.1``."""
    parts = [f"network {row['network_id']}" if row["network_id"] else "network to be made"]
    if row["adopted"]:
        parts[0] += " (adopted)"
    if row["pool"]:
        parts.append(f"{row['pool'][0]} to {row['pool'][1]}")
    if row["gateway"]:
        parts.append(f"gateway {row['gateway']}")
    if row["physical_network"]:
        parts.append(f"on {row['physical_network']}")
    return f"{row['site']}: {', '.join(parts)}"


FORMATS: Formats = {"members": lines(member), "counts": pairs, "changes": lines(str)}
PLAN_FORMATS: Formats = {
    "members": lines(member),
    "actions": lines(str),
    "notes": lines(str),
    "problems": as_lines,
}


def drift_row(found: Mapping[str, Any], *, whole: bool) -> dict[str, Any]:
    """The network's fields with the drift beside them; ``whole``: with every port and site."""
    row = {**found["network"], "counts": found["counts"], "changes": found["changes"]}
    return {**row, "sites": found["sites"], "ports": found["ports"]} if whole else row


def write_drift(found: Mapping[str, Any], stream: TextIO) -> None:
    """A line per site, and a table of every remote port."""
    console = Console(file=stream, width=None if stream.isatty() else 200, highlight=False)
    for site in found["sites"]:
        told = "seen" if site["error"] is None else f"UNKNOWN ({site['error']}), last seen"
        ports = f"{site['real_ports']} ports, {site['remote_ports']} remote ports"
        console.print(f"{site['site']}: {told} {site['seen_at'] or 'never'}: {ports}", markup=False)
    if not found["ports"]:
        return
    shown = Table(box=None, pad_edge=False)
    for title in _COLUMNS:
        shown.add_column(title)
    for row in found["ports"]:
        state = str(row["state"])
        age = "never seen" if row["age"] is None else seconds(row["age"])
        shown.add_row(
            row["site"], row["of_site"], row["real_id"], ", ".join(row["addresses"]), row["endpoint"] or "",
            f"[{_STYLES.get(state, 'magenta')}]{state}[/]", age, escape(row["detail"]),
        )  # fmt: skip
    console.print(shown)
