"""Asking one of the identity's database servers, by its socket, as its root."""

from __future__ import annotations

import re
import subprocess

from multisite_lab.model import LabError
from multisite_lab.star.layout import Node


class SqlError(LabError):
    """A database server did not do what it was asked."""


def execute(node: Node, sql: str, timeout: float = 60.0) -> str:
    """Run SQL and return its rows, columns parted by tabs; by standard input, for the text may hold a password.

    Raises SqlError.
    """
    return _run(node, ["--skip-column-names"], sql, timeout)


def status(node: Node) -> dict[str, str]:
    """Galera's variables of a node; empty when it does not answer."""
    try:
        lines = execute(node, "SHOW STATUS LIKE 'wsrep_%'", timeout=10).splitlines()
    except SqlError:
        return {}
    return {name: value for name, _, value in (line.partition("\t") for line in lines)}


def following(node: Node) -> dict[str, str]:
    """A copy's `SHOW SLAVE STATUS`; empty when it does not answer or follows nobody."""
    try:
        text = _run(node, ["--vertical"], "SHOW SLAVE STATUS", timeout=10)
    except SqlError:
        return {}
    pairs = (line.strip().partition(":") for line in text.splitlines() if ":" in line)
    return {name: value.strip() for name, _, value in pairs}


def position(node: Node) -> str:
    """The last change a server has: its GTID position; "" when it does not answer."""
    variable = "gtid_binlog_pos" if node.follows is None else "gtid_slave_pos"
    try:
        return execute(node, f"SELECT @@{variable}", timeout=10).strip()
    except SqlError:
        return ""


def _run(node: Node, options: list[str], sql: str, timeout: float) -> str:
    command = ["mariadb", "--no-defaults", "--connect-timeout=5", "-S", str(node.socket), *options]
    where = f"{node.site.name} {node.service}"
    try:
        done = subprocess.run(command, input=sql, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise SqlError(f"{where} did not answer within {timeout:.0f} s") from None
    if done.returncode:
        # The number only: the server repeats the text it could not read, and that may hold a password.
        found = re.search(r"ERROR \d+ \(\w+\)", done.stderr)
        raise SqlError(f"{where} says {found.group() if found else f'exit code {done.returncode}'}")
    return done.stdout
