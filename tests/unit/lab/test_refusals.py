"""The lab touches nothing it did not make."""

from __future__ import annotations

from pathlib import Path

import pytest

from multisite_lab import golden, lifecycle, lock, netns, up
from multisite_lab.model import CORE_NAMESPACE, LabError, Site, site_named


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MULTISITE_LAB_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(netns, "RUN", tmp_path / "netns")
    (tmp_path / "netns").mkdir()


def test_a_namespace_of_our_name_made_by_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "netns" / CORE_NAMESPACE).touch()
    with pytest.raises(LabError, match="was not made by the lab"):
        netns.ensure_core()
    with pytest.raises(LabError, match=f"ip netns del {CORE_NAMESPACE}"):
        netns.remove_core()
    assert (tmp_path / "netns" / CORE_NAMESPACE).exists()


def test_only_root_may_bring_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LabError, match="root"):
        up.check_machine()


def test_databases_of_other_packages_are_refused() -> None:
    site = site_named("site1")
    (site.var / "mysql").mkdir(parents=True)
    (site.root / "identity").write_text("x")
    (site.root / "software").write_text("older")
    assert golden.software() != "older"
    with pytest.raises(LabError, match="down --wipe"):
        lifecycle.prepare(site, Path("/nowhere"))


def test_a_site_that_is_down_says_so() -> None:
    site = site_named("site1")
    assert not lifecycle.is_alive(site)
    assert lifecycle.kill(site) == 0.0
    with pytest.raises(LabError, match="not running"):
        lifecycle.init_pid(site)


def test_an_unknown_site_is_named_with_those_there_are() -> None:
    with pytest.raises(LabError, match="site1, site2"):
        site_named("site9")


def test_the_lock_can_be_held_twice_by_one_process(tmp_path: Path) -> None:
    with lock.exclusive(), lock.exclusive():
        assert (tmp_path / "state" / "lock").exists()


def test_addresses_of_sites_differ() -> None:
    first, second = site_named("site1"), Site("site3", 3, "RegionThree")
    assert first.management == "192.168.251.11"
    assert second.vtep == "172.31.9.13"
    assert second.url("cinder") == "http://192.168.251.13:8776/v3"
