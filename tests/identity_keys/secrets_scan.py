"""Looks for keys where none may be: files, process arguments and environments."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterable
from pathlib import Path


class Secrets:
    """Collects every key that ever lay in the given folders, and every process's arguments, until stopped."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = list(folders)
        self.keys: set[bytes] = set()
        self.processes: dict[bytes, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            self.collect()

    def collect(self) -> None:
        for folder in self._folders:
            for path in folder.rglob("*"):
                try:
                    data = path.read_bytes().strip()
                except OSError:
                    continue
                if len(data) == 44 and data.endswith(b"="):
                    self.keys.add(data)
                if b"PRIVATE KEY" in data:
                    self.keys.add(data)
        for process in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                try:
                    self.processes.setdefault((process / name).read_bytes(), int(process.name))
                except OSError:
                    continue

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self.collect()

    def in_processes(self) -> list[int]:
        return sorted({pid for text, pid in self.processes.items() if self.found_in(text)})

    def in_files(self, folders: Iterable[Path], but: Path | None = None) -> list[Path]:
        files = [
            p
            for folder in folders
            for p in ([folder] if folder.is_file() else folder.rglob("*"))
            if p.is_file()
        ]
        kept = [p for p in files if but is None or but not in p.parents]
        return sorted(p for p in kept if self.found_in(p.read_bytes()))

    def found_in(self, data: bytes) -> bool:
        return any(form in data for key in self.keys for form in forms(key))


def forms(key: bytes) -> list[bytes]:
    """How a key may be written down: as it is, decoded, as hex; of a private PEM its lines."""
    if b"PRIVATE KEY" in key:
        lines = key.splitlines()[1:-1]
        return [line for line in lines if len(line) >= 32]
    raw = base64.urlsafe_b64decode(key)
    return [key, raw, raw.hex().encode(), key.hex().encode(), base64.b64encode(raw)]
