"""A real server with three NICs: its facts, its tokens, and an application made of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from real_thing import PUBLIC_KEY, Thing

from multisite.applications.service import ApplicationService
from multisite.clouds.call import call
from multisite.clouds.capabilities import discover
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.errors import NotFoundInSite
from multisite.clouds.facts.application import read_application
from multisite.clouds.resources import KINDS, Kind, find, find_of_job
from multisite.domain.caller import Caller
from multisite.domain.errors import Invalid
from multisite.domain.model import Site
from multisite.store.applications import ApplicationRepository
from multisite.store.database import Database
from multisite.store.sites import SiteRepository

pytestmark = pytest.mark.lab


def test_facts(site: CloudSite, thing: Thing) -> None:
    facts = read_application(site, [thing.ids["vm"]], {thing.ids["vm"]: False})
    (server,) = facts.servers
    ids = thing.ids
    assert server.quiesce is False
    assert server.volume_ids == (ids["root"], ids["data"])
    assert [v.device for v in facts.volumes] == ["/dev/vda", "/dev/vdb"]
    assert [v.bootable for v in facts.volumes] == [True, False]
    # net-b, net-a, net-b: only the hypervisor can tell.
    assert server.port_ids == (ids["nic1"], ids["nic2"], ids["nic3"])
    assert {n.id for n in facts.networks} == {ids["net-a"], ids["net-b"]}
    assert {s.id for s in facts.subnets} == {ids["net-a-v4"], ids["net-b-v4"]}
    assert {g.id for g in facts.security_groups} == {ids["near"], ids["far"]}
    assert [k.public_key for k in facts.keypairs] == [PUBLIC_KEY]
    assert server.key_name == facts.keypairs[0].name
    assert server.server_group_id == ids["apart"]
    assert facts.server_groups[0].policy == "soft-anti-affinity"
    assert server.flavor.id == ids["flavor"]
    assert server.flavor.extra_specs == {"hw:mem_page_size": "any"}
    assert server.metadata == {"vnf": "facts"}
    assert not server.config_drive
    assert server.user_data == "I2Nsb3VkLWNvbmZpZwo="
    assert facts.networks[0].description.startswith("for net-")
    beside, in_group = sorted(facts.notes)
    assert beside.startswith("port carrier (10.61.0.")
    assert in_group.startswith("volume data: membership in volume group ")


def test_facts_for_a_member(sites: Sites, thing: Thing) -> None:
    """The project's own member reads the same, except what Nova keeps for administrators; that is noted."""
    facts = read_application(sites.open_for_service("site2-member"), [thing.ids["vm"]])
    notes = " ".join(facts.notes)
    assert "user data of server vm" in notes
    assert "order of the 3 NICs" in notes
    assert "key pair" in notes
    assert len(facts.ports) == 3
    assert len(facts.volumes) == 2


def test_facts_are_not_for_other_projects(sites: Sites, thing: Thing) -> None:
    with pytest.raises(NotFoundInSite):
        read_application(sites.open_for_service("site2-other"), [thing.ids["vm"]])


def test_facts_from_another_project(sites: Sites, thing: Thing) -> None:
    """An administrator whose credentials are of another project."""
    facts = read_application(sites.open_for_service("site2-admin"), [thing.ids["vm"]])
    assert facts.servers[0].server_group_id == thing.ids["apart"]
    assert [k.public_key for k in facts.keypairs] == [PUBLIC_KEY]


NAMES: dict[Kind, str] = {
    "server": "vm",
    "volume": "data",
    "snapshot": "snap",
    "group_snapshot": "moment",
    "backup": "copy",
    "network": "net-a",
    "subnet": "net-a-v4",
    "port": "nic1",
    "security_group": "far",
    "router": "edge",
    "floating_ip": "address",
    "trunk": "vlans",
    "image": "picture",
    "keypair": "key",
    "server_group": "apart",
}


@pytest.mark.parametrize("kind", KINDS)
def test_tokens(site: CloudSite, thing: Thing, kind: Kind) -> None:
    name = NAMES.get(kind) or f"tiny-{thing.job[-8:]}"
    found = find(site, kind, thing.tokens[name])
    wanted = thing.ids["flavor" if kind == "flavor" else name]
    assert [f.id for f in found] == [wanted]
    assert find(site, kind, thing.tokens[name] + "x") == []


def test_an_unsealed_network_is_found_too(site: CloudSite, thing: Thing) -> None:
    token = f"multisite:{thing.job}:crashed"
    made = call(site, "create network", site.network.create_network, name="half", description=token)
    assert [f.id for f in find(site, "network", token)] == [made.id]


def test_find_of_job_finds_all_and_nothing_else(site: CloudSite, thing: Thing) -> None:
    found = find_of_job(site, thing.job)
    assert set(thing.ids.values()) <= {f.id for f in found}
    assert all("half" in f.name or f.id in thing.ids.values() for f in found)
    assert find_of_job(site, "no-such-job") == []


def test_sixteen_threads_share_a_connection(sites: Sites, thing: Thing) -> None:
    sites.drop("site2")
    site = sites.open_for_service("site2")

    def read(_n: int) -> str:
        return str(call(site, "read server", lambda: site.compute.get_server(thing.ids["vm"])).name)

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(read, range(96))) == {"vm"}


def test_backup_tells_its_driver(site: CloudSite, thing: Thing) -> None:
    found = {c.name: c for c in discover(site)}
    assert "cinder.backup.drivers" in found["backup-driver"].detail


def test_application(site: CloudSite, sites: Sites, thing: Thing, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'm.db'}")
    database.upgrade()
    SiteRepository(database).add(Site("i", "site2", "site2", "RegionTwo", "http://x"))
    verbs = ApplicationService(ApplicationRepository(database), sites)
    ann = Caller("u", "ann", "known-here-by-another-id", "vnf", frozenset({"member"}), "r", "Default")
    made = verbs.create(ann, "demo", "site2", [{"id": thing.ids["vm"], "quiesce": False}])
    assert [(m.server_name, m.quiesce) for m in made.members] == [("vm", False)]
    verbs.delete(ann, "demo")
    assert (
        verbs.create(ann, "tagged", "site2", metadata_tag="vnf=facts").members[0].server_id == thing.ids["vm"]
    )
    bob = Caller("u", "bob", "elsewhere", "other", frozenset({"member"}), "r", "Default")
    with pytest.raises(Invalid, match="could not be found"):
        verbs.create(bob, "mine", "site2", [{"id": thing.ids["vm"]}])
    with pytest.raises(Invalid, match="no server of project other"):
        verbs.create(bob, "mine", "site2", metadata_tag="vnf=facts")
