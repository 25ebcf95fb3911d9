"""What apt answers becomes exact versions; an answer that does not change is not asked for again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from multisite_lab.guest import packages

_POOL = "http://deb.debian.org/debian/pool/main"
_BUSYBOX, _LIBC = "3d" * 32, "ba" * 32
OFFERS = (
    f"'{_POOL}/b/busybox-static.deb' busybox-static_1%3a1.35.0-4+b1_amd64.deb 9 SHA256:{_BUSYBOX}\n"
    f"'{_POOL}/g/libc6_2.36-9_amd64.deb' libc6_2.36-9_amd64.deb 2759320 SHA256:{_LIBC}\n"
)


def test_offers_are_read() -> None:
    busybox, libc = packages.parse(OFFERS)
    assert busybox.spec == "busybox-static=1:1.35.0-4+b1"
    assert libc.file == "libc6_2.36-9_amd64.deb"
    assert libc.sha256 == _LIBC


def test_a_truncated_download_is_not_taken(tmp_path: Path) -> None:
    whole = packages.Package("a_1_amd64.deb", hashlib.sha256(b"content").hexdigest())
    assert not whole.intact(tmp_path)
    (tmp_path / whole.file).write_bytes(b"conte")
    assert not whole.intact(tmp_path)
    (tmp_path / whole.file).write_bytes(b"content")
    assert whole.intact(tmp_path)


def test_apt_is_asked_once_for_the_same_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lists, asked = tmp_path / "lists", []
    lists.mkdir()
    (lists / "debian_Packages").write_text("")
    monkeypatch.setenv("MULTISITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(packages, "_LISTS", lists)
    monkeypatch.setattr(packages, "_PACKAGES", ["busybox-static"])
    monkeypatch.setattr(packages, "_names", lambda: ["linux-image", "busybox-static"])
    monkeypatch.setattr(packages, "_apt", lambda *command: asked.append(command) or OFFERS)
    assert packages.offered() == packages.offered() == packages.parse(OFFERS)
    assert len(asked) == 1
    (lists / "other_Packages").write_text("")
    packages.offered()
    assert len(asked) == 2


def test_a_package_nobody_offers_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MULTISITE_CACHE", str(tmp_path))
    monkeypatch.setattr(packages, "_names", lambda: ["linux-image"])
    monkeypatch.setattr(packages, "_apt", lambda *_command: "")
    with pytest.raises(RuntimeError, match="does not offer"):
        packages.offered()
