"""What a recovery will make at the target, decided before it begins: plain data, JSON and back.

The plan is the job's parameter.  It holds everything but the servers' user data (which may hold secrets and
stays in the backup store): a recovery that runs needs neither the source site nor a second read of the
target. Identifiers inside the records are those of the source site; ``use`` is the id of something that is
at the target already, None when the step called ``step`` makes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import JsonValue, TypeAdapter

from multisite.clouds.standby import KeptVolume
from multisite.domain.manifest import (
    FlavorRecord,
    KeypairRecord,
    NetworkRecord,
    PortRecord,
    SecurityGroupRecord,
    ServerGroupRecord,
    ServerRecord,
    SubnetRecord,
    VolumeRecord,
)
from multisite.domain.recovery_plan import DnsRecord, Gate, Hook
from multisite.domain.trunks import TrunkRecord
from multisite.recovery.dns.model import RecordSet
from multisite.recovery.recover.routing.model import PlannedFloatingIp, PlannedRouter

RecordT = TypeVar("RecordT")


@dataclass(frozen=True)
class Planned(Generic[RecordT]):
    """``name`` at the target, which is also the id of a key pair there; "" where it is the record's."""

    step: str
    use: str | None
    record: RecordT
    name: str = ""


PlannedFlavor = Planned[FlavorRecord]
PlannedKeypair = Planned[KeypairRecord]
PlannedServerGroup = Planned[ServerGroupRecord]
PlannedGroup = Planned[SecurityGroupRecord]
PlannedSubnet = Planned[SubnetRecord]
PlannedTrunk = Planned[TrunkRecord]


def flavor_key(record: FlavorRecord) -> str:
    """What tells flavors of the source apart; an id does not, for one that was deleted since has none."""
    return ":".join([record.name, *map(str, record.size)])


@dataclass(frozen=True)
class PlannedNetwork:
    """``dhcp_step``: switches DHCP on in its new subnets once the ports exist, so that DHCP cannot take their
    addresses.
    """

    step: str
    dhcp_step: str
    name: str
    use: str | None
    record: NetworkRecord
    subnets: tuple[PlannedSubnet, ...]


@dataclass(frozen=True)
class PlannedAddress:
    """``subnet_id`` is the source's; ``address`` None lets the target choose one (of that subnet, if it is known)."""

    subnet_id: str | None
    address: str | None


@dataclass(frozen=True)
class PlannedPort:
    step: str
    mac_address: str | None
    addresses: tuple[PlannedAddress, ...]
    record: PortRecord


@dataclass(frozen=True)
class PlannedVolume:
    """``step`` makes the volume, by the method of ``record.payload``; ``details`` are that method's own.

    ``volume_type`` and ``availability_zone`` None are the target's defaults.  ``standby``: the volume that is taken
    over in place of restoring one.
    """

    step: str
    volume_type: str | None
    record: VolumeRecord
    details: dict[str, JsonValue] = field(default_factory=dict)
    availability_zone: str | None = None
    standby: KeptVolume | None = None

    @property
    def method(self) -> str:
        """The protection method that restores it; a plan that may be carried out has one for each volume."""
        return self.record.payload.method if self.record.payload else ""


@dataclass(frozen=True)
class PlannedServer:
    """``after``: the gates that must have been passed before it boots; ``record.user_data`` is left out."""

    step: str
    gate: str
    after: tuple[str, ...]
    availability_zone: str | None
    key_name: str | None
    has_user_data: bool
    mark: str | None
    record: ServerRecord


@dataclass(frozen=True)
class Readiness:
    """When a server counts as ready.  ``console``: regular expression a line of its console must match, or None.

    Times are seconds: ``boot_timeout`` until Nova says ACTIVE, ``timeout`` from then until ready.
    """

    console: str | None = None
    boot_timeout: float = 600.0
    timeout: float = 600.0


@dataclass(frozen=True)
class PlannedGate:
    """``server_id``, ``port_id``: of the source; ``port_id`` of the port whose address is asked, "" for other kinds."""

    step: str
    server_id: str
    gate: Gate
    port_id: str = ""


