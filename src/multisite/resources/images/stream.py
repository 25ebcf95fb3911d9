"""One image's data from its site to several others at once: read once, hashed on the way, nothing kept on disk.

The last piece is held back until the digest of everything read is the source's: a target never gets the whole of
data that are damaged or cut, so its Glance makes no image of them.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import requests
import urllib3

from multisite.clouds import image_copies
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import Cancelled, Failed, Unreachable
from multisite.domain.errors import MultisiteError
from multisite.domain.fence import FencedThreads

PIECE = 1 << 20
AHEAD = 8
"""Pieces read but not sent yet, for each target: what a slow one may hold in memory."""
_LOOK_SECONDS = 0.5


class Cut(Exception):
    """Ends an upload without its last piece."""


class Feed:
    """What one target is sent.  ``len`` is the whole; it can be iterated again only while nothing was taken of it."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._pieces: queue.Queue[bytes | Exception | None] = queue.Queue(AHEAD)
        self._over = threading.Event()
        self._begun = False

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        if self._begun:
            raise Cut("it cannot be sent twice")
        while (piece := self._pieces.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            self._begun = True
            yield piece

    def put(self, piece: bytes | Exception | None) -> None:
        """Waits while the target is behind; returns at once when it is given up."""
        while not self._over.is_set():
            try:
                self._pieces.put(piece, timeout=_LOOK_SECONDS)
            except queue.Full:
                continue
            return

    def give_up(self) -> None:
        self._over.set()

    @property
    def over(self) -> bool:
        return self._over.is_set()


@dataclass(frozen=True)
class Source:
    """``algorithm`` and ``value``: the digest its Glance has; ``size`` in bytes."""

    site: CloudSite
    image_id: str
    size: int
    algorithm: str
    value: str


@dataclass(frozen=True)
class Sent:
    """``digests``: of what was read, hex by algorithm; ``failed``: by target, why it did not take it."""

    digests: Mapping[str, str]
    failed: Mapping[str, Exception]


def send(
    source: Source,
    targets: Mapping[str, Callable[[Feed], None]],
    told: Callable[[int], None],
    cancelled: Callable[[], bool] = lambda: False,
) -> Sent:
    """Read the image once and give it to each of ``targets``, which uploads its feed.

    ``told`` gets the bytes of each piece, and may wait.  A target that fails does not stop the others.  Raises
    Unreachable or Failed when the source does not give all of what it promised, Cancelled; then no target got all.
    """
    feeds = {name: Feed(source.size) for name in targets}
    threads = FencedThreads(max(1, len(targets)), "image-upload")
    sending = {name: threads.submit(_upload, targets[name], feed) for name, feed in feeds.items()}
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in {source.algorithm, "sha512", "md5"}}
    try:
        held = b""
        for piece in _pieces(source, cancelled):
            for feed in feeds.values():
                if held:
                    feed.put(held)
            for one in hashes.values():
                one.update(piece)
            held = piece
            told(len(piece))
            if all(feed.over for feed in feeds.values()):
                break
        else:
            _check(source, hashes[source.algorithm].hexdigest())
        for feed in feeds.values():
            feed.put(held)
            feed.put(None)
    except BaseException:
        for feed in feeds.values():
            feed.put(Cut())
        raise
    finally:
        failed = _ended(sending)
        threads.shutdown(wait=True)
    return Sent({name: one.hexdigest() for name, one in hashes.items()}, failed)


def _upload(target: Callable[[Feed], None], feed: Feed) -> None:
    try:
        target(feed)
    finally:
        feed.give_up()


def _ended(sending: Mapping[str, Future[None]]) -> dict[str, Exception]:
    failed: dict[str, Exception] = {}
    for name, future in sending.items():
        error = future.exception()
        if isinstance(error, Exception):
            failed[name] = error
        elif error is not None:
            raise error  # the right to act is lost
    return failed


def _pieces(source: Source, cancelled: Callable[[], bool]) -> Iterator[bytes]:
    what = f"read the data of image {source.image_id}"
    answer: Any = image_copies.download(source.site, source.image_id)
    try:
        for piece in answer.iter_content(PIECE):
            if cancelled():
                raise Cancelled(source.site.name, what, "stopped on request")
            yield piece
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise Unreachable(source.site.name, what, f"cut in the middle: {error}") from error
    finally:
        answer.close()


def _check(source: Source, found: str) -> None:
    if found != source.value:
        said = f"its {source.algorithm} is {found}, its Glance says {source.value}: the data are damaged at the source"
        what = f"read the data of image {source.image_id}"
        raise Failed(source.site.name, what, f"{said}, or on the way", state="damaged", seconds=0.0)


def reason(error: Exception) -> str:
    """Why a target did not take it, in words."""
    return str(error) if isinstance(error, MultisiteError) else f"{type(error).__name__}: {error}"
