"""Whether a difference is said in a preview: by the name of the thing and the field's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from multisite_lab.sim.model import State
from tests.sim.ledger.compare import Difference

WORDS: Mapping[tuple[str, str], str] = {
    ("server", "accessIPv4"): "access address",
    ("server", "accessIPv6"): "access address",
    ("server", "trusted_image_certificates"): "trusted image certificates",
    ("server", "scheduler_hints"): "scheduler hints",
    ("server", "availability_zone"): "availability zone",
    ("server", "pinned_zone"): "availability zone",
    ("volume attachment", "device"): "will be",
    ("volume", "consistencygroup_id"): "consistency group",
    ("volume", "volume_type"): "volume type",
    ("port", "qos_policy_id"): "QoS policy",
    ("port", "device_profile"): "device profile",
    ("port", "numa_affinity_policy"): "NUMA affinity policy",
    ("port", "hints"): "hints of the backend",
    ("port", "hardware_offload_type"): "hardware offload type",
    ("port", "trusted"): "trusted port",
    ("port", "pvlan_type"): "type in a private VLAN",
    ("port", "pvlan_community"): "community in a private VLAN",
    ("port", "data_plane_status"): "data plane status",
    ("port", "trunk_details"): "trunk",
    ("network", "qos_policy_id"): "QoS policy",
    ("network", "admin_state_up"): "disabled",
    ("network", "provider:network_type"): "vlan network",
    ("network", "provider:physical_network"): "in the physical network",
    ("network", "segments"): "list of segments",
    ("network", "vlan_transparent"): "transparent for VLANs",
    ("network", "qinq"): "QinQ",
    ("network", "pvlan"): "private VLAN",
    ("network", "availability_zone_hints"): "availability zone hints",
    ("subnet", "service_types"): "service types",
    ("subnet", "segment_id"): "segment",
    ("subnet", "subnetpool_id"): "subnet pool",
    ("subnet", "leak_routes"): "leaks its routes",
    ("rule of security group", "tags"): "tags",
    ("rule of security group", "remote_address_group_id"): "address group",
    ("server group", "rules"): "rule",
    ("flavor", "rxtx_factor"): "network factor",
}
"""What an operator reads of a field; a field that no release knows goes by its own name."""
ALWAYS = (("swap", "swap disk"), ("OS-FLV-EXT-DATA:ephemeral", "ephemeral disk"))
"""Disks of a flavor that come back, but empty."""


def is_told(one: Difference, said: Iterable[str]) -> bool:
    words = WORDS.get((one.kind, one.field)) or ("brand_new" if one.field == "brand_new" else None)
    return words is not None and any(_about(one.thing, words, sentence) for sentence in said)


def _about(thing: str, words: str, sentence: str) -> bool:
    """Five things are named at most, the others counted."""
    return words in sentence and (
        all(name in sentence for name in thing.split(" of ")) or " more" in sentence
    )


def disks_not_told(source: State, servers: Iterable[str], said: Iterable[str]) -> list[str]:
    """Servers with an ephemeral or swap disk of which nobody says that it comes back empty."""
    said = list(said)
    return [
        f"server {source.servers[id].name!r}: nobody says that its {words} comes back empty"
        for id in servers
        for field, words in ALWAYS
        if source.servers[id].flavor.get(field)
        and not any(_about(source.servers[id].name, words, sentence) for sentence in said)
    ]
