"""The manifest of a restore point: everything needed to rebuild an application in another site.

It is written beside the backups, so that a recovery needs neither the site that was lost nor Multisite's own database.
Versioned JSON with a digest; the database only caches it.  Identifiers are those of the source site.

Sources: Nova, Neutron, Cinder, Glance API references (the field names follow them).

Format 2 says of each volume by which protection method its data is restored (``Payload``).  Format 1 knew one method;
its manifests are read, and written again byte by byte as they were.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field, FiniteFloat, JsonValue, TypeAdapter, ValidationError

from multisite.domain.flavors import FlavorRecord as FlavorRecord
from multisite.domain.routing import FloatingIpRecord, RouterRecord
from multisite.domain.trunks import TrunkRecord
from multisite.domain.validation import Address, Moment, Network, check_text, first_problem

FORMAT = "multisite.restore-point/2"
FORMAT_1 = "multisite.restore-point/1"
_SizeGib = Annotated[int, Field(ge=0, lt=1 << 31)]
_ADDED: dict[str, dict[str, JsonValue]] = {
    "servers": {"locked": False, "locked_reason": None, "stopped": False, "root_device": None},
    "volumes": {"description": "", "read_only": False, "device_tag": None, "availability_zone": None,
                "encrypted_type_id": None},
    "ports": {
        "enabled": True, "dhcp_options": [], "binding_profile": {}, "dns_name": "", "dns_domain": "",
        "tags": [], "device_tag": None, "qos_policy_id": None,
    },
    "networks": {"dns_domain": "", "tags": [], "qos_policy_id": None, "provider": {}},
    "subnets": {"dns_publish_fixed_ip": False, "tags": []},
    "security_groups": {"tags": []},
    "flavors": {"description": ""},
    "interfaces": {"name": "", "description": "", "tags": []},
}  # fmt: skip
"""What records had not from the beginning, by default: left out, so that earlier manifests keep their bytes."""
_LATER = ("epoch", "qos_policies", "routers", "floating_ips", "trunks")
"""What a manifest had not from the beginning: left out when it has none, for the same reason."""
_PAYLOAD_1 = ("backups", "snapshot_id")
"""What format 1 has in a volume itself; in format 2 it is the payload of the method that made it."""


@dataclass(frozen=True)
class SourceSite:
    """Where the application ran; informational once that site is gone."""

    name: str
    region: str
    auth_url: str


@dataclass(frozen=True)
class Payload:
    """Where a volume's data is.  ``method`` is the protection method that restores it, and alone reads ``data``."""

    method: str
    data: dict[str, JsonValue]


@dataclass(frozen=True)
class VolumeRecord:
    """A volume of a server.  ``payload`` is None while the restore point is being made.  ``encrypted_type_id``: the
    id of its volume type, of one that is encrypted; None: it is not.
    """

    id: str
    name: str
    size_gib: _SizeGib
    volume_type: str | None
    bootable: bool
    device: str
    metadata: dict[str, str] = field(default_factory=dict)
    image_metadata: dict[str, str] = field(default_factory=dict)
    delete_on_termination: bool = False
    payload: Payload | None = None
    description: str = ""
    read_only: bool = False
    device_tag: str | None = None
    availability_zone: str | None = None
    encrypted_type_id: str | None = None


@dataclass(frozen=True)
class FixedAddress:
    subnet_id: str
    address: Address


@dataclass(frozen=True)
class PortRecord:
    """``dns_name``: only one that is not its server's host name, which Nova gives it.  ``binding_profile``: the user's
    part of it.
    """

    id: str
    name: str
    network_id: str
    mac_address: str
    fixed_addresses: tuple[FixedAddress, ...]
    security_group_ids: tuple[str, ...] = ()
    port_security_enabled: bool = True
    allowed_address_pairs: tuple[dict[str, str], ...] = ()
    vnic_type: str = "normal"
    description: str = ""
    enabled: bool = True
    dhcp_options: tuple[dict[str, JsonValue], ...] = ()
    binding_profile: dict[str, JsonValue] = field(default_factory=dict)
    dns_name: str = ""
    dns_domain: str = ""
    tags: tuple[str, ...] = ()
    device_tag: str | None = None
    qos_policy_id: str | None = None


