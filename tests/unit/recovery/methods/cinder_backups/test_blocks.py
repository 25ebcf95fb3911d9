"""Backups of a store compared block by block with the digests beside them."""

from __future__ import annotations

import bz2
import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard

from multisite.domain.manifest import VolumeRecord
from multisite.jobs.model import StepFailed
from multisite.recovery.manifests import ManifestStore
from multisite.recovery.methods.cinder_backups.blocks import block_digest, verify
from multisite.recovery.methods.cinder_backups.payload import BackupChain, BackupRecord, chain_of, payload_of
from multisite.recovery.methods.cinder_backups.stored import metadata_file
from multisite.recovery.methods.cinder_backups.unpack import PIECE, blocks
from multisite.recovery.methods.cinder_backups.unpack import UNPACK as READ
from multisite.recovery.stores.folder import FolderStore
from tests.manifest_store import store_in
from tests.unit.recovery.recover_samples import volume

BLOCK = 64
PACK: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "zlib": zlib.compress,
    "bz2": bz2.compress,
    "zstd": zstandard.compress,
}
UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "zlib": zlib.decompress,
    "bz2": bz2.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}
FULL = [b"a" * BLOCK, b"b" * BLOCK, b"c" * BLOCK, b"d" * BLOCK]
LATER = [FULL[0], b"B" * BLOCK, b"C" * BLOCK, FULL[3]]


@pytest.fixture
def store(tmp_path: Path) -> ManifestStore:
    (tmp_path / "store").mkdir()
    return store_in(tmp_path / "store", state=tmp_path / "keys")


def write(
    store: ManifestStore, backup: BackupRecord, blocks: list[bytes], runs: list[tuple[int, int]], packing: str
) -> list[Path]:
    """As ``chunkeddriver.py`` does: a chunk for each run of blocks (first, behind the last)."""
    where = metadata_file(backup.record, FolderStore.cinder_drivers)
    assert where is not None
    path = store.path / Path(*where)
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix, objects, chunks = path.name.removesuffix("_metadata"), [], []
    for number, (first, last) in enumerate(runs, 1):
        data, name = b"".join(blocks[first:last]), f"{prefix}-{number:05}"
        chunks.append(path.with_name(name))
        chunks[-1].write_bytes(PACK[packing](data))
        objects.append(
            {name: {"offset": first * BLOCK, "length": len(data), "compression": packing, "md5": "x"}}
        )
    path.write_text(json.dumps({"objects": objects, "version": "1.0.0"}))
    digests = [hashlib.sha256(block).hexdigest() for block in blocks]
    path.with_name(f"{prefix}_sha256file").write_text(json.dumps({"chunk_size": BLOCK, "sha256s": digests}))
    return chunks


def written(store: ManifestStore, packing: str = "zlib") -> tuple[VolumeRecord, list[Path], list[Path]]:
    """A volume with a full and an incremental backup whose digest the restore point has; the chunks of both."""
    made = volume("web1", "a")
    full, later = chain_of(made)
    first = write(store, full, FULL, [(0, 4)], packing)
    second = write(store, later, LATER, [(1, 3)], packing)
    recorded = replace(later, digest=block_digest(store, later.record))
    return replace(made, payload=payload_of(BackupChain((full, recorded)))), first, second


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def same_data(packing: str, data: bytes, other: bytes) -> bool:
    try:
        return UNPACK[packing](data) == UNPACK[packing](other)
    except (zlib.error, zstandard.ZstdError, OSError, ValueError):
        return False


def compare(store: ManifestStore, wanted: VolumeRecord) -> Any:
    return verify(store, wanted, lambda _done, _total: None)


@pytest.mark.parametrize("packing", PACK)
def test_what_is_as_it_was_is_said_with_its_digest(store: ManifestStore, packing: str) -> None:
    wanted, _, _ = written(store, packing)
    found = compare(store, wanted)
    digest = hashlib.sha256(b"".join(hashlib.sha256(block).digest() for block in LATER)).hexdigest()
    assert (found.digest, found.blocks, found.block_bytes, found.recorded) == (digest, 4, BLOCK, True)
    assert found.unknown == ""
    assert len(found.backups) == 2


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("which", [0, 1])
def test_every_flipped_byte_is_found_and_named(store: ManifestStore, packing: str, which: int) -> None:
    wanted, *chunks = written(store, packing)
    (chunk,) = chunks[which]
    backup = chain_of(wanted)[which].id
    kept, harmful = chunk.read_bytes(), 0
    for place in range(len(kept)):
        flip(chunk, place)
        if not same_data(packing, chunk.read_bytes(), kept):  # some bits of headers and padding say nothing
            harmful += 1
            with pytest.raises(StepFailed) as failed:
                compare(store, wanted)
            said = str(failed.value)
            assert f"volume web1-a: backup {backup}: " in said
            assert chunk.name in said
            assert "of the volume" in said
        flip(chunk, place)
    assert harmful > len(kept) // 2
    compare(store, wanted)


