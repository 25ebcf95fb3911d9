"""The proxies of several sites as one program, controlled and read through the files of its folder.

``clouds.yaml``: the lab's entries with the proxies' addresses, for the manager.  ``faults.json``: the orders,
read again when the file changes (write it anew and rename).  ``requests.jsonl``: the log.  ``ready.json``: the
address of each proxy, written once they all listen; ``obeyed.json``: the digest of the orders that were read
last, and what is wrong with them, if anything (then those before stay in force).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from multisite_lab.faults import rules
from multisite_lab.faults.journal import Journal
from multisite_lab.faults.proxy import SiteProxy
from multisite_lab.faults.routes import Upstream
from multisite_lab.model import PORTS, Site
from multisite_lab.passwords import write_private

LOOK_SECONDS = 0.05
"""How often the orders are looked at: the longest it takes until they are in force."""


@dataclass(frozen=True)
class Folder:
    """The files of one running program."""

    path: Path

    @property
    def clouds(self) -> Path:
        return self.path / "clouds.yaml"

    @property
    def orders(self) -> Path:
        return self.path / "faults.json"

    @property
    def requests(self) -> Path:
        return self.path / "requests.jsonl"

    @property
    def ready(self) -> Path:
        return self.path / "ready.json"

    @property
    def obeyed(self) -> Path:
        return self.path / "obeyed.json"


def upstreams(site: Site) -> list[Upstream]:
    """The services of a lab's site, without their versions."""
    return [Upstream(service, f"http://{site.management}:{port}") for service, port in PORTS.items()]


def through(clouds: str, proxies: Mapping[str, SiteProxy]) -> str:
    """A clouds.yaml whose entries log in through the proxies; entries of other sites stay as they are."""
    content: dict[str, Any] = yaml.safe_load(clouds)
    for entry in content.get("clouds", {}).values():
        for proxy in proxies.values():
            auth = entry.get("auth", {})
            if "auth_url" in auth:
                auth["auth_url"] = proxy.routes.outward(auth["auth_url"])
    return yaml.safe_dump(content, sort_keys=False)


async def serve(sites: Mapping[Site, int], folder: Folder, host: str, clouds: Path | None) -> None:
    """Run until SIGTERM or SIGINT.  ``sites``: the port of each, 0 for any; ``clouds`` None makes no clouds.yaml."""
    folder.path.mkdir(parents=True, exist_ok=True)
    proxies = {
        site.name: SiteProxy(upstreams(site), Journal(site.name, folder.requests), host, port)
        for site, port in sites.items()
    }
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    for proxy in proxies.values():
        await proxy.start()
    if clouds is not None:
        write_private(folder.clouds, through(clouds.read_text(), proxies))
    watching = asyncio.create_task(_watch(folder, proxies))
    _write(folder.ready, json.dumps({name: proxy.routes.base for name, proxy in proxies.items()}))
    try:
        await over.wait()
    finally:
        watching.cancel()
        folder.ready.unlink(missing_ok=True)
        for proxy in proxies.values():
            await proxy.stop()


async def _watch(folder: Folder, proxies: Mapping[str, SiteProxy]) -> None:
    """Obey the orders whenever their file has changed; what cannot be read changes nothing."""
    seen: object = None
    while True:
        now = _stamp(folder.orders)
        if now != seen:
            seen = now
            text = folder.orders.read_text() if now else ""
            problem = None
            try:
                await _obey(text, proxies)
            except (TypeError, rules.BadRule) as error:
                problem = str(error)
            _write(folder.obeyed, json.dumps({"orders": digest(text), "problem": problem}))
        await asyncio.sleep(LOOK_SECONDS)


async def _obey(text: str, proxies: Mapping[str, SiteProxy]) -> None:
    orders = rules.parse(text)
    if unknown := orders.keys() - proxies.keys():
        raise rules.BadRule(f"there is no proxy of {', '.join(sorted(unknown))}")
    for name, proxy in proxies.items():
        await proxy.obey(orders.get(name, rules.Orders()))


def digest(text: str) -> str:
    """By which a reader of ``obeyed.json`` knows its own orders."""
    return hashlib.sha256(text.encode()).hexdigest()


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _write(file: Path, text: str) -> None:
    """At once or not at all."""
    draft = file.with_suffix(".new")
    draft.write_text(text)
    draft.replace(file)
