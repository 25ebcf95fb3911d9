"""A wire between a worker and the database that can be cut: nothing arrives, and nobody is told."""

from __future__ import annotations

import selectors
import socket
import threading


class Wire:
    """Forwards connections to ``port`` of this machine.  ``cut`` keeps what is sent until ``reconnect``."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._whole = threading.Event()
        self._whole.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self._whole.clear()

    def reconnect(self) -> None:
        self._whole.set()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(near,), daemon=True).start()

    def _forward(self, near: socket.socket) -> None:
        self._whole.wait()
        with near, socket.create_connection(("127.0.0.1", self._target)) as far:
            both = selectors.DefaultSelector()
            both.register(near, selectors.EVENT_READ, far)
            both.register(far, selectors.EVENT_READ, near)
            while True:
                for key, _ in both.select():
                    try:
                        data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                        self._whole.wait()
                        key.data.sendall(data)
                    except OSError:
                        return
                    if not data:
                        return
