"""Reading an application: order, completeness, and nothing left out silently."""

from __future__ import annotations

import pytest

from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, SiteError, Unsupported
from multisite.clouds.facts.application import read_application
from tests.unit.clouds.conftest import FakeCloud
from tests.unit.clouds.facts.vnf import MAC, Vnf, address, port, rule, server, volume


def test_everything_in_order(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    vnf.play(fake)
    facts = read_application(site, ["s2", "s1"], {"s1": False})
    second, first = facts.servers
    assert [(s.id, s.order, s.quiesce) for s in facts.servers] == [("s2", 1, True), ("s1", 2, False)]
    assert [v.id for v in facts.volumes] == ["v2-root", "v2-data", "v1-root", "v1-data"]
    assert first.volume_ids == ("v1-root", "v1-data")
    # As the guest sees them (addresses), not as Neutron lists them.
    assert first.port_ids == ("p1-oam", "p1-data")
    assert second.port_ids == ("p2-oam", "p2-data")
    assert [p.id for p in facts.ports] == ["p2-oam", "p2-data", "p1-oam", "p1-data"]
    assert {g.id for g in facts.security_groups} == {"g-default", "g-peer", "g-far"}
    assert [r.remote_group_id for r in facts.security_groups[0].rules] == ["g-default", "g-peer"]
    assert first.flavor.id == "f1"
    assert first.flavor.extra_specs == {"hw:cpu_policy": "shared"}
    assert [g.policy for g in facts.server_groups] == ["anti-affinity"]
    assert first.server_group_id == "sg1"
    assert facts.keypairs[0].public_key == "ssh-rsa A"
    assert facts.volumes[0].image_metadata == {"hw_qemu_guest_agent": "yes"}
    assert facts.volumes[1].delete_on_termination
    assert first.config_drive
    assert first.user_data == "I2Nsb3Vk"
    assert {s.id for s in facts.subnets} == {"n-data-v4", "n-oam-v4"}
    assert facts.notes == ()


def test_our_own_marks_are_not_carried_over(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    vnf.play(fake)
    facts = read_application(site, ["s1"])
    assert facts.servers[0].metadata == {"vnf": "demo"}
    assert facts.volumes[0].metadata == {"role": "db"}


def test_device_tags_are_those_of_each_disk_and_nic(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    vnf.tagged_disks = [{"volumeId": "v1-data", "tag": "database"}, {"volumeId": "v1-root", "tag": None}]
    vnf.tagged_nics = [{"port_id": "p1-oam", "tag": "oam"}, {"port_id": "p1-data"}]
    vnf.play(fake)
    facts = read_application(site, ["s1"])
    assert {v.id: v.device_tag for v in facts.volumes} == {"v1-root": None, "v1-data": "database"}
    assert {p.id: p.device_tag for p in facts.ports} == {"p1-oam": "oam", "p1-data": None}


def test_what_nova_left_out_of_its_lists_is_asked_for(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    vnf.tagged_disks = [{"volumeId": "v1-root", "tag": None}]
    vnf.tagged_nics = [{"port_id": "p1-oam", "tag": "oam"}]
    vnf.play(fake)
    path = "/servers/s1/os-volume_attachments/v1-data"
    fake.json("GET", "compute", path, {"volumeAttachment": {"volumeId": "v1-data", "tag": "database"}})
    fake.json("GET", "compute", "/servers/s1/os-interface/p1-data", {"itemNotFound": {}}, 404)
    facts = read_application(site, ["s1"])
    assert {v.id: v.device_tag for v in facts.volumes} == {"v1-root": None, "v1-data": "database"}
    assert [note for note in facts.notes if "device tag" in note] == [
        "port p1-data: Nova does not show it as attached to server s1: device tag unknown"
    ]


def test_lists_not_one_call_per_thing(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    vnf.servers = [server(n) for n in range(1, 9)]
    vnf.volumes = [
        volume(f"v{n}-{kind}", f"s{n}", device)
        for n in range(1, 9)
        for kind, device in (("root", "/dev/vda"), ("data", "/dev/vdb"))
    ]
    vnf.ports = [
        port(f"p{n}-{nic}", f"s{n}", MAC.format(n * 3 + nic), f"n-{name}")
        for n in range(1, 9)
        for nic, name in ((2, "oam"), (1, "data"))
    ]
    vnf.play(fake)
    _ = site.compute, site.volume, site.network

    def lists(servers: int) -> int:
        before = fake.mock.call_count
        found = read_application(site, [f"s{n}" for n in range(1, servers + 1)])
        assert len(found.servers) == servers
        asked = [request.path for request in fake.mock.request_history[before:]]
        devices = [path for path in asked if path.endswith(("/os-volume_attachments", "/os-interface"))]
        assert len(devices) == 2 * servers, "no list has device tags"
        return len(asked) - len(devices)

    assert lists(2) == lists(8) <= 17


def test_servers_of_another_project_are_listed_there(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    for row in vnf.servers:
        row["tenant_id"] = "p2"
    vnf.play(fake)
    assert read_application(site, ["s1", "s2"]).project_id == "p2"
    for path in ("/servers/detail", "/volumes/detail"):
        assert fake.sent("GET", path)[0].qs == {"all_tenants": ["1"], "project_id": ["p2"]}
    assert fake.sent("GET", "/os-server-groups")[0].qs == {"all_projects": ["true"]}


def test_image_backed_server_is_told(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    vnf.servers[0]["image"] = {"id": "i1"}
    vnf.play(fake)
    states = read_application(site, ["s1", "s2"]).server_states
    assert {id: state.image_backed for id, state in states.items()} == {"s1": True, "s2": False}


def test_server_that_is_being_built(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    vnf.servers[0] |= {"status": "BUILD", "addresses": {}}
    vnf.play(fake)
    with pytest.raises(Unsupported, match="vm1 is still being built"):
        read_application(site, ["s1"])


def test_missing_server_is_named(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    vnf.play(fake)
    missing = {"itemNotFound": {"message": "Instance gone could not be found.", "code": 404}}
    fake.json("GET", "compute", "/servers/gone", missing, 404)
    with pytest.raises(NotFoundInSite, match="Instance gone"):
        read_application(site, ["s1", "gone"])


def test_a_server_of_another_project_is_not_there(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    """In Nova's own words: an administrator's account sees it, whose name is nobody else's to learn."""
    vnf.servers[1]["tenant_id"] = "p2"
    vnf.play(fake)
    fake.json("GET", "compute", "/servers/detail", {"servers": [vnf.servers[0]]})
    with pytest.raises(
        NotFoundInSite, match=r"read server s2: Instance s2 could not be found\. \(HTTP 404\)"
    ):
        read_application(site, ["s1", "s2"])


def test_invisible_volume_is_named(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    vnf.volumes = [v for v in vnf.volumes if v["id"] != "v1-data"]
    vnf.play(fake)
    fake.json("GET", "block-storage", "/volumes/v1-data", {"itemNotFound": {"message": "no volume"}}, 404)
    with pytest.raises(NotFoundInSite, match="read volume v1-data of server vm1"):
        read_application(site, ["s1"])


def test_volume_attached_twice(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    vnf.volumes[0]["attachments"].append({"server_id": "s9", "device": "/dev/vdc"})
    vnf.play(fake)
    with pytest.raises(Unsupported, match="v1-data is attached to more than one server"):
        read_application(site, ["s1"])


def test_unknown_device_is_named(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    vnf.volumes[0]["attachments"][0]["device"] = None
    vnf.play(fake)
    with pytest.raises(SiteError, match="on which device of server vm1 volume v1-data"):
        read_application(site, ["s1"])


def test_invisible_security_group_is_named(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    vnf.groups = vnf.groups[:2]
    vnf.play(fake)
    with pytest.raises(NotFoundInSite, match="security group g-far"):
        read_application(site, ["s1"])


def test_invisible_extra_specs_are_named(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    del vnf.servers[0]["flavor"]["extra_specs"]
    vnf.play(fake)
    with pytest.raises(SiteError, match="extra specs of flavor t128"):
        read_application(site, ["s1"])


def two_nics_on_one_network(vnf: Vnf) -> None:
    """oam, data, oam: ``addresses`` groups by network and so cannot say which of two came first."""
    vnf.servers[0]["addresses"] = {"oam": [address(1, 0), address(1, 2)], "data": [address(1, 1)]}
    vnf.ports = [
        port("second", "s1", MAC.format(4), "n-data"),
        port("third", "s1", MAC.format(5), "n-oam"),
        port("first", "s1", MAC.format(3), "n-oam"),
    ]


def test_order_of_nics_by_the_hypervisor(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    two_nics_on_one_network(vnf)
    vnf.nics = [MAC.format(n) for n in (3, 4, 5)]
    vnf.play(fake)
    facts = read_application(site, ["s1"])
    assert facts.servers[0].port_ids == ("first", "second", "third")
    assert facts.notes == ()


def test_order_of_nics_that_nobody_tells_is_noted(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    two_nics_on_one_network(vnf)
    vnf.play(fake)
    facts = read_application(site, ["s1"])
    assert facts.servers[0].port_ids == ("first", "third", "second")
    assert "order of the 3 NICs of server vm1" in facts.notes[0]


def test_what_is_not_carried_over_is_noted(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    one = vnf.servers[0]
    del one["OS-EXT-SRV-ATTR:user_data"]
    del one["OS-EXT-SRV-ATTR:root_device_name"]
    one["user_id"] = "somebody"
    one["flavor"]["original_name"] = "old"
    one["addresses"]["oam"].append(address(1, 2, "floating"))
    vnf.keypairs_status = 403
    vnf.volumes[0]["encrypted"] = True
    vnf.ports[0]["trunk_details"] = {"trunk_id": "t1", "sub_ports": []}
    fake.json("GET", "network", "/trunks", {"trunks": []})
    fake.json("GET", "network", "/trunks/t1", {"NeutronError": {"type": "TrunkNotFound"}}, 404)
    vnf.groups[2]["security_group_rules"].append(rule(remote_address_group_id="a"))
    vnf.play(fake)
    fake.json("GET", "block-storage", "/types", {"volume_types": [{"id": "t-rbd", "name": "rbd"}]})
    facts = read_application(site, ["s1"])
    assert {v.id: v.encrypted_type_id for v in facts.volumes} == {"v1-root": None, "v1-data": "t-rbd"}
    notes = "\n".join(facts.notes)
    for words in (
        "user data",
        "key pair ops",
        "flavor old",
        "floating",
        "encrypted",
        "trunk t1 of port p1-data is not shown to us",
        "address group",
    ):
        assert words in notes
    assert [v.device for v in facts.volumes] == ["/dev/vda", "/dev/vdb"]
    assert facts.servers[0].flavor.id == ""
    assert fake.sent("GET", "/os-keypairs")[0].qs == {"user_id": ["somebody"]}


def test_a_port_that_only_a_port_forwarding_leads_to_is_carried(
    fake: FakeCloud, site: CloudSite, vnf: Vnf
) -> None:
    """The list of floating IPs does not name the port; a port that nothing leads to is told of."""
    free = {"device_owner": "", "allowed_address_pairs": []}
    vnf.ports += [port(f"p-{kind}", "", MAC.format(9), "n-data", **free) for kind in ("inside", "unused")]
    listed = {
        "protocol": "tcp",
        "internal_ip_address": "10.0.0.7",
        "internal_port": 22,
        "external_port": 2222,
    }
    vnf.floating_ips = [
        {"id": "f1", "floating_ip_address": "203.0.113.9", "port_id": None, "port_forwardings": [listed]},
        {"id": "f2", "floating_ip_address": "203.0.113.8", "port_id": "elsewhere", "port_forwardings": []},
    ]
    vnf.play(fake)
    shown = listed | {"id": "pf1", "internal_port_id": "p-inside"}
    fake.json("GET", "network", "/floatingips/f1/port_forwardings", {"port_forwardings": [shown]})
    facts = read_application(site, ["s1"])
    assert [p.id for p in facts.ports] == ["p1-oam", "p1-data", "p-inside"]
    told = [note for note in facts.notes if "floating IP" in note or "no device" in note]
    assert [note.split(":")[0] for note in told] == [
        "port p-unused (10.0.0.7) has no device, and no member may use its address",
        "floating IP 203.0.113.9 leads to port p-inside",
    ]


def test_server_without_ports(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    vnf.ports = []
    vnf.servers[0] |= {"addresses": {}, "key_name": None}
    vnf.play(fake)
    facts = read_application(site, ["s1"])
    assert facts.ports == facts.networks == facts.security_groups == facts.keypairs == ()


def test_a_key_pair_that_is_gone_is_noted(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    vnf.keypairs = []
    vnf.play(fake)
    fake.json("GET", "compute", "/os-keypairs/ops", {"itemNotFound": {"message": "gone"}}, 404)
    facts = read_application(site, ["s1"])
    assert (facts.keypairs, len(facts.notes)) == ((), 1)
