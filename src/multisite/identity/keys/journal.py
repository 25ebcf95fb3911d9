"""The state on disk, and who may change it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from pydantic import TypeAdapter

from multisite.domain.errors import Conflict, NotFound, Unavailable
from multisite.identity import files
from multisite.identity.keys.state import VERSION, State

_STATE = TypeAdapter(State)
LOCK_PATIENCE = 120.0
"""Seconds to wait for the daemon to finish a pass over all sites."""


class Journal:
    """``folder`` holds state.json, the vault and the locks; only the service's user can enter it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "state.json"

    def load(self) -> State:
        """Raises NotFound before the take-over, Unavailable when the file is damaged."""
        try:
            data = self._file.read_bytes()
        except FileNotFoundError:
            raise NotFound(
                f"{self._file}: not there; take over the sites' keys with `multisite keys adopt`"
            ) from None
        except OSError as error:
            raise Unavailable(f"{self._file}: {error.strerror}") from None
        try:
            state = _STATE.validate_json(data)
        except ValueError:  # its text would quote the file
            raise Unavailable(
                f"{self._file}: damaged; restore the folder from a backup, or move it away and adopt the keys again"
            ) from None
        if state.version != VERSION:
            raise Unavailable(
                f"{self._file}: version {state.version}, this program knows {VERSION}: upgrade it"
            )
        return state

    def exists(self) -> bool:
        return self._file.exists()

    def save(self, state: State) -> None:
        """Durable when it returns."""
        files.write(self._file, _STATE.dump_json(state, indent=1))

    def changing(self, patience: float = LOCK_PATIENCE) -> AbstractContextManager[None]:
        """Nobody else changes keys meanwhile: neither daemon nor operator.  Raises Conflict after ``patience`` s."""
        return _locked(self.folder, "lock", patience, "is changing keys; try again")

    def only_daemon(self) -> AbstractContextManager[None]:
        """Raises Conflict when another daemon runs."""
        return _locked(self.folder, "daemon.lock", 0.0, "is the daemon of this folder already")


@contextlib.contextmanager
def _locked(folder: Path, name: str, patience: float, what: str) -> Iterator[None]:
    files.private_folder(folder)
    descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, files.PRIVATE_FILE)
    try:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    holder = os.pread(descriptor, 20, 0).decode() or "unknown"
                    raise Conflict(f"{folder / name}: process {holder.strip()} {what}") from None
                time.sleep(0.1)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)  # which lets go of the lock