def test_the_block_is_named_by_its_number_and_its_bytes(store: ManifestStore) -> None:
    wanted, _, (chunk,) = written(store, "none")
    flip(chunk, BLOCK + 3)
    with pytest.raises(
        StepFailed, match=r"block 2 \(bytes 128 to 191 of the volume\) in chunk \S+-00001 is not what"
    ):
        compare(store, wanted)


@pytest.mark.parametrize("packing", PACK)
def test_what_unpacks_to_much_more_comes_in_pieces(packing: str) -> None:
    """A few kilobytes of zeros are gigabytes of a volume: they are never in memory at once."""
    data = bytes(64 * PIECE)
    packed = PACK[packing](data)
    parts = (packed[start : start + PIECE] for start in range(0, len(packed), PIECE))
    sizes = [len(block) for block in blocks(READ[packing](parts), PIECE)]
    assert sizes == [PIECE] * 64
    parts = (packed[start : start + PIECE] for start in range(0, len(packed), PIECE))
    assert max(map(len, READ[packing](parts))) <= 2 * PIECE


@pytest.mark.parametrize("packing", PACK)
def test_a_packed_chunk_that_ends_too_early_is_named(store: ManifestStore, packing: str) -> None:
    wanted, (chunk,), _ = written(store, packing)
    chunk.write_bytes(chunk.read_bytes()[:-20])
    with pytest.raises(StepFailed, match=r"cannot be unpacked|has \d+ bytes, not 256|is not what was"):
        compare(store, wanted)


def test_a_chunk_that_is_gone_cut_off_or_longer(store: ManifestStore) -> None:
    wanted, (chunk,), _ = written(store, "none")
    data = chunk.read_bytes()
    chunk.write_bytes(data[:-BLOCK])
    with pytest.raises(StepFailed, match="has 192 bytes, not 256"):
        compare(store, wanted)
    chunk.write_bytes(data + b"more")
    with pytest.raises(StepFailed, match="block 4"):
        compare(store, wanted)
    chunk.unlink()
    with pytest.raises(StepFailed, match="is not there"):
        compare(store, wanted)


def test_digests_that_were_changed_with_the_data(store: ManifestStore) -> None:
    wanted, _, (chunk,) = written(store, "none")
    other = b"X" * (2 * BLOCK)
    chunk.write_bytes(other)
    digests = chunk.with_name(chunk.name.replace("-00001", "_sha256file"))
    known = json.loads(digests.read_text())
    known["sha256s"][1:3] = [hashlib.sha256(b"X" * BLOCK).hexdigest()] * 2
    digests.write_text(json.dumps(known))
    with pytest.raises(StepFailed, match="in the signed restore point"):
        compare(store, wanted)
    unsigned = tuple(replace(one, digest=None) for one in chain_of(wanted))
    found = compare(store, replace(wanted, payload=payload_of(BackupChain(unsigned))))
    assert not found.recorded, "the negative control: an older restore point has no digest, and it says so"


def test_a_block_that_no_backup_of_the_chain_has_as_it_was(store: ManifestStore) -> None:
    wanted, _, (chunk,) = written(store, "none")
    metadata = chunk.with_name(chunk.name.replace("-00001", "_metadata"))
    metadata.write_text(json.dumps({"objects": [], "version": "1.0.0"}))
    with pytest.raises(StepFailed, match="block 1 is in no chunk of its chain as it was backed up"):
        compare(store, wanted)


def test_what_cannot_be_read_here_is_unknown_or_named(store: ManifestStore) -> None:
    wanted, (chunk,), _ = written(store, "none")
    elsewhere = tuple(
        replace(one, record={**one.record, "backup_service": "cinder.backup.drivers.s3.S3BackupDriver"})
        for one in chain_of(wanted)
    )
    found = compare(store, replace(wanted, payload=payload_of(BackupChain(elsewhere))))
    assert (found.digest, "s3" in found.unknown) == ("", True)
    assert block_digest(store, elsewhere[0].record) is None
    metadata = chunk.with_name(chunk.name.replace("-00001", "_metadata"))
    metadata.write_text(metadata.read_text().replace('"none"', '"lz4"'))
    with pytest.raises(StepFailed, match="packed with lz4"):
        compare(store, wanted)
