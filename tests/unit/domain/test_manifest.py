"""The bytes of a manifest: those of earlier releases stay as they are, whatever records have since."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from multisite.domain.manifest import (
    FlavorRecord,
    Manifest,
    NetworkRecord,
    PortRecord,
    SecurityGroupRecord,
    ServerRecord,
    SourceSite,
    SubnetRecord,
    VolumeRecord,
    dump,
    load,
)
from multisite.domain.trunks import SubportRecord, TrunkRecord

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
PLAIN = Manifest(
    id="rp-1",
    application_id="app-1",
    application="demo",
    project_id="p1",
    source=SourceSite("s1", "RegionOne", "http://keystone/v3"),
    method="consistent-backup",
    created_at=NOW,
    consistent_at=NOW,
    servers=(ServerRecord("s", "vm", 1, True, FlavorRecord("f", "t128", 1, 128, 1), ("p",), ("v",)),),
    volumes=(VolumeRecord("v", "root", 1, "rbd", True, "/dev/vda"),),
    ports=(PortRecord("p", "nic", "n", "fa:16:3e:00:00:01", ()),),
    networks=(NetworkRecord("n", "net"),),
    subnets=(SubnetRecord("u", "n", "sub", "10.0.0.0/24", 4, None, True),),
    security_groups=(SecurityGroupRecord("g", "group"),),
)
BEFORE = {
    "servers": "availability_zone config_drive description flavor hostname id key_name metadata name order port_ids "
    "quiesce server_group_id tags user_data volume_ids",
    "volumes": "bootable delete_on_termination device id image_metadata metadata name payload size_gib volume_type",
    "ports": "allowed_address_pairs description fixed_addresses id mac_address name network_id "
    "port_security_enabled security_group_ids vnic_type",
    "networks": "description external id mtu name port_security_enabled shared",
    "subnets": "allocation_pools cidr description dhcp dns_nameservers gateway_address host_routes id ip_version "
    "ipv6_address_mode ipv6_ra_mode name network_id",
    "security_groups": "description id name rules stateful",
}
"""Fields of records in manifests of the release before the ledger."""
CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("servers", {"locked": True, "locked_reason": "in service"}),
    ("volumes", {"description": "of the data base", "read_only": True}),
    ("ports", {"enabled": False, "dhcp_options": ({"opt_name": "26", "opt_value": "1300"},)}),
    ("ports", {"binding_profile": {"trusted": "true"}, "dns_name": "a", "dns_domain": "b.", "tags": ("t",)}),
    ("volumes", {"device_tag": "database"}),
    ("ports", {"device_tag": "traffic"}),
    ("networks", {"dns_domain": "b.", "tags": ("t",)}),
    ("subnets", {"dns_publish_fixed_ip": True, "tags": ("t",)}),
    ("security_groups", {"tags": ("t",)}),
)


@pytest.mark.parametrize("part", BEFORE)
def test_what_has_nothing_new_is_written_as_before(part: str) -> None:
    (record,) = json.loads(dump(PLAIN))[part]
    assert sorted(record) == BEFORE[part].split()
    assert load(dump(PLAIN)) == PLAIN


@pytest.mark.parametrize(("part", "fields"), CHANGES)
def test_what_is_new_is_written_and_read(part: str, fields: dict[str, Any]) -> None:
    (record,) = getattr(PLAIN, part)
    changed = replace(PLAIN, **{part: (replace(record, **fields),)})
    assert load(dump(changed)) == changed
    assert dump(load(dump(changed))) == dump(changed) != dump(PLAIN)


def test_trunks_are_written_where_there_are_any() -> None:
    trunk = TrunkRecord("t", "lanes", "p", (SubportRecord("p2", "vlan", 7),), "words", False, ("red",))
    changed = replace(PLAIN, trunks=(trunk,))
    assert load(dump(changed)) == changed
    assert "trunks" in json.loads(dump(changed)).keys() - json.loads(dump(PLAIN)).keys()


def test_a_description_of_a_flavor_is_written_where_there_is_one() -> None:
    (server,) = PLAIN.servers
    described = replace(server.flavor, description="large")
    changed = replace(PLAIN, servers=(replace(server, flavor=described),))
    assert load(dump(changed)) == changed
    before, after = (json.loads(dump(one))["servers"][0]["flavor"] for one in (PLAIN, changed))
    assert after == before | {"description": "large"} != before
