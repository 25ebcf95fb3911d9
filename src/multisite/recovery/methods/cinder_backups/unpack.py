"""The bytes of a chunk of a backup, piece by piece: a chunk may have 2 GiB, and unpacks to more."""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, cast

import zstandard

from multisite.recovery.manifests import ManifestStore, answering

PIECE = 1 << 20
DAMAGED = (zlib.error, zstandard.ZstdError, ValueError, EOFError, OSError)
"""What unpacking damaged data raises."""


def pieces(store: ManifestStore, path: Path) -> Iterator[bytes]:
    """A file's bytes.  StoreUnavailable when the file system does not answer in time."""
    with _opened(store, path) as file:
        while piece := _read(store, file):
            yield piece


@answering
def _opened(_store: ManifestStore, path: Path) -> BufferedReader:
    return path.open("rb")


@answering
def _read(_store: ManifestStore, file: BufferedReader) -> bytes:
    return file.read(PIECE)


def blocks(data: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in blocks of a size; the last one may be shorter."""
    kept = bytearray()
    for piece in data:
        kept += piece
        whole = len(kept) // size * size
        for start in range(0, whole, size):
            yield bytes(kept[start : start + size])
        del kept[:whole]
    if kept:
        yield bytes(kept)


def _zlib(packed: Iterable[bytes]) -> Iterator[bytes]:
    unpacking = zlib.decompressobj()
    for piece in packed:
        rest = piece
        while rest:
            yield unpacking.decompress(rest, PIECE)
            rest = unpacking.unconsumed_tail
    yield unpacking.flush()
    if not unpacking.eof:
        raise EOFError("it ends too early")


def _bz2(packed: Iterable[bytes]) -> Iterator[bytes]:
    unpacking = bz2.BZ2Decompressor()
    for piece in packed:
        yield unpacking.decompress(piece, PIECE)
        while not unpacking.needs_input and not unpacking.eof:
            yield unpacking.decompress(b"", PIECE)
    if not unpacking.eof:
        raise EOFError("it ends too early")


@dataclass(frozen=True)
class _Packed:
    """As the library reads: it takes no iterator."""

    rest: Iterator[bytes]

    def read(self, _size: int = -1) -> bytes:
        return next(self.rest, b"")


def _zstd(packed: Iterable[bytes]) -> Iterator[bytes]:
    """By ``read``, never by whole frames: a few bytes of one unpack to gigabytes of zeros."""
    source = cast(IO[bytes], _Packed(iter(packed)))  # only its ``read`` is called
    with zstandard.ZstdDecompressor().stream_reader(source, read_size=PIECE) as reader:
        while piece := reader.read(PIECE):
            yield piece


UNPACK: Mapping[str, Callable[[Iterable[bytes]], Iterator[bytes]]] = {
    "none": iter,
    "zlib": _zlib,
    "bz2": _bz2,
    "zstd": _zstd,
}
"""By how Cinder calls the packing (``backup_compression_algorithm``)."""
