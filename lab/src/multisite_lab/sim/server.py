"""Serving simulated sites over HTTP, each on a port of its own on 127.0.0.1."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from multisite_lab.sim.site import SimSite, Wire

HOST = "127.0.0.1"
PORT_SECONDS = 5.0
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


def application(site: SimSite) -> Callable[[dict[str, Any], StartResponse], Iterable[bytes]]:
    """The WSGI application of one site."""

    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        reply = site.reply(_wire(environ))
        if reply.seconds:
            time.sleep(reply.seconds)
        if reply.status is None:
            connection: socket.socket = environ["werkzeug.socket"]
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError("cut by a scripted fault")
        headers = [*reply.headers.items(), ("Content-Length", str(len(reply.content)))]
        start_response(f"{reply.status} {HTTPStatus(reply.status).phrase}", headers)
        return [reply.content]

    return app


def _wire(environ: dict[str, Any]) -> Wire:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    headers = {k[5:].replace("_", "-").lower(): v for k, v in environ.items() if k.startswith("HTTP_")}
    headers["content-type"] = environ.get("CONTENT_TYPE") or ""
    content = environ["wsgi.input"].read(length) if length else b""
    if len(content) < length:
        raise ConnectionAbortedError("the client went away before it had sent everything")
    return Wire(
        environ["REQUEST_METHOD"],
        environ["PATH_INFO"],
        parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True),
        headers,
        content,
    )


class _Handler(WSGIRequestHandler):
    """Connections are kept; small answers go out at once (Nagle would hold each back for 40 ms)."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: ARG002
        logging.getLogger("multisite_lab.sim").debug(message, *args)


class _Listener(ThreadedWSGIServer):
    """Knows its open connections, so that they can be cut."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, app: Any) -> None:
        self.open: set[socket.socket] = set()
        with _bound(port) as taken:  # the server works on a copy of it
            taken.listen(self.request_queue_size)
            super().__init__(HOST, taken.getsockname()[1], app, _Handler, fd=taken.fileno())

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)


def _bound(port: int) -> socket.socket:
    """A socket at this port.  Somebody's outgoing connection may have it for a moment, if nobody kept it."""
    deadline = time.monotonic() + PORT_SECONDS
    while True:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((HOST, port))
            return made
        except OSError:
            made.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


class Served:
    """A site on a port; ``cut`` makes it unreachable, ``reconnect`` reachable again at the same address.

    While it is cut the port is kept by a socket that listens to nobody, which is what refuses.
    """

    def __init__(self, site: SimSite) -> None:
        self.site = site
        self._listener: _Listener | None = None
        self._kept: socket.socket | None = None
        self._port = 0
        self.reconnect()

    @property
    def reachable(self) -> bool:
        return self._listener is not None

    def reconnect(self) -> None:
        if self._listener is not None:
            return
        if self._kept is not None:
            self._kept.close()
            self._kept = None
        self._listener = _Listener(self._port, application(self.site))
        self._port = int(self._listener.server_address[1])
        self.site.address = f"http://{HOST}:{self._port}"
        threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": 0.02},
            name=f"sim-{self.site.name}", daemon=True,
        ).start()  # fmt: skip

    def close(self) -> None:
        """For good."""
        self.cut()
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def cut(self) -> None:
        """Open connections end, new ones are refused.  The site itself goes on."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        listener.shutdown()
        listener.server_close()
        self._kept = _bound(self._port)
        for connection in list(listener.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
