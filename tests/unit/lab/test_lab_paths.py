"""What is kept in the cache: the current entry of a kind and the one before it, and everything of other kinds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from multisite_lab import paths


def test_older_entries_of_a_kind_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MULTISITE_CACHE", str(tmp_path))
    for age, name in enumerate(("golden-c", "golden-b", "golden-a", "golden-0", "identity-a", "golden.new")):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1_000_000 - age, 1_000_000 - age))
    paths.forget_older(tmp_path / "golden-b")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["golden-b", "golden-c", "golden.new", "identity-a"]
