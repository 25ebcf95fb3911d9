"""A backup store for tests, whose keys are made with it."""

from __future__ import annotations

import zlib
from pathlib import Path

from multisite.recovery.encryption import PLAIN, Encryption
from multisite.recovery.manifests import PATIENCE, ManifestStore
from multisite.recovery.signatures import ManifestKeys


def store_in(
    folder: Path, *, state: Path | None = None, patience: float = PATIENCE, encryption: Encryption = PLAIN
) -> ManifestStore:
    """``state``: folder of the keys (default: ``keys`` beside what the store keeps)."""
    keys = ManifestKeys.at(state or folder / "keys")
    keys.make()
    store = ManifestStore(folder, keys, patience, encryption)
    store.initialize()
    return store


def flip_byte(chunk: Path) -> None:
    """Change one bit of a packed chunk of a simulated backup, so that it is not what it was any more.

    Not every bit will do: a repeated byte may be copied from one or from two places before.
    """
    whole, kept = chunk.read_bytes(), zlib.decompress(chunk.read_bytes())
    for place in range(len(whole) // 2, len(whole)):
        changed = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        try:
            harmless = zlib.decompress(changed) == kept
        except zlib.error:
            harmless = False
        if not harmless:
            chunk.write_bytes(changed)
            return
    raise AssertionError(f"{chunk}: no bit of its second half matters")
