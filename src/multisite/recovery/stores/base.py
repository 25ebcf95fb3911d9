"""What the restore points need of the place they are kept in.

Keys are relative, of parts joined by "/": ``multisite/restore-points/<id>/manifest.json``.  They are the same in every
kind of store, so that one can be copied to another with any tool.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from multisite.domain.errors import MultisiteError

MARKER = ".multisite-store"
MARK = b"multisite.backup-store/1\n"
"""What the marker holds."""


class StoreUnavailable(MultisiteError):
    """The backup store cannot be read or written: which restore points there are is unknown."""

    status = 503


class StoreHangs(StoreUnavailable):
    """It does not answer; the message says since when."""


class Unreadable(Exception):
    """One object cannot be read, or is larger than anything written here, while the store answers."""


class ObjectStore(Protocol):
    """Every verb raises StoreUnavailable when the store does not answer, or lacks the marker ``initialize`` makes.

    ``place``: what it is called in messages.  ``patience``: seconds a verb that reads may take.  ``remedy``: the
    question to whoever waits for it.  ``cinder_drivers``: modules of Cinder's drivers that write to such a place.
    Writing asks the fence right before.
    """

    place: str
    cinder_drivers: frozenset[str]
    patience: float
    remedy: str

    def initialize(self) -> None:
        """Declare it a backup store; harmless when it is one already."""

    def check(self) -> None:
        """Raise StoreUnavailable with the remedy unless it is there and marked."""

    def shown(self, key: str) -> str:
        """A key as operators find it."""

    def get(self, key: str, largest: int) -> bytes | None:
        """None when there is no such object; Unreadable, also beyond ``largest`` bytes."""

    def put(self, key: str, data: bytes, *, replace: bool = True, keep: bool = False) -> bool:
        """All of it or nothing, durable when it returns; False when it is there and not to be replaced.

        ``keep``: under the store's lock, if it has one.
        """

    def delete(self, *keys: str) -> None:
        """Harmless for those that are not there."""

    def delete_folder(self, folder: str) -> None:
        """Everything in it; harmless when it is not there."""

    def tidy(self, folder: str) -> None:
        """Remove what writers that died left in a folder that nobody else writes to."""

    def has_folder(self, folder: str) -> bool:
        """Whether there is such a folder, or anything in it."""

    def names(self, folder: str) -> Sequence[str]:
        """Of what is right in a folder, in no order; none when there is no such folder."""

    def folders(self, folder: str, wanted: str, *, instead_of: str) -> Iterator[str]:
        """Names of the folders in one, but for those with a file ``instead_of`` the ``wanted`` one; reads no file."""

    def versions(self, key: str) -> Iterator[bytes]:
        """All content the store still has of a key, newest first: deleted and written over, too, if it keeps that."""

    def ever(self, folder: str) -> frozenset[str]:
        """Names of the folders in one that the store still has anything of."""

    def holds(self, container: str, name: str) -> bool | None:
        """Whether there is this file of a container of cinder-backup's; None: nor any trace that it ever was."""
