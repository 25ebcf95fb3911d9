"""A backup store for tests, whose keys are made with it."""

from __future__ import annotations

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
