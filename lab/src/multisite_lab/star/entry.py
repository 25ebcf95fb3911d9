"""The one authentication URL: a proxy in the core, which no loss of a site takes away."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from multisite_lab import netns, paths
from multisite_lab.model import CORE_NAMESPACE, LabError
from multisite_lab.passwords import write_private
from multisite_lab.process import Record, detach, end_detached, wait_until
from multisite_lab.star import config, layout


def ensure(report: Callable[[str], None]) -> None:
    """Start the proxy unless it runs, with its configuration of now."""
    netns.core_address(layout.ENTRY_ADDRESS)
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    changed = write_private(folder / "haproxy.cfg", config.entry(str(_socket())))
    if pid() is not None and not changed:
        return
    stop()
    command = [*netns.enter(CORE_NAMESPACE), "/usr/sbin/haproxy", "-db", "-f", str(folder / "haproxy.cfg")]
    detach(command, folder / "haproxy.log", _record())
    wait_until(lambda: bool(_ask("show info")), "the proxy of the one authentication URL", 15)
    report(f"one authentication URL: {layout.ENTRY_URL}")


def wait() -> None:
    """Return when the proxy has a master it may ask."""
    try:
        wait_until(lambda: "UP" in servers().values(), "the one authentication URL has a master to ask", 60)
    except TimeoutError as error:
        raise LabError(f"{error}: {health()}") from None


def stop() -> None:
    """End the proxy, if it runs."""
    end_detached(_record())
    _socket().unlink(missing_ok=True)


def pid() -> int | None:
    """The proxy's process, None when it does not run."""
    found = Record.load(_record())
    return found.pid if found is not None and found.alive() else None


def servers() -> dict[str, str]:
    """Master site -> UP, DOWN or what is in between, as the proxy sees it; empty when it does not run."""
    rows = [line.split(",") for line in _ask("show stat").splitlines() if line.startswith("identity-entry,")]
    return {row[1]: row[17] for row in rows if row[1] not in ("FRONTEND", "BACKEND")}


def health() -> str:
    """For `status`."""
    found = servers()
    if not found:
        return "multisite-lab up repairs it"
    words = ", ".join(f"{name} {state}" for name, state in found.items())
    return f"ok: {words}" if "UP" in found.values() else f"no master may be asked: {words}"


def _ask(command: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
        connection.settimeout(3)
        connection.connect(str(_socket()))
        connection.sendall(f"{command}\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    return ""


def _folder() -> Path:
    return paths.state() / "core" / "entry"


def _socket() -> Path:
    return _folder() / "haproxy.sock"


def _record() -> Path:
    return _folder() / "haproxy.json"
