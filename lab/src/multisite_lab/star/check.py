"""A site's health agent: tells the proxies, over HTTP, what a connection to a port cannot tell.

A Galera node outside the primary component still accepts connections and logins, and a copy whose master died still
answers every question, from the past.  Runs under the OpenStack environment's Python, for its PyMySQL.

Port 9200: 200 when this site may be asked: one of its databases, and its Keystone answers.  9201, 9202: a node is in
the primary component and ready; a copy hears from its master.  9211, 9212: the server runs.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pymysql  # type: ignore[import-untyped, unused-ignore]

from multisite_lab.model import site_named
from multisite_lab.star import layout
from multisite_lab.star.layout import Node

_EVERY = 0.8
_ANSWER = 3.0


@dataclass(frozen=True)
class Verdict:
    """``at``: seconds on this machine's monotonic clock; an old verdict counts as a bad one."""

    good: bool
    text: str
    at: float

    def now(self) -> tuple[bool, str]:
        """What to answer: a sampler that hangs in a query must not be believed."""
        age = time.monotonic() - self.at
        return (self.good, self.text) if age < 2 * _ANSWER else (False, f"no verdict for {age:.1f} s")


def status_of_master(node: Node) -> tuple[bool, str]:
    """Whether a Galera node may be written to and read from."""
    rows = dict(_query(node, "SHOW STATUS LIKE 'wsrep_%'", tuple))
    state = rows.get("wsrep_cluster_status", "?")
    words = f"{rows.get('wsrep_local_state_comment')}, {state} of {rows.get('wsrep_cluster_size')}"
    return state == "Primary" and rows.get("wsrep_ready") == "ON", words


class CopyWatch:
    """A copy's threads, and how long ago its master was last heard: by a heartbeat or by a change."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._last: tuple[Any, ...] = ()
        self._heard = 0.0

    def look(self) -> tuple[bool, str]:
        """Whether the copy is fresh, and in words."""
        found: list[dict[str, Any]] = _query(self._node, "SHOW ALL SLAVES STATUS", dict)
        if not found:
            return False, "follows nobody"
        row = found[0]
        heartbeats = row.get("Slave_received_heartbeats")
        seen = (
            row["Master_Host"],
            heartbeats,
            row["Gtid_IO_Pos"],
            row["Read_Master_Log_Pos"],
        )
        if seen != self._last:
            self._last, self._heard = seen, time.monotonic()
        silent = time.monotonic() - self._heard
        threads = f"IO {row['Slave_IO_Running']}, SQL {row['Slave_SQL_Running']}"
        behind = row["Seconds_Behind_Master"]
        words = f"follows {row['Master_Host']}, {threads}, {behind} s behind"
        if silent > layout.STALE_AFTER:
            words += f", master not heard for {silent:.0f} s"
        if error := row["Last_SQL_Error"] or row["Last_IO_Error"]:
            words += f": {error[:120]}"
        running = row["Slave_IO_Running"] == "Yes" and row["Slave_SQL_Running"] == "Yes"
        late = silent > layout.STALE_AFTER or (behind or 0) > layout.STALE_AFTER
        return running and not late, words


_KEPT = threading.local()


def _query(node: Node, sql: str, kind: type) -> Any:
    """Rows of one query, over a connection kept by each thread for its one server; pymysql.Error, OSError."""
    cursor = pymysql.cursors.DictCursor if kind is dict else pymysql.cursors.Cursor
    connection = getattr(_KEPT, "connection", None)
    if connection is None:
        limits = {"connect_timeout": 2, "read_timeout": 2, "write_timeout": 2}
        connection = pymysql.connect(unix_socket=str(node.socket), user="root", **limits)
    _KEPT.connection = None  # until the answer is there: after an error the next question gets a new one
    with connection.cursor(cursor) as rows:
        rows.execute(sql)
        found = rows.fetchall()
    _KEPT.connection = connection
    return found


def keystone_answers(address: str, port: int) -> bool:
    """Whether a Keystone answers anything."""
    connection = http.client.HTTPConnection(address, port, timeout=_ANSWER)
    try:
        connection.request("GET", "/v3")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Agent:
    """Samples in the background, so that a hung database can never hang an answer."""

    def __init__(self, site_name: str) -> None:
        self._site = site_named(site_name)
        self.verdicts: dict[int, Verdict] = {}

    def checks(self) -> dict[int, Callable[[], tuple[bool, str]]]:
        """Port -> the question asked behind it."""
        found: dict[int, Callable[[], tuple[bool, str]]] = {}
        for node in layout.nodes(self._site):
            master = node.follows is None
            found[layout.fresh_port(node)] = (
                partial(status_of_master, node) if master else CopyWatch(node).look
            )
            found[layout.alive_port(node)] = partial(_runs, node)
        fresh = [layout.fresh_port(node) for node in layout.nodes(self._site)]
        return found | {layout.CHECK_PORT: partial(self._whole, fresh)}

    def watch(self, port: int, check: Callable[[], tuple[bool, str]]) -> None:
        """Ask for ever."""
        while True:
            try:
                good, text = check()
            except (pymysql.Error, OSError) as error:
                good, text = False, f"{type(error).__name__}: {error}"[:160]
            self.verdicts[port] = Verdict(good, text, time.monotonic())
            time.sleep(_EVERY)

    def _whole(self, ports: list[int]) -> tuple[bool, str]:
        """Whether the site may be asked: one of its databases, and its Keystone."""
        known = [self.verdicts[port].now() for port in ports if port in self.verdicts]
        if not any(good for good, _ in known):
            return False, "no database may be asked: " + "; ".join(text for _, text in known)
        if not keystone_answers(self._site.management, layout.keystone_port(self._site)):
            return False, "Keystone does not answer"
        return True, "answers"


def _runs(node: Node) -> tuple[bool, str]:
    return bool(_query(node, "SELECT 1", tuple)), "runs"


def _server(address: str, port: int, agent: Agent) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            verdict = agent.verdicts.get(port)
            good, text = verdict.now() if verdict else (False, "not asked yet")
            body = json.dumps({"good": good, "text": text}).encode()
            self.send_response(200 if good else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    return ThreadingHTTPServer((address, port), Handler)


def main() -> None:
    """Serve the site named on the command line until killed."""
    os.umask(0o077)
    agent = Agent(sys.argv[1])
    checks = agent.checks()
    # The copies first: the site's own verdict is made of theirs.
    for port in sorted(checks, reverse=True):
        threading.Thread(target=agent.watch, args=(port, checks[port]), daemon=True).start()
    servers = [_server(site_named(sys.argv[1]).management, port, agent) for port in checks]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()


if __name__ == "__main__":
    main()
