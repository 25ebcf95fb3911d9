"""What Multisite needs of a site's storage that replicates images to another site: the contract of its drivers.

An image has a name at each site and one global id at both.  One site's image is primary: guests write there.  A
*point* of an image is a snapshot of it that the storage copies with it, so that the other site can go back to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from multisite.clouds.errors import SiteError


class MirrorMode(StrEnum):
    """``JOURNAL``: every write is sent, in order.  ``SNAPSHOT``: what changed between two mirror snapshots is."""

    JOURNAL = "journal"
    SNAPSHOT = "snapshot"


class StorageRefused(SiteError):
    """The storage answered that it does not do it; ``status`` of its command is in the message."""


@dataclass(frozen=True)
class StorageInfo:
    """``id`` of the storage (of Ceph its fsid); ``peers``: names of the sites it mirrors with, as it calls them."""

    id: str
    pool: str
    peers: tuple[str, ...]


@dataclass(frozen=True)
class MirrorImage:
    """An image as one site's storage has it.

    ``id`` is another one when the image was made anew (by a resync).  ``mode`` None: it is not mirrored; then nothing
    below is set.  ``state``: the driver's word (``up+replaying``), ``detail`` its sentence.  ``snapshots``: names of
    those people see.  ``received``: the newest mirror snapshot of the primary that is here completely, by its id
    there; None: none, or another mode.  ``behind``: entries of the journal that are still to come, ``percent`` of
    the mirror snapshot under way; None: not told.  ``synced_at``: when the newest data here was written.
    """

    name: str
    id: str
    size_bytes: int
    mode: MirrorMode | None = None
    global_id: str = ""
    primary: bool = False
    state: str = ""
    detail: str = ""
    snapshots: frozenset[str] = frozenset()
    received: int | None = None
    behind: int | None = None
    percent: int | None = None
    synced_at: datetime | None = None

    @property
    def syncing(self) -> bool:
        """Whether its first copy is not complete, as far as the state tells."""
        return not self.primary and self.state.endswith(("+syncing", "+starting_replay"))

    def has(self, point: MirrorPoint) -> bool:
        """Whether it can go back to that point: all its data are here."""
        if self.global_id != point.global_id or point.snapshot not in self.snapshots:
            return False
        if point.number is not None:
            # The snapshot itself is there before its data are.
            return self.received is not None and self.received >= point.number
        return not self.syncing


@dataclass(frozen=True)
class MirrorPoint:
    """A point of an image.  ``snapshot``: its name; ``number``: of the mirror snapshot that carries it, None in the
    journal mode.
    """

    global_id: str
    snapshot: str
    number: int | None


class MirrorBackend(Protocol):
    """One site's storage.  Everything raises SiteError: Unreachable when it does not answer, UnknownOutcome when a
    change may have been made, StorageRefused, Unsupported.
    """

    site: str
    host: str
    """Cinder's name of this storage (``site@backend#pool``)."""

    def info(self) -> StorageInfo:
        """The storage itself."""

    def image(self, name: str) -> MirrorImage | None:
        """One image with everything that is known of it; None: there is none of this name."""

    def names(self) -> Mapping[str, str]:
        """Global id -> name here, of all images that are mirrored."""

    def enable(self, name: str, mode: MirrorMode, token: str) -> None:
        """Begin to mirror; harmless when it is mirrored in this mode.  ``token`` is kept with the image."""

    def enabled_by(self, name: str) -> str:
        """The token that the mirroring of an image was begun with; "" when somebody else did."""

    def note(self, name: str) -> str:
        """What ``set_note`` has left at an image; "" for nothing."""

    def set_note(self, name: str, text: str) -> None:
        """Leave a word at an image, which must be primary."""

    def disable(self, name: str) -> None:
        """Stop to mirror a primary image; the other site's copy is removed.  Harmless when it is not mirrored."""

    def send(self, name: str) -> int:
        """Take a mirror snapshot of a primary image; its id."""

    def promote(self, name: str, *, force: bool) -> None:
        """Make it primary; harmless when it is.  ``force``: also when the other one was not demoted; a mirror snapshot
        that is not here completely is given up.
        """

    def demote(self, name: str) -> None:
        """Make it the copy; harmless when it is."""

    def roll_back(self, name: str, snapshot: str) -> None:
        """Go back to one of its snapshots; it must be primary, and used by nobody."""

    def rename(self, name: str, new: str) -> None:
        """Call a primary image otherwise; the copy gets the name, too."""

    def resync(self, name: str) -> None:
        """Give up what is here and copy the primary anew; refused for a primary image."""
