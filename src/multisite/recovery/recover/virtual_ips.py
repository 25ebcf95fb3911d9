"""Virtual IPs that no port of the restore point keeps: members may use the address, and DHCP must not take it.

A DHCP agent takes for its own port any free address of a subnet's allocation pools, which in a network made anew are
nearly all (``neutron/api/rpc/handlers/dhcp_rpc.py``, create_dhcp_port).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from multisite.clouds.networks import dhcp_can_wait
from multisite.domain.address_pairs import single_addresses
from multisite.domain.manifest import FixedAddress, NetworkRecord, PortRecord, SubnetRecord
from multisite.recovery.recover.draft import Draft
from multisite.recovery.recover.model import PlannedAddress, PlannedNetwork, PlannedPort


def unreserved(draft: Draft, networks: Iterable[PlannedNetwork]) -> Iterator[PortRecord]:
    """A port for each such address in a subnet with DHCP that will be made; of others in use there it is told."""
    for network in networks:
        for address in _addresses(draft, network.record.id):
            if network.use is not None:
                _tell_if_in_use(draft, network, address)
                continue
            for subnet in (s.record for s in network.subnets):
                if dhcp_can_wait(subnet) and subnet.gateway_address != address and _in_pool(subnet, address):
                    yield _record(draft, network.record, subnet, address)


def reserve(draft: Draft, number: int, record: PortRecord) -> PlannedPort:
    """Its step, and its line in the preview.  It gets a MAC address of its own."""
    (fixed,) = record.fixed_addresses
    draft.create(
        "port", record.name, f"reserves {fixed.address}, which servers may use: DHCP must not take it"
    )
    return PlannedPort(f"port-{number}", None, (PlannedAddress(fixed.subnet_id, fixed.address),), record)


def _addresses(draft: Draft, network_id: str) -> list[str]:
    """Those that ports in this network may use, but for what is some port's own address."""
    inside = [p for p in draft.manifest.ports if p.network_id == network_id]
    own = {a.address for p in inside for a in p.fixed_addresses}
    named = single_addresses(pair for p in inside for pair in p.allowed_address_pairs)
    return [address for address in named if address not in own]


def _in_pool(subnet: SubnetRecord, address: str) -> bool:
    wanted = ipaddress.ip_address(address)
    pools = [
        (ipaddress.ip_address(p["start"]), ipaddress.ip_address(p["end"])) for p in subnet.allocation_pools
    ]
    return any(
        start.version == wanted.version and int(start) <= int(wanted) <= int(end) for start, end in pools
    )


def _record(draft: Draft, network: NetworkRecord, subnet: SubnetRecord, address: str) -> PortRecord:
    application = draft.manifest.application
    return PortRecord(
        id=f"virtual-ip-{subnet.id}-{address}",
        name=f"{application}-{address}",
        network_id=network.id,
        mac_address="",
        fixed_addresses=(FixedAddress(subnet.id, address),),
        port_security_enabled=network.port_security_enabled,
        description=f"reserves a virtual IP of {application}",
    )


def _tell_if_in_use(draft: Draft, network: PlannedNetwork, address: str) -> None:
    if not draft.rules.keep_addresses:
        return
    for port in draft.facts.ports:
        if port.network_id == network.use and address in port.addresses:
            holder = f"port {port.id}" if port.id else "a port of another project"
            draft.note(
                f"network {network.name}",
                f"address {address}, which servers may use, is in use at {draft.facts.site} by {holder}",
                "free it there, unless that is the device which shall have it",
            )