@dataclass(frozen=True)
class SubnetRecord:
    id: str
    network_id: str
    name: str
    cidr: Network
    ip_version: int
    gateway_address: Address | None
    dhcp: bool
    allocation_pools: tuple[dict[str, str], ...] = ()
    dns_nameservers: tuple[str, ...] = ()
    host_routes: tuple[dict[str, str], ...] = ()
    ipv6_address_mode: str | None = None
    ipv6_ra_mode: str | None = None
    description: str = ""
    dns_publish_fixed_ip: bool = False
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class NetworkRecord:
    """``provider``: of one that is no overlay its attributes ``provider:*``, as Neutron calls them."""

    id: str
    name: str
    mtu: int | None = None
    port_security_enabled: bool = True
    description: str = ""
    shared: bool = False
    external: bool = False
    dns_domain: str = ""
    tags: tuple[str, ...] = ()
    qos_policy_id: str | None = None
    provider: dict[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True)
class QosPolicyRecord:
    """``name`` "" for one that the source did not show us."""

    id: str
    name: str


@dataclass(frozen=True)
class SecurityGroupRule:
    direction: str
    ethertype: str
    protocol: str | None = None
    port_min: int | None = None
    port_max: int | None = None
    remote_address: str | None = None
    remote_group_id: str | None = None
    description: str = ""