@dataclass(frozen=True)
class BootGroup:
    """``servers`` (ids of the source) boot at the same time; ``step`` is done when ``gates`` are passed."""

    step: str
    name: str
    servers: tuple[str, ...]
    gates: tuple[PlannedGate, ...] = ()


@dataclass(frozen=True)
class PlannedHook:
    step: str
    hook: Hook


@dataclass(frozen=True)
class PlannedRecord:
    """``ports``: ids of the source of those whose addresses it gets.  ``expected``: what the preview has shown of it;
    None: the server did not tell.
    """

    step: str
    record: DnsRecord
    ports: tuple[str, ...]
    expected: RecordSet | None


def hooks_at(hooks: Iterable[PlannedHook], when: str, group: str | None = None) -> list[PlannedHook]:
    """Those at one point, in their order."""
    return [one for one in hooks if (one.hook.when, one.hook.group) == (when, group)]


@dataclass(frozen=True)
class RecoverPlan:
    """Everything one recovery makes or uses.  ``remote_groups``: source group id -> id of a group at the
    target that rules refer to but no port is in.
    """

    restore_point_id: str
    application: str
    source_site: str
    target_site: str
    consistent_at: datetime
    flavors: tuple[PlannedFlavor, ...]
    keypairs: tuple[PlannedKeypair, ...]
    server_groups: tuple[PlannedServerGroup, ...]
    security_groups: tuple[PlannedGroup, ...]
    remote_groups: dict[str, str]
    networks: tuple[PlannedNetwork, ...]
    ports: tuple[PlannedPort, ...]
    volumes: tuple[PlannedVolume, ...]
    servers: tuple[PlannedServer, ...]
    readiness: Readiness
    application_id: str = ""
    qos_policies: dict[str, str] = field(default_factory=dict)
    """Source id -> id at the target."""
    target_project: str = ""
    """Id of the chosen project at the target; "", in jobs of earlier releases: the default, as it is at each step."""
    trunks: tuple[PlannedTrunk, ...] = ()
    epoch: int = 0
    """That the recovery begins when it is done; 0, in jobs of earlier releases: none."""
    routers: tuple[PlannedRouter, ...] = ()
    floating_ips: tuple[PlannedFloatingIp, ...] = ()
    held_flavors: tuple[str, ...] = ()
    """Steps of flavors that another recovery made, and that this one uses."""
    drill: str = ""
    """Id of the recovery, when it is a drill."""
    boot_groups: tuple[BootGroup, ...] = ()
    """In their order; none: each server waits for the gates in ``after``."""
    hooks: tuple[PlannedHook, ...] = ()
    dns: tuple[PlannedRecord, ...] = ()
    standby: str = ""
    """Id of the standby whose volumes are taken over; "": none."""

    @property
    def flavor_steps(self) -> set[str]:
        """The steps there are for flavors: what the target's operator made needs none."""
        return {*self.held_flavors, *(flavor.step for flavor in self.flavors if flavor.use is None)}

    def to_json(self) -> dict[str, Any]:
        """Only JSON types; ``from_json`` gives an equal plan back."""
        data: dict[str, Any] = json.loads(_ADAPTER.dump_json(self))
        return data

    @classmethod
    def from_json(cls, data: Any) -> RecoverPlan:
        """Raises pydantic's ValidationError for anything ``to_json`` did not write."""
        return _ADAPTER.validate_python({**data, "volumes": [_volume(v) for v in data["volumes"]]})


def _volume(data: dict[str, Any]) -> dict[str, Any]:
    """A planned volume as it is now; in jobs from before manifests had payloads it was of the one method there was."""
    if "import_step" not in data:
        return data
    record = dict(data["record"])
    chain = {name: record.pop(name) for name in ("backups", "snapshot_id")}
    return {
        "step": data["step"],
        "volume_type": data["volume_type"],
        "record": {**record, "payload": {"method": "consistent-backup", "data": chain}},
        "details": {name: data[name] for name in ("import_step", "blank_first")},
    }


_ADAPTER: TypeAdapter[RecoverPlan] = TypeAdapter(RecoverPlan)
