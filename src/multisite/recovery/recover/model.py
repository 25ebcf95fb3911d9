"""What a recovery will make at the target, decided before it begins: plain data, JSON and back.

The plan is the job's parameter.  It holds everything but the servers' user data (which may hold secrets and
stays in the backup store): a recovery that runs needs neither the source site nor a second look at the
target. Identifiers inside the records are those of the source site; ``use`` is the id of something that is
at the target already, None when the step called ``step`` makes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from multisite.domain.manifest import (
    BackupRecord,
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


@dataclass(frozen=True)
class PlannedFlavor:
    step: str
    name: str
    use: str | None
    record: FlavorRecord

    @property
    def key(self) -> str:
        return flavor_key(self.record)


def flavor_key(record: FlavorRecord) -> str:
    """What tells flavors of the source apart; an id does not, for one that was deleted since has none."""
    size = (record.vcpus, record.memory_mib, record.disk_gib, record.ephemeral_gib, record.swap_mib)
    return ":".join([record.name, *map(str, size)])


@dataclass(frozen=True)
class PlannedKeypair:
    """``name`` is the key pair's name at the target (key pairs have no other id)."""

    step: str
    name: str
    use: str | None
    record: KeypairRecord


@dataclass(frozen=True)
class PlannedServerGroup:
    step: str
    use: str | None
    record: ServerGroupRecord


@dataclass(frozen=True)
class PlannedGroup:
    step: str
    name: str
    use: str | None
    record: SecurityGroupRecord


@dataclass(frozen=True)
class PlannedSubnet:
    step: str
    use: str | None
    record: SubnetRecord


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
    """``subnet_id`` is the source's; ``address`` None lets the target choose one (of that subnet, if it is
    known).
    """

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
    """``blank_first``: make an empty volume and restore into it; otherwise Cinder makes the volume, which
    skips zeros.

    ``volume_type`` None is the target's default type.
    """

    import_step: str
    step: str
    volume_type: str | None
    blank_first: bool
    record: VolumeRecord

    @property
    def newest(self) -> BackupRecord:
        """The backup to restore: Cinder follows its chain by itself."""
        return self.record.backups[-1]


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
    """When a server counts as ready.  ``console``: regular expression a line of its console must match, or
    None.

    Times are seconds: ``boot_timeout`` until Nova says ACTIVE, ``timeout`` from then until ready.
    """

    console: str | None = None
    boot_timeout: float = 600.0
    timeout: float = 600.0


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

    def to_json(self) -> dict[str, Any]:
        """Only JSON types; ``from_json`` gives an equal plan back."""
        data: dict[str, Any] = json.loads(_ADAPTER.dump_json(self))
        return data

    @classmethod
    def from_json(cls, data: Any) -> RecoverPlan:
        """Raises pydantic's ValidationError for anything ``to_json`` did not write."""
        return _ADAPTER.validate_python(data)


_ADAPTER: TypeAdapter[RecoverPlan] = TypeAdapter(RecoverPlan)
