"""What was asked of a site: numbered, without bodies, tokens and ids."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}|[0-9]+|req-.*|multisite:.*", re.IGNORECASE)
_VERSION = re.compile(r"v[0-9]+(\.[0-9]+)?")
# Collections whose members have names people choose, and words of the API that may follow instead of one.
_NAMED = {
    "os-keypairs": frozenset[str](),
    "flavors": frozenset({"detail"}),
    "tags": frozenset[str](),
    "metadata": frozenset[str](),
    "os-extra_specs": frozenset[str](),
    "os-services": frozenset[str](),
    "os-hypervisors": frozenset({"detail", "statistics"}),
    "os-quota-sets": frozenset({"detail", "defaults"}),
}


def template(path: str) -> str:
    """A path with ``{id}`` for what names one thing: ``/v2.1/servers/{id}/action``; no query."""
    shown: list[str] = []
    for part in path.split("?")[0].split("/"):
        before = shown[-1] if shown else ""
        words = _NAMED.get(before)
        is_id = _ID.fullmatch(part) is not None and not _VERSION.fullmatch(part)
        shown.append("{id}" if part and (is_id or (words is not None and part not in words)) else part)
    return "/".join(shown)


class Journal:
    """The requests of one site, in memory and (with ``file``) as JSON lines.  Usable from any thread."""

    def __init__(self, site: str, file: Path | None = None) -> None:
        self.site = site
        self._file = file
        self._lock = threading.Lock()
        self._number = 0
        self._calls: Counter[tuple[str, str, str]] = Counter()
        self._lines: list[dict[str, Any]] = []

    def begin(self, service: str, method: str, path: str) -> dict[str, Any]:
        """A line for a request that has come in, numbered; give it to ``end``."""
        shown = template(path)
        with self._lock:
            self._number += 1
            self._calls[service, method, shown] += 1
            call = self._calls[service, method, shown]
            return {
                "number": self._number, "at": round(time.time(), 3), "site": self.site, "service": service,
                "method": method, "path": shown, "call": call, "status": None, "fault": None,
            }  # fmt: skip

    def end(
        self, line: dict[str, Any], status: int | None, fault: str | None, begun: float, **more: Any
    ) -> None:
        """Write it: ``status`` is what the client was answered, ``upstream`` (more) what the site answered;
        None when there was no answer.  ``begun``: monotonic.
        """
        done = (
            line
            | {"status": status, "fault": fault, "ms": round((time.monotonic() - begun) * 1000, 1)}
            | more
        )
        with self._lock:
            self._lines.append(done)
            if self._file is not None:
                with self._file.open("a") as out:
                    out.write(json.dumps(done) + "\n")

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What was written so far, in the order requests ended."""
        with self._lock:
            return list(self._lines)


def read(file: Path) -> list[dict[str, Any]]:
    """The lines of a log file; none when there is no file yet."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def distinct(lines: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, str], int]:
    """Every kind of call there was, (service, method, path), and how often: what a fault can be tried on."""
    return dict(sorted(Counter((str(e["service"]), str(e["method"]), str(e["path"])) for e in lines).items()))
