"""The database server of a site, and of the golden database."""

from __future__ import annotations

import subprocess
from pathlib import Path


def server_command(data: Path, run: Path, log: Path) -> tuple[str, ...]:
    """mariadbd in the foreground on the loopback of its namespace.

    The log is written at each commit but not synced: a killed server loses nothing, only a killed machine
    would.
    """
    return (
        "/usr/sbin/mariadbd",
        "--no-defaults",
        "--user=root",
        f"--datadir={data}",
        f"--socket={run}/mysql.sock",
        f"--pid-file={run}/mysql.pid",
        "--bind-address=127.0.0.1",
        "--port=3306",
        "--skip-name-resolve",
        "--skip-log-bin",
        "--innodb-flush-log-at-trx-commit=2",
        "--innodb-doublewrite=0",
        "--innodb-buffer-pool-size=128M",
        "--innodb-log-file-size=64M",
        "--max-connections=1000",
        "--character-set-server=utf8mb4",
        "--performance-schema=off",
        f"--log-error={log}",
    )


def execute(run: Path, sql: str) -> str:
    """Run SQL as the server's root; by standard input, for the text may hold a password."""
    command = ["mariadb", "--no-defaults", "--skip-column-names", "-S", str(run / "mysql.sock")]
    return subprocess.run(command, input=sql, capture_output=True, text=True, check=True).stdout
