"""What a restore point does not have is said in it and in every preview of a recovery from it."""

from __future__ import annotations

from multisite.clouds.connect import Sites
from multisite.clouds.facts.application import read_application
from multisite.domain.findings import Severity
from multisite_lab.sim.world import World
from tests.sim.deploy import Deployed
from tests.sim.service import CLOUDS, MAPPING, SITE, TARGET, Service


def set_fields(world: World, made: Deployed) -> None:
    """What no restore point carries, on one of each kind."""
    state = world.sites[SITE].settle().state
    state.ports[made.ports[0]] |= {"numa_affinity_policy": "preferred"}
    state.networks[made.networks[1]] |= {"vlan_transparent": True, "admin_state_up": False}
    subnet = state.networks[made.networks[0]]["subnets"][0]
    state.subnets[subnet]["service_types"] = ["compute:nova"]
    state.server_groups[made.server_group]["rules"] = {"max_server_per_host": 3}
    flavor = state.servers[made.servers[0]].flavor
    flavor |= {"OS-FLV-EXT-DATA:ephemeral": 20, "swap": 512}
    state.ports[made.ports[1]]["brand_new"] = "something"


LOST = (
    'server group mme: rule {"max_server_per_host": 3} is not carried',
    "flavor of server mme-1: its ephemeral disk of 20 GiB comes back empty",
    "flavor of server mme-1: its swap disk of 512 MiB comes back empty",
    "port mme-1-data: NUMA affinity policy preferred is not carried",
    "port mme-1-mgmt: this release knows nothing of brand_new",
    "network mme-mgmt: it is disabled, and comes up",
    "network mme-mgmt: it is transparent for VLANs, which is not carried",
    'subnet mme-data: service types ["compute:nova"] is not carried',
)


def test_what_is_lost_is_said_in_the_restore_point_and_in_the_preview(world: World, service: Service) -> None:
    made = service.deploy("mme", servers=1)
    assert service.manifests.read(service.protect("mme")[1].id).notes == (), (
        "nothing is lost, nothing is said"
    )
    set_fields(world, made)
    _, point = service.protect("mme")
    notes = service.manifests.read(point.id).notes
    missing = [words for words in LOST if not any(note.startswith(words) for note in notes)]
    assert (missing, len(notes)) == ([], len(LOST))
    preview = service.recoveries.preview(service.caller, point.id, TARGET, MAPPING)
    said = [p.what for p in preview.problems if p.severity is Severity.NOTE]
    assert [note for note in notes if note not in said] == []


def test_what_a_recovery_made_is_protected_again_without_a_word(world: World, service: Service) -> None:
    """Our own tokens, in tags and descriptions, are none of the application's."""
    service.deploy("mme", servers=1)
    _, point = service.protect("mme")
    world.cut(SITE)
    _, recovery = service.recover(point.id)
    assert recovery.state == "done"
    ids = [server["id"] for server in recovery.servers]
    assert read_application(service.cloud(TARGET), ids).notes == ()


def test_what_members_are_not_shown_is_said_to_be_unknown(service: Service) -> None:
    made = service.deploy("mme", servers=1)
    clouds = Sites(config_file=service.folder / CLOUDS)
    notes = read_application(clouds.open_for_service(f"{SITE}-member"), made.servers).notes
    for words in (
        "binding:profile of ports",
        "provider:network_type of networks",
        "which volumes are read-only",
    ):
        assert [note for note in notes if words in note and "not known" in note], words
