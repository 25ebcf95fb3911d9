"""What is missing, what is old, and what a machine lacks: decided here, installed elsewhere."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from multisite_lab import install, paths
from multisite_lab.model import LabError


def test_only_what_is_installed_counts() -> None:
    status = "installed gcc\nconfig-files tcpdump\nnot-installed ipset\nhalf-configured ceph-mon\n"
    assert install.missing(status, ["gcc", "tcpdump", "ipset", "ceph-mon", "never-heard-of"]) == [
        "tcpdump",
        "ipset",
        "ceph-mon",
        "never-heard-of",
    ]


def test_the_list_of_packages_is_sane() -> None:
    wanted = install.wanted_packages()
    assert len(wanted) == len(set(wanted)) > 30
    assert all(" " not in name for name in wanted)


def test_uv_is_pinned_with_its_hashes() -> None:
    first, *hashes = (paths.DATA / "uv.lock").read_text().split(" \\\n")
    assert first.startswith("uv==")
    assert all(line.strip().startswith("--hash=sha256:") for line in hashes)
    assert hashes


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MULTISITE_CACHE", str(tmp_path))
    return tmp_path


def _used(path: Path, days_ago: float, now: float) -> None:
    os.utime(path, (now, now - days_ago * 24 * 3600))


def test_prune_takes_only_what_was_not_used_for_a_month(cache: Path) -> None:
    now = 1_800_000_000.0
    for name, days in (("openstack-old", 31), ("openstack-young", 29), ("tools-old", 31)):
        (cache / name).mkdir()
        (cache / name / ".complete").touch()
        _used(cache / name / ".complete", days, now)
    current = paths.openstack_venv()
    current.mkdir()
    _used(current, 400, now)
    (cache / "guest-0123.raw").touch()
    _used(cache / "guest-0123.raw", 31, now)
    (cache / "install.log").touch()
    assert {path.name for path in install.prune(now)} == {"openstack-old", "tools-old", "guest-0123.raw"}
    assert current.exists()
    assert (cache / "openstack-young").exists()
    assert (cache / "install.log").exists()


def test_another_system_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(
        platform,
        "freedesktop_os_release",
        lambda: {"ID": "debian", "VERSION_ID": "13", "PRETTY_NAME": "Debian 13"},
    )
    with pytest.raises(LabError, match=r"Debian 12 .* this is Debian 13"):
        install.check_machine()


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="only root"):
        install.check_machine()


def test_too_small_a_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", lambda name: {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1_000_000}[name])
    with pytest.raises(LabError, match=r"8 GiB of memory; this machine has 3\.8 GiB"):
        install.check_memory()


def test_a_command_that_fails_is_told_with_its_last_words(cache: Path) -> None:
    installation = install._Installation(lambda _line: None)
    with pytest.raises(LabError, match="no such thing"):
        installation._run(sys.executable, "-c", "raise SystemExit('no such thing')")
    assert "no such thing" in (cache / "install.log").read_text()


def test_daemons_are_kept_from_starting_and_a_guard_of_others_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = tmp_path / "policy-rc.d"
    monkeypatch.setattr(install, "_POLICY", guard)
    with install._no_daemons():
        assert subprocess.run([guard]).returncode == 101
    assert not guard.exists()
    guard.write_text("#!/bin/sh\nexit 101\n")
    with install._no_daemons():
        pass
    assert guard.exists()
