"""A list may lose rows and not say so: what is named elsewhere is looked for again, or asked for, or an error."""

from __future__ import annotations

import pytest

from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, SiteError
from multisite.clouds.facts.application import read_application
from tests.unit.clouds.conftest import FakeCloud
from tests.unit.clouds.facts.vnf import MAC, Vnf, subnet


def test_a_list_that_lost_a_port_is_not_believed(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    vnf.ports = vnf.ports[:3]
    vnf.play(fake)
    with pytest.raises(SiteError, match=f"server vm2 has NICs {MAC.format(7)}, and Neutron shows no ports"):
        read_application(site, ["s1", "s2"])


def test_a_list_that_lost_a_subnet_is_not_believed(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    vnf.play(fake)
    fake.json("GET", "network", "/subnets", {"subnets": [subnet("n-data")]})
    with pytest.raises(NotFoundInSite, match="subnet n-oam-v4 is in use but not visible"):
        read_application(site, ["s1"])


def test_a_key_pair_the_list_lost_is_asked_for(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    pair, vnf.keypairs = vnf.keypairs[0], []
    vnf.play(fake)
    fake.json("GET", "compute", "/os-keypairs/ops", pair)
    facts = read_application(site, ["s1"])
    assert ([k.public_key for k in facts.keypairs], facts.notes) == (["ssh-rsa A"], ())


def test_a_server_in_no_group_is_looked_for_again(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    vnf.play(fake)
    group = {"id": "sg1", "name": "apart", "policy": "anti-affinity", "members": ["s1", "s2"]}
    url = f"{fake.base('compute')}/os-server-groups"
    fake.mock.get(url, [{"json": {"server_groups": []}}, {"json": {"server_groups": [group]}}])
    facts = read_application(site, ["s1", "s2"])
    assert [s.server_group_id for s in facts.servers] == ["sg1", "sg1"]


def test_a_flavor_the_list_lost_is_looked_for_again(fake: FakeCloud, site: CloudSite, vnf: Vnf) -> None:
    vnf.play(fake)
    offered = {"id": "f1", "name": "t128", "description": "for mme"}
    url = f"{fake.base('compute')}/flavors/detail"
    fake.mock.get(url, [{"json": {"flavors": []}}, {"json": {"flavors": [offered]}}])
    facts = read_application(site, ["s1", "s2"])
    assert [s.flavor.description for s in facts.servers] == ["for mme", "for mme"]
    assert not [note for note in facts.notes if "not offered" in note]