@dataclass(frozen=True)
class SecurityGroupRecord:
    id: str
    name: str
    description: str = ""
    stateful: bool = True
    rules: tuple[SecurityGroupRule, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeypairRecord:
    name: str
    public_key: str
    type: str = "ssh"


@dataclass(frozen=True)
class ServerGroupRecord:
    id: str
    name: str
    policy: str


@dataclass(frozen=True)
class ServerRecord:
    """A server.  ``order`` starts at 1: lower boots first; freezing goes in this order, thawing in reverse.

    ``availability_zone``: one that was asked for.  ``stopped``: it was shut off.  ``root_device``: where
    its root disk is; None: not shown to us.
    """

    id: str
    name: str
    order: int
    quiesce: bool
    flavor: FlavorRecord
    port_ids: tuple[str, ...]
    volume_ids: tuple[str, ...]
    metadata: dict[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    description: str | None = None
    hostname: str | None = None
    key_name: str | None = None
    availability_zone: str | None = None
    config_drive: bool = False
    user_data: str | None = None
    server_group_id: str | None = None
    locked: bool = False
    locked_reason: str | None = None
    stopped: bool = False
    root_device: str | None = None


@dataclass(frozen=True)
class FrozenWindow:
    """How long one server stood still: from asking for the freeze to the confirmed thaw, seconds."""

    server_id: str
    server_name: str
    frozen_at: Moment
    thawed_at: Moment
    seconds: FiniteFloat


@dataclass(frozen=True)
class Mark:
    """What a guest itself said at the consistency point (a line of its console); compared after a recovery or drill."""

    server_id: str
    server_name: str
    text: str


@dataclass(frozen=True)
class Manifest:
    """A restore point.  ``consistent_at`` is the moment its data shows; RPO counts from there.

    ``frozen_seconds`` None: not known.
    """

    id: str
    application_id: str
    application: str
    project_id: str
    source: SourceSite
    method: str
    created_at: Moment
    consistent_at: Moment
    servers: tuple[ServerRecord, ...]
    volumes: tuple[VolumeRecord, ...]
    ports: tuple[PortRecord, ...] = ()
    networks: tuple[NetworkRecord, ...] = ()
    subnets: tuple[SubnetRecord, ...] = ()
    security_groups: tuple[SecurityGroupRecord, ...] = ()
    keypairs: tuple[KeypairRecord, ...] = ()
    server_groups: tuple[ServerGroupRecord, ...] = ()
    frozen: tuple[FrozenWindow, ...] = ()
    frozen_seconds: FiniteFloat | None = 0.0
    marks: tuple[Mark, ...] = ()
    quiesced: bool = True
    incremental: bool = False
    parent_id: str | None = None
    notes: tuple[str, ...] = ()
    format: str = FORMAT
    epoch: int = 0
    """Of the application, when it was protected (``domain.epoch``)."""
    qos_policies: tuple[QosPolicyRecord, ...] = ()
    """Those of ports and networks."""
    routers: tuple[RouterRecord, ...] = ()
    floating_ips: tuple[FloatingIpRecord, ...] = ()
    trunks: tuple[TrunkRecord, ...] = ()

    def volume(self, volume_id: str) -> VolumeRecord:
        """The volume record with this source id (KeyError when there is none)."""
        return next(v for v in self.volumes if v.id == volume_id)


class ManifestError(ValueError):
    """The stored manifest cannot be trusted or read; the message says what is wrong with which field."""


_ADAPTER: TypeAdapter[Manifest] = TypeAdapter(Manifest)


def dump(manifest: Manifest) -> bytes:
    """Canonical JSON (sorted keys, no spaces): equal manifests have equal bytes and so equal digests."""
    data: Any = _ADAPTER.dump_python(manifest, mode="json")
    for name in _LATER:
        if not data[name]:
            del data[name]
    parts = {
        **data,
        "flavors": [server["flavor"] for server in data["servers"]],
        "interfaces": [one for router in data.get("routers", ()) for one in router["interfaces"]],
    }
    for part, added in _ADDED.items():
        for record in parts[part]:
            for name in [name for name, default in added.items() if record[name] == default]:
                del record[name]
    if manifest.format == FORMAT_1:
        for volume in data["volumes"]:
            volume.update((volume.pop("payload") or {"data": {"backups": [], "snapshot_id": None}})["data"])
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def load(data: bytes) -> Manifest:
    """Read a manifest.  Raises ManifestError naming the field for damaged, foreign or newer formats."""
    try:
        raw = json.loads(data, parse_constant=_no_number)
        check_text(raw)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"manifest is not JSON: {error}") from error
    found_format = raw.get("format") if isinstance(raw, dict) else type(raw).__name__
    if found_format not in (FORMAT, FORMAT_1):
        raise ManifestError(
            f"format: {found_format!r} is not {FORMAT!r}: use the Multisite release that wrote it"
        )
    try:
        manifest = _ADAPTER.validate_python(raw if found_format == FORMAT else _from_format_1(raw))
    except ValidationError as error:
        raise ManifestError(first_problem(error)) from error
    _check_references(manifest)
    return manifest


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")


def _check_references(manifest: Manifest) -> None:
    """Of every server's parts exactly one record is there: what reads a manifest relies on it."""
    for kind, ids in (
        ("servers", [server.id for server in manifest.servers]),
        ("volumes", [volume.id for volume in manifest.volumes]),
        ("ports", [port.id for port in manifest.ports]),
    ):
        if len(set(ids)) != len(ids):
            raise ManifestError(f"{kind}: two have the id {next(id for id in ids if ids.count(id) > 1)}")
    volumes, ports = {v.id for v in manifest.volumes}, {p.id for p in manifest.ports}
    for number, server in enumerate(manifest.servers):
        for field_name, wanted, there in (
            ("volume_ids", server.volume_ids, volumes),
            ("port_ids", server.port_ids, ports),
        ):
            if missing := set(wanted) - there:
                raise ManifestError(f"servers.{number}.{field_name}: {min(missing)} is not in this manifest")


def _from_format_1(raw: dict[str, Any]) -> dict[str, Any]:
    """The same with a payload in each volume; what is no volume is left for the validation to name."""

    def volume(old: Any) -> Any:
        if not isinstance(old, dict):
            return old
        data = {name: old[name] for name in _PAYLOAD_1 if name in old}
        kept = {name: value for name, value in old.items() if name not in _PAYLOAD_1}
        return {**kept, "payload": {"method": raw.get("method"), "data": data}}

    volumes = raw.get("volumes")
    return {**raw, "volumes": [volume(v) for v in volumes]} if isinstance(volumes, list) else raw


def check_digest(data: bytes, digest: str) -> None:
    """Raise ManifestError unless it is the digest (hex sha256) of these bytes."""
    if (found := digest_of(data)) != digest.strip():
        raise ManifestError(
            f"manifest digest is {found}, expected {digest.strip()}: the file was changed or damaged"
        )


def digest_of(data: bytes) -> str:
    """Hex sha256 of the canonical bytes."""
    return hashlib.sha256(data).hexdigest()
