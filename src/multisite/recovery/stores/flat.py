"""What stores without folders have in common: keys with slashes in them, listed by prefix, page by page."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import groupby

from multisite.domain import fence
from multisite.recovery.stores.base import MARK, MARKER, StoreUnavailable

CONNECT_SECONDS, READ_SECONDS = 5, 10
"""Of one request, and of each piece of its answer."""
ATTEMPTS = 2
"""Of a request that may be repeated."""
PATIENCE = 30.0
"""Seconds a verb may take: the keys of ten thousand restore points come in thirty pages or so."""
PAGE = 1000
_TRUSTED = 60.0
"""Seconds a marker that was seen counts: unlike a mount, a bucket does not turn into another one meanwhile."""

_UNCONDITIONAL = b"unconditional\n"
"""A second line of the marker: conditions do not hold there, as ``initialize`` found; versions tell who was first."""


class FlatStore(ABC):
    """Everything of an ``ObjectStore`` that follows from getting, putting, listing and deleting keys."""

    remedy = "is it there, and the network to it?"
    patience = PATIENCE
    place: str

    def __init__(self, prefix: str) -> None:
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._marked = -_TRUSTED
        self._conditional = True

    def initialize(self) -> None:
        """Mark it; StoreUnavailable, too, where what is there already would be written over unasked."""
        self.look()
        self.put(MARKER, MARK, replace=False)
        if not self.put(MARKER, MARK, replace=False):
            return
        if not self._has_versions():
            raise StoreUnavailable(
                f"backup store {self.place}: it writes over what is there although it was told not to"
                " (If-None-Match: *): use a server that keeps to that"
            )
        self._conditional = False
        self.put(MARKER, MARK + _UNCONDITIONAL)

    def _has_versions(self) -> bool:
        """Whether what is written over stays, and which was first can be told."""
        return False

    def check(self) -> None:
        if time.monotonic() - self._marked < _TRUSTED:
            return
        self.look()
        mark = self.get(MARKER, 1 << 10)
        if mark is None:
            raise StoreUnavailable(
                f"backup store {self.place}: {MARKER} is not in it: another one is meant, or it is not initialized yet"
                " (multisite-manage store initialize)"
            )
        self._conditional = _UNCONDITIONAL not in mark
        self._marked = time.monotonic()

    @abstractmethod
    def look(self) -> None:
        """Raise StoreUnavailable, with what to do, unless the bucket or container is as it has to be."""

    @abstractmethod
    def get(self, key: str, largest: int) -> bytes | None:
        """As ``ObjectStore.get``."""

    @abstractmethod
    def put(self, key: str, data: bytes, *, replace: bool = True, keep: bool = False) -> bool:
        """As ``ObjectStore.put``."""

    @abstractmethod
    def _list(self, prefix: str, delimiter: str) -> Iterator[str]:
        """Whole names with the prefix, in order; with a delimiter only up to the first one behind the prefix."""

    @abstractmethod
    def _remove(self, name: str) -> None:
        """One object by its whole name; harmless when it is not there."""

    def delete(self, *keys: str) -> None:
        for key in keys:
            fence.check()
            self._remove(self._name(key))

    def delete_folder(self, folder: str) -> None:
        for name in list(self._list(f"{self._name(folder)}/", "")):
            fence.check()
            self._remove(name)

    def tidy(self, folder: str) -> None:  # noqa: B027 - nothing to do is what it does
        """Nothing is left by who died: an object appears as a whole."""

    def has_folder(self, folder: str) -> bool:
        return any(True for _ in self._list(f"{self._name(folder)}/", "/"))

    def names(self, folder: str) -> tuple[str, ...]:
        prefix = f"{self._name(folder)}/"
        return tuple(name.removeprefix(prefix).rstrip("/") for name in self._list(prefix, "/"))

    def folders(self, folder: str, wanted: str, *, instead_of: str) -> Iterator[str]:
        prefix = f"{self._name(folder)}/"
        pairs = (name.removeprefix(prefix).partition("/") for name in self._list(prefix, ""))
        for name, found in groupby(pairs, key=lambda pair: pair[0]):
            inside = {pair[2] for pair in found}
            if wanted in inside or instead_of not in inside:
                yield name

    def _name(self, key: str) -> str:
        return f"{self._prefix}{key}"
