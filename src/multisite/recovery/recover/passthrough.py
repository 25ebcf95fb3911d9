"""Devices of the host that servers and ports need: what the target cannot give, or nobody can ask it for, is a loss.

Sources: Nova's guides on PCI passthrough (aliases are options of nova.conf, which no API shows), Neutron's on SR-IOV.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from multisite.domain.manifest import Manifest, PortRecord
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.losses import devices
from multisite.recovery.recover.model import PlannedFlavor, PlannedNetwork, flavor_key

SRIOV_AGENT = "NIC Switch agent"
_BY_AGENT = ("direct", "direct-physical", "macvtap")
"""Kinds of NIC that Neutron's SR-IOV driver binds, which needs its agent (neutron ``mech_sriov/mech_driver``)."""


def without_lost_devices(draft: Draft, planned: Iterable[PlannedFlavor]) -> tuple[PlannedFlavor, ...]:
    """A flavor that the target's operator made tells what it has there; one that the recovery makes has no devices."""
    there = {f.id: f for f in draft.facts.flavors}
    flavors = {flavor_key(f.record): f for f in planned}
    for server in draft.manifest.servers:
        key = flavor_key(server.flavor)
        wanted, flavor = devices(server.flavor), flavors[key]
        had = devices(there[flavor.use]) if flavor.use else {}
        if not wanted.keys() - had.keys():
            continue
        shown = ", ".join(f"{name}={value}" for name, value in sorted(wanted.items()))
        draft.loss(
            "pci-device",
            server.id,
            server.name,
            f"its flavor asks for devices of the host ({shown}): no API of {draft.facts.site} tells whether it has "
            "those, and its operator has made no flavor with them",
            f"let its operator make one, and map it: {draft.option('flavors', server.flavor.id, server.flavor.name)}",
        )
        if flavor.use is None:
            kept = {k: v for k, v in flavor.record.extra_specs.items() if k not in wanted}
            flavors[key] = replace(flavor, record=replace(flavor.record, extra_specs=kept))
    return tuple(flavors.values())


def needs_sriov(manifest: Manifest) -> bool:
    """Whether the target must be asked for agents of SR-IOV."""
    return any(port.vnic_type in _BY_AGENT for port in manifest.ports)


def possible_nic(draft: Draft, record: PortRecord, network: PlannedNetwork | None) -> PortRecord:
    """The port; as an ordinary one where the target cannot give a NIC of its kind."""
    if record.vnic_type == "normal":
        return record
    kind, site = record.vnic_type, draft.facts.site
    mapped = network is not None and network.use is not None
    option = _option(draft, network)
    if record.vnic_type not in _BY_AGENT or _offloaded(record):
        draft.note(
            f"port {record.name or record.id}",
            f"it is a {kind} port with hardware offload: whether {site} can give that cannot be asked",
            "make sure that its hosts have such NICs",
        )
        return record
    if not mapped:
        what = f"it is a {kind} port (SR-IOV), and its network would be an overlay, which has none"
        remedy = f"make the network at {site} before, and map it: {option}"
    elif not draft.facts.knows("nic_agents"):
        what = f"it is a {kind} port (SR-IOV): whether {site} has it is unknown: {draft.facts.unknown['nic_agents']}"
        remedy = "make its Neutron tell its agents, and preview again"
    elif SRIOV_AGENT not in draft.facts.nic_agents:
        what = f"it is a {kind} port (SR-IOV), and no {SRIOV_AGENT} is up at {site}"
        remedy = "start it on hosts that have such NICs"
    else:
        return record
    draft.loss("sr-iov-port", record.id, record.name, f"{what}: it comes back as an ordinary port", remedy)
    return replace(record, vnic_type="normal", binding_profile={})


def _offloaded(record: PortRecord) -> bool:
    """OVS does it, without an agent of its own (Neutron's guide on OVS hardware offload)."""
    capabilities = record.binding_profile.get("capabilities")
    return isinstance(capabilities, list) and "switchdev" in capabilities


def _option(draft: Draft, network: PlannedNetwork | None) -> str:
    return (
        draft.option("networks", network.record.id, network.record.name) if network else "--map network:..."
    )
