"""An image's data to several targets: what is held back, who is dropped, what is told.  No site is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from multisite.clouds.errors import Cancelled, Failed, Unreachable
from multisite.resources.images import stream
from multisite.resources.images.stream import Cut, Feed, Source, send

DATA = bytes(range(256)) * 40


class Answer:
    """What a Glance sends; ``breaks``: after so many pieces."""

    def __init__(self, data: bytes = DATA, piece: int = 1000, breaks: int | None = None) -> None:
        self.data, self.piece, self.breaks, self.closed = data, piece, breaks, False

    def iter_content(self, _size: int) -> Iterator[bytes]:
        for number, start in enumerate(range(0, len(self.data), self.piece)):
            if number == self.breaks:
                raise requests.exceptions.ChunkedEncodingError("cut")
            yield self.data[start : start + self.piece]

    def close(self) -> None:
        self.closed = True


class Site:
    name = "paris"


def sent(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, targets: dict[str, Any], data: bytes = DATA, **more: Any
) -> Any:
    monkeypatch.setattr(stream.image_copies, "download", lambda *_: answer)
    source = Source(Site(), "i-1", len(data), "sha256", hashlib.sha256(data).hexdigest())  # type: ignore[arg-type]
    try:
        return send(source, targets, lambda _count: None, **more)
    finally:
        assert answer.closed


def taker(into: list[bytes]) -> Any:
    return lambda feed: into.extend(feed)


def test_all_get_all_and_it_is_hashed_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    one: list[bytes] = []
    two: list[bytes] = []
    done = sent(monkeypatch, Answer(), {"lyon": taker(one), "nice": taker(two)})
    assert b"".join(one) == b"".join(two) == DATA
    assert done.failed == {}
    assert done.digests["md5"] == hashlib.md5(DATA, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("answer", "error"),
    [(Answer(DATA[:-1]), Failed), (Answer(DATA[:-1] + b"!"), Failed), (Answer(breaks=3), Unreachable)],
)
def test_nobody_gets_the_last_piece_of_what_is_not_whole(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, error: type[Exception]
) -> None:
    got: list[bytes] = []
    ended: list[bool] = []

    def upload(feed: Feed) -> None:
        for piece in feed:
            got.append(piece)
        ended.append(True)

    with pytest.raises(error):
        sent(monkeypatch, answer, {"lyon": upload})
    assert ended == []
    assert len(b"".join(got)) < len(DATA) - 1


def test_who_fails_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[bytes] = []

    def fails(feed: Feed) -> None:
        next(iter(feed))
        raise OSError("full")

    done = sent(monkeypatch, Answer(piece=10), {"lyon": fails, "nice": taker(got)})
    assert b"".join(got) == DATA
    assert {name: str(error) for name, error in done.failed.items()} == {"lyon": "full"}


def test_stopped_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[bytes] = []
    with pytest.raises(Cancelled):
        sent(monkeypatch, Answer(), {"lyon": taker(got)}, cancelled=lambda: len(got) > 2)


def test_an_empty_image(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[bytes] = []
    assert sent(monkeypatch, Answer(b""), {"lyon": taker(got)}, b"").failed == {}
    assert b"".join(got) == b""


def test_what_was_begun_is_not_sent_again() -> None:
    feed = Feed(3)
    feed.put(b"abc")
    feed.put(None)
    assert list(feed) == [b"abc"]
    with pytest.raises(Cut):
        next(iter(feed))
    assert len(feed) == 3
