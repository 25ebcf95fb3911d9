"""What of an old copy would be deleted: only what the restore point names and the site says is the project's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from multisite.domain.findings import Severity, blockers
from multisite.domain.manifest import Payload
from multisite.domain.old_copy import OldCopy, OldCopyState, OldServer
from multisite.recovery.failback.remove import SourceFacts, decide_removal
from tests.unit.recovery.recover_samples import manifest

POINT = manifest(2)
OURS = "tenant"


def there(**changed: Any) -> SourceFacts:
    """The site as it was, all servers off."""
    facts = SourceFacts(
        OURS,
        {s.id: {"id": s.id, "status": "SHUTOFF", "tenant_id": OURS} for s in POINT.servers},
        {v.id: {"id": v.id, "attachments": [], "os-vol-tenant-attr:tenant_id": OURS} for v in POINT.volumes},
        {p.id: {"id": p.id, "device_id": POINT.servers[0].id} for p in POINT.ports},
        {t.id: {"id": t.id} for t in POINT.trunks},
        {},
    )
    return replace(facts, **changed)


def decided(facts: SourceFacts, copy: OldCopy | None = None, point: Any = POINT) -> tuple[Any, Any]:
    return decide_removal(point, facts, copy, "r1")


def test_everything_the_restore_point_names_and_nothing_else() -> None:
    others = {"x": {"id": "x", "status": "SHUTOFF", "tenant_id": OURS}}
    facts = there(servers=there().servers | others, volumes=there().volumes | {"y": {"id": "y"}})
    shown, order = decided(facts)
    assert shown.removable
    assert [one.id for one in order.servers] == [s.id for s in POINT.servers]
    assert [one.id for one in order.volumes] == [v.id for v in POINT.volumes]
    assert [one.id for one in order.ports] == [p.id for p in POINT.ports]
    assert (order.site, order.recovery_id) == (POINT.source.name, "r1")
    assert {i.name for i in shown.items if i.action == "keep"} == {n.name for n in POINT.networks}


@pytest.mark.parametrize("status", ["ACTIVE", "PAUSED", "ERROR"])
def test_a_server_that_is_not_off_is_in_the_way(status: str) -> None:
    first = POINT.servers[0].id
    rows = there().servers | {first: {"id": first, "status": status, "tenant_id": OURS}}
    shown, _ = decided(there(servers=rows))
    assert not shown.removable
    assert "stop-source" in shown.problems[0].remedy


def test_what_is_anothers_or_gone_is_not_deleted() -> None:
    first, volume = POINT.servers[0].id, POINT.volumes[0].id
    servers = there().servers | {first: {"id": first, "status": "SHUTOFF", "tenant_id": "another"}}
    volumes = there().volumes | {volume: {"id": volume, "os-vol-tenant-attr:tenant_id": "another"}}
    shown, order = decided(there(servers=servers, volumes=volumes, ports={}))
    assert shown.removable
    assert first not in {one.id for one in order.servers}
    assert volume not in {one.id for one in order.volumes}
    assert order.ports == ()
    assert {i.target_id for i in shown.items if i.action == "gone"} >= {first, volume}


def test_a_volume_that_others_use_is_in_the_way() -> None:
    volume = POINT.volumes[0].id
    attached = {"id": volume, "attachments": [{"server_id": "stranger"}]}
    shown, _ = decided(there(volumes=there().volumes | {volume: attached}))
    assert "attached to stranger" in blockers(shown.problems)[0].what
    shown, _ = decided(there(snapshots={volume: "s1"}))
    assert "openstack volume snapshot delete s1" in blockers(shown.problems)[0].remedy


def test_a_port_that_others_use_stays() -> None:
    port = POINT.ports[0].id
    used = {"id": port, "device_id": "stranger", "device_owner": "compute:nova"}
    shown, order = decided(there(ports=there().ports | {port: used}))
    assert port not in {one.id for one in order.ports}
    assert next(i for i in shown.items if i.target_id == port).detail == "used by stranger"


def test_replicated_volumes_are_never_deleted() -> None:
    volumes = tuple(replace(v, payload=Payload("volume-replication", {})) for v in POINT.volumes)
    shown, order = decided(there(), point=replace(POINT, volumes=volumes))
    assert order.volumes == ()
    assert all("cinder unmanage" in i.detail for i in shown.items if i.kind == "volume")


def test_what_the_restore_point_does_not_name_is_told_and_stays() -> None:
    """Its project is that of the servers that are named."""
    site, first = POINT.source.name, POINT.servers[0]
    left = OldServer("active-one", "mme-9", 9, site, 0, "elsewhere", "SHUTOFF")
    named = OldServer(first.id, first.name, 1, site, 0, "there", "SHUTOFF")
    copy = OldCopy("a1", "mme", "p1", "r1", 1, "lyon", OldCopyState.OFF, (left, named))
    shown, order = decided(there(), copy)
    assert [(f.severity, "active-one" in f.remedy) for f in shown.problems] == [(Severity.NOTE, True)]
    assert shown.removable
    assert order.site_project_id == "there"
