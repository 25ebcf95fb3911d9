"""Starts a site's Galera node, from wherever its last end left it.

After a crash grastate.dat says `seqno: -1`.  A node started so asks for a full copy of the cluster (SST), which
also replaces its binary logs, and a copy that follows it and is behind then stops with error 1236.  InnoDB knows
how far the node was: asked first (--wsrep-recover) it needs only what it missed (IST).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from multisite_lab.model import LabError, Site, site_named
from multisite_lab.passwords import write_private
from multisite_lab.star import layout
from multisite_lab.star.layout import Node

SERVER = "/usr/sbin/mariadbd"
_RECOVERED = re.compile(r"WSREP: Recovered position: *(\S+)")


def bootstrap_mark(node: Node) -> Path:
    """File that tells the node, once, to be the first of its cluster (written by cluster.py)."""
    return node.site.var / "identity-bootstrap"


def recovered(node: Node) -> str:
    """Where a stopped node was: `UUID:SEQNO` and, with GTID mode, `,GTID`; LabError when nobody can tell."""
    log = node.site.log / f"{node.service}.recover.log"
    log.unlink(missing_ok=True)
    command = [SERVER, f"--defaults-file={node.config}", "--wsrep-recover", f"--log-error={log}"]
    subprocess.run(command, capture_output=True, timeout=120)
    found = _RECOVERED.findall(log.read_text(errors="replace")) if log.exists() else []
    if not found:
        raise LabError(f"{node.site.name}: mariadbd --wsrep-recover found no position: see {log}")
    return str(found[-1])


def seqno(position: str) -> int:
    """The number of the last change in a recovered position."""
    return int(position.partition(",")[0].rpartition(":")[2])


def command(node: Node) -> list[str]:
    """How to start the node now."""
    position = recovered(node)
    found = [SERVER, f"--defaults-file={node.config}", f"--wsrep_start_position={position}"]
    if bootstrap_mark(node).exists():
        _allow_bootstrap(node)
        bootstrap_mark(node).unlink()
        found.append("--wsrep-new-cluster")
    return found


def _allow_bootstrap(node: Node) -> None:
    file = node.data / "grastate.dat"
    text = re.sub(r"^safe_to_bootstrap:.*$", "safe_to_bootstrap: 1", file.read_text(), flags=re.MULTILINE)
    write_private(file, text)


def main() -> None:
    """Become the server of the site named on the command line."""
    os.umask(0o077)
    site: Site = site_named(sys.argv[1])
    found = command(layout.node_of_master(site))
    print(" ".join(found), flush=True)
    os.execv(SERVER, found)


if __name__ == "__main__":
    main()
