"""Looks for keys where none may be: files, process arguments and environments, a process's memory."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterable
from pathlib import Path


class Secrets:
    """Collects every key that ever lay in the given folders, and every process's arguments, until stopped."""

    def __init__(self, folders: Iterable[Path], every: float = 0.05) -> None:
        self._folders, self._every = list(folders), every
        self.keys: set[bytes] = set()
        self.processes: dict[bytes, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(self._every):
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

    def in_memory(self, pid: int) -> bool:
        """Whether a key is in what a core of the process would hold: all memory it may write."""
        return self.found_in(memory(pid))

    def found_in(self, data: bytes) -> bool:
        wanted = sorted({form for key in self.keys for form in forms(key)})
        return bool(wanted) and re.search(b"|".join(map(re.escape, wanted)), data) is not None


def memory(pid: int) -> bytes:
    """All memory a process may write, as a core of it has it (proc(5): maps, mem)."""
    found = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            where, may, *_, name = line.split(maxsplit=5) if line.count(" ") > 5 else [*line.split(), ""]
            if not may.startswith("rw") or name.startswith(("[vvar", "/dev/")):
                continue
            begin, end = (int(part, 16) for part in where.split("-"))
            file.seek(begin)
            found.append(file.read(end - begin))
    return b"".join(found)


def forms(key: bytes) -> list[bytes]:
    """How a key may be written down: as it is, decoded, as hex; of a private PEM its lines."""
    if b"PRIVATE KEY" in key:
        lines = key.splitlines()[1:-1]
        return [line for line in lines if len(line) >= 32]
    raw = base64.urlsafe_b64decode(key)
    return [key, raw, raw.hex().encode(), key.hex().encode(), base64.b64encode(raw)]
