"""A real HTTP server that is Keystone, Nova and Glance enough for openstacksdk: what the proxy stands before.

It remembers what took effect, so that a test can tell what happened from what was answered.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BIG = b"0123456789abcdef" * 65536  # 1 MiB: more than the proxy keeps


class LittleCloud:
    """``servers``: those made, by name, in order.  ``asked``: every request (method, path)."""

    def __init__(self) -> None:
        self.servers: list[str] = []
        self.status = "BUILD"
        self.logins = 0
        self.token_prefix = "token-"
        self.uploaded = b""
        self.asked: list[tuple[str, str]] = []
        self.peers: set[Any] = set()
        self.url = ""

    def catalog(self) -> list[dict[str, Any]]:
        paths = {"identity": "/identity", "compute": "/compute/v2.1", "image": "/image"}
        endpoint = {"interface": "public", "region": "West", "region_id": "West"}
        return [
            {"type": kind, "name": kind, "endpoints": [endpoint | {"id": kind, "url": self.url + path}]}
            for kind, path in paths.items()
        ]

    def token(self) -> dict[str, Any]:
        self.logins += 1
        domain = {"id": "default", "name": "Default"}
        return {
            "token": {
                "expires_at": "2099-01-01T00:00:00.000000Z", "issued_at": "2024-01-01T00:00:00.000000Z",
                "methods": ["password"], "user": {"id": "u1", "name": "operator", "domain": domain},
                "project": {"id": "p1", "name": "vnf", "domain": domain},
                "roles": [{"id": "member", "name": "member"}], "catalog": self.catalog(),
            }
        }  # fmt: skip


def version(url: str, id: str, low: str = "", high: str = "") -> dict[str, Any]:
    links = [{"rel": "self", "href": url}]
    return {"id": id, "status": "CURRENT", "min_version": low, "version": high, "links": links}


def answers(cloud: LittleCloud, method: str, path: str, body: Any) -> tuple[int, Any]:
    nova = version(f"{cloud.url}/compute/v2.1/", "v2.1", "2.1", "2.96")
    table = {
        ("GET", "/identity/v3"): lambda: {"version": version(f"{cloud.url}/identity/v3/", "v3.14")},
        ("POST", "/identity/v3/auth/tokens"): cloud.token,
        ("GET", "/compute"): lambda: {"versions": [nova]},
        ("GET", "/compute/v2.1"): lambda: {"version": nova},
        ("GET", "/image"): lambda: {"versions": [version(f"{cloud.url}/image/v2/", "v2.16")]},
        ("GET", "/compute/v2.1/servers/7"): lambda: {"server": {"id": "7", "status": cloud.status}},
        # An address in somebody's own data is nobody's link.
        ("GET", "/compute/v2.1/servers"): lambda: {
            "servers": [{"name": n, "metadata": {"url": cloud.url}} for n in cloud.servers]
        },
    }
    if (method, path) in table:
        return (201 if method == "POST" else 300 if path == "/compute" else 200), table[method, path]()
    if (method, path) == ("POST", "/compute/v2.1/servers"):
        cloud.servers.append(body["server"]["name"])
        made = {"id": str(len(cloud.servers)), "adminPass": body["server"].get("adminPass")}
        return 202, {"server": made}
    return 404, {"itemNotFound": {"code": 404, "message": f"nothing at {path}"}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cloud: LittleCloud

    def log_message(self, *_: Any) -> None:
        pass

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _serve(self) -> None:
        cloud, path = self.cloud, self.path.split("?")[0].rstrip("/")
        cloud.asked.append((self.command, path))
        sent = self._read()
        if path == "/image/v2/images/i/file":
            return self._file(sent)
        status, content = answers(cloud, self.command, path, json.loads(sent) if sent else None)
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Subject-Token", f"{cloud.token_prefix}{cloud.logins}")
        self.send_header("x-openstack-request-id", f"req-{len(cloud.asked)}")
        self.end_headers()
        self.wfile.write(body)
        return None

    def _file(self, sent: bytes) -> None:
        """Chunked both ways, and too large to keep."""
        self.cloud.uploaded = self.cloud.uploaded or sent
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(BIG), 100_000):
            part = BIG[at : at + 100_000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_POST = do_PUT = do_DELETE = _serve


@contextmanager
def little_cloud() -> Iterator[LittleCloud]:
    cloud = LittleCloud()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"cloud": cloud}))
    server.daemon_threads = True
    cloud.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield cloud
    finally:
        server.shutdown()
        server.server_close()
