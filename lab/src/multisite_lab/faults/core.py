"""The proxies in the core's network, from where the manager reaches the sites: for tests on real sites.

with running(["site1"], folder) as faults:
    manager = Manager(tmp, clouds=faults.folder.clouds)
    faults.order(site1=Orders((Rule("late-success", service="cinder", method="POST", path="/backups$"),)))
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from multisite_lab import sites
from multisite_lab.faults import journal
from multisite_lab.faults.program import Folder, digest
from multisite_lab.faults.rules import BadRule, Orders
from multisite_lab.model import CORE_MANAGEMENT, LabError

OBEY_SECONDS = 10.0
"""How long the program may take to obey: it looks twenty times a second, on a machine that may be busy."""


@dataclass(frozen=True)
class Faults:
    """A running program."""

    folder: Folder
    process: subprocess.Popen[bytes]

    def order(self, **by_site: Orders) -> None:
        """What fails from now on, in place of what was ordered before; sites not named work.

        In force when this returns.  BadRule says what the program did not understand.
        """
        said = {
            name: {"cut": o.cut, "rules": [asdict(rule) for rule in o.rules]} for name, o in by_site.items()
        }
        draft = self.folder.orders.with_suffix(".new")
        text = json.dumps(said)
        draft.write_text(text)
        draft.replace(self.folder.orders)
        deadline = time.monotonic() + OBEY_SECONDS
        while (said_of := self._obeyed())["orders"] != digest(text):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise LabError("the fault proxies do not read their orders; have they ended?")
            time.sleep(0.02)
        if said_of["problem"]:
            raise BadRule(said_of["problem"])

    def _obeyed(self) -> dict[str, Any]:
        if not self.folder.obeyed.exists():
            return {"orders": None, "problem": None}
        found: dict[str, Any] = json.loads(self.folder.obeyed.read_text())
        return found

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The log so far."""
        return journal.read(self.folder.requests)


@contextmanager
def running(names: Sequence[str], folder: Path, timeout: float = 20.0) -> Iterator[Faults]:
    """Proxies of these sites while the block runs; LabError with its output when the program does not start."""
    files = Folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / "program.log"
    argv = [
        sys.executable,
        "-m",
        "multisite_lab.faults",
        "--folder",
        str(folder),
        "--listen",
        CORE_MANAGEMENT,
    ]
    with output.open("ab") as log:
        process = subprocess.Popen(
            [*sites.core_prefix(), *argv, *names], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + timeout
        while not files.ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"the fault proxies do not run: {output.read_text().strip()[-2000:]}")
            time.sleep(0.05)
        yield Faults(files, process)
    finally:
        process.terminate()
        process.wait(10)
