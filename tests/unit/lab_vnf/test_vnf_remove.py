"""Taking apart must go on after a refusal, end when the list is empty, and fail in words when it never is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from openstack import exceptions

from multisite_lab import sites, vnf
from multisite_lab.model import LabError
from multisite_lab.vnf import inventory, remove, site


class Project:
    """A project that notes what is deleted, in which order, and refuses what still hangs on something."""

    def __init__(self, refuse: int = 0) -> None:
        row = SimpleNamespace
        self.rows: inventory.Resources = {kind: [] for kind in inventory.LISTERS}
        self.rows["server"] = [row(id="s", name="vnf-1", metadata={})]
        self.rows["port"] = [row(id="p", name="", device_id="s")]
        self.rows["network"] = [row(id="n", name="vnf-data")]
        self.rows["volume"] = [row(id="v", name="vnf-1-root", attachments=[], metadata={}, group_id=None)]
        self.rows["snapshot"] = [row(id="k", name="kept", volume_id="v", metadata={})]
        self.rows["backup"] = [row(id="b", name="vnf-1-root", metadata={}, status="available")]
        self.refuse = refuse
        self.deleted: list[str] = []

    def delete(self, kind: str, row: Any) -> None:
        if self.refuse:
            self.refuse -= 1
            raise exceptions.ConflictException("in use")
        self.rows[kind].remove(row)
        self.deleted.append(kind)


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Project:
    made = Project()
    for kind in inventory.LISTERS:
        monkeypatch.setitem(inventory.LISTERS, kind, lambda cloud, kind=kind: cloud.rows[kind])
        monkeypatch.setitem(remove._DELETERS, kind, lambda cloud, row, kind=kind: cloud.delete(kind, row))
    monkeypatch.setattr(remove, "connect", lambda _cloud: made)
    monkeypatch.setattr(site.time, "sleep", lambda _seconds: None)
    return made


def test_everything_goes_in_an_order_that_works_and_backups_stay(project: Project) -> None:
    told: list[str] = []
    remove.destroy("site1", "vnf", told.append)
    assert project.deleted[0] == "server"
    assert project.deleted.index("snapshot") < project.deleted.index("volume")
    assert project.deleted.index("port") < project.deleted.index("network")
    assert len(project.rows["backup"]) == 1
    assert "site1: removed 1 server" in told


def test_a_second_time_is_nothing_to_do(project: Project) -> None:
    remove.destroy("site1", "vnf")
    project.deleted.clear()
    remove.destroy("site1", "vnf")
    assert project.deleted == []


def test_a_refusal_is_asked_again(project: Project) -> None:
    project.refuse = 3
    remove.destroy("site1", "vnf")
    assert project.rows["server"] == project.rows["volume"] == []


def test_what_never_goes_is_named(project: Project) -> None:
    project.refuse = 10**9
    with pytest.raises(LabError, match="server s cannot be deleted: not within 0 s"):
        remove.destroy("site1", "vnf", timeout=0)


def test_leftovers_are_what_belongs_to_nobody(project: Project) -> None:
    assert remove.leftovers("site1", "vnf") == ["backup vnf-1-root b available"]
    assert len(remove.leftovers("site1")) == 6


def test_a_refusing_guest_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "GUEST-INIT up=1\nGUEST-WORKLOAD refused\nGUEST-READY up=2\n"
    monkeypatch.setattr(sites, "console", lambda _site, _server: text)
    with pytest.raises(LabError, match="do not fit together"):
        vnf.wait_working("site2-admin", [("id", "vnf-1")])


def test_a_working_guest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    text = "GUEST-INIT up=1\nGUEST-WORKLOAD pid=1 up=2\nGUEST-READY up=2.5\nGUEST-RECORD seq=3 sum=4\n"
    monkeypatch.setattr(sites, "console", lambda name, _server: asked.append(name) or text)
    told: list[str] = []
    vnf.wait_working("site2-admin", [("id", "vnf-1")], told.append)
    assert asked == ["site2"]
    assert "ready 2.5 s" in told[0]
