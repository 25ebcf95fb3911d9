"""What a simulated site holds: its resources as plain values, its settings, and what is still to happen."""

from __future__ import annotations

import heapq
import itertools
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from multisite_lab.sim.clock import Clock, WallClock
from multisite_lab.sim.content import BackupStore, Content

Row = dict[str, Any]
Agent = Literal["ok", "dead", "hung", "absent"]


@dataclass(frozen=True)
class Account:
    """Who asks: a user in a project, and the roles there."""

    user_id: str
    user_name: str
    project_id: str
    project_name: str
    password: str
    roles: tuple[str, ...]

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles


@dataclass(frozen=True)
class HostSize:
    """What a compute host has for servers, as Placement counts it."""

    vcpus: int = 4096
    memory_mib: int = 1 << 22
    disk_gib: int = 1 << 16


@dataclass
class Settings:
    """Seconds each thing takes, and what the site is made of.

    ``page``: rows a list gives at most at a time.  ``watcher``: whether nova-api keeps the limits of freezes.
    ``backup_service``: the state of cinder-backup, "up" or "down".
    ``lacks``: extensions that Neutron has not loaded.  ``sriov``: whether an SR-IOV agent is up.
    ``hosts``: zone of each compute host, the site itself alone by default; ``host_sizes`` of those that are small;
    ``volume_zones`` of Cinder, the first is the default one; ``cross_az_attach``: whether Nova lets servers
    have volumes of other zones than theirs.
    ``pci_aliases``: those that Nova knows.  ``dns``: whether the catalog has Designate.
    ``remote_port``: whether Neutron has multisite-neutron; ``vteps``: host -> tunnel endpoint (one host by default).
    """

    create_volume: float = 0.02
    delete_volume: float = 0.02
    snapshot: float = 0.03
    upload: float = 0.05
    delete_snapshot: float = 0.02
    backup: float = 0.05
    delete_backup: float = 0.02
    import_record: float = 0.02
    restore: float = 0.05
    restore_per_gib: float = 0.0
    build_server: float = 0.05
    boot: float = 0.05
    delete_server: float = 0.05
    freeze: float = 0.01
    freeze_timeout: float = 1.0
    dhcp: float = 0.02
    l3: float = 0.02
    l3_agent: bool = True
    record_every: float = 0.01
    page: int = 1000
    longest_freeze: int = 600
    watcher: bool = True
    backup_service: str = "up"
    hosts: dict[str, str] = field(default_factory=dict)
    host_sizes: dict[str, HostSize] = field(default_factory=dict)
    volume_zones: tuple[str, ...] = ("nova",)
    cross_az_attach: bool = True
    remote_port: bool = False
    vteps: dict[str, str] = field(default_factory=dict)
    token_hours: float = 12.0
    lacks: tuple[str, ...] = ()
    sriov: bool = False
    pci_aliases: tuple[str, ...] = ()
    other_regions: tuple[str, ...] = ()
    dns: bool = False


@dataclass
class Volume:
    id: str
    name: str
    description: str | None
    size: int
    project_id: str
    user_id: str
    volume_type: str
    created_at: float
    status: str = "creating"
    metadata: dict[str, str] = field(default_factory=dict)
    image_metadata: dict[str, str] = field(default_factory=dict)
    bootable: bool = False
    read_only: bool = False
    group_id: str | None = None
    snapshot_id: str | None = None
    server_id: str | None = None
    device: str | None = None
    updated_at: float | None = None
    attachment_id: str | None = None
    availability_zone: str = "nova"
    content: Content = field(default_factory=Content)
    global_id: str = ""
    more: Row = field(default_factory=dict)
    """Shown as it is: fields that nothing here sets.  ``global_id``: of its image, if that is mirrored."""


@dataclass
class Image:
    """An image of the storage that is no volume of this Cinder: one that it was told to forget, or another site's copy.

    ``global_id``: of one that is mirrored.
    """

    name: str
    size: int
    content: Content = field(default_factory=Content)
    global_id: str = ""


@dataclass
class Snapshot:
    id: str
    name: str
    description: str | None
    volume_id: str
    size: int
    project_id: str
    created_at: float
    status: str = "creating"
    metadata: dict[str, str] = field(default_factory=dict)
    group_snapshot_id: str | None = None
    content: Content = field(default_factory=Content)


@dataclass
class Backup:
    id: str
    name: str | None
    description: str | None
    volume_id: str
    size: int
    project_id: str
    created_at: float
    data_timestamp: float
    status: str = "creating"
    snapshot_id: str | None = None
    parent_id: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    fail_reason: str | None = None
    container: str | None = None
    prefix: str = ""
    service: str = ""
    imported: bool = False


@dataclass
class Freeze:
    """What the quiesce filter has written down about a server (plugins/nova, records.Record)."""

    state: str = "thawed"
    number: int = 0
    timeout: int | None = None
    frozen_at: float | None = None
    thaw_at: float | None = None
    thawed_at: float | None = None
    expired: bool = False
    request_id: str = ""


@dataclass
class Guest:
    """The running guest: it writes a record every so often, first to its root disk, then to the data disk."""

    seed: int
    base: int
    since: float
    working: bool
    lines: list[str] = field(default_factory=list)
    parked: int | None = None
    told: bool = False


@dataclass
class Disk:
    volume_id: str
    device: str
    delete_on_termination: bool
    attachment_id: str
    tag: str | None = None


@dataclass
class LocalDisk:
    """A root disk on the compute host."""

    content: Content = field(default_factory=Content)


@dataclass
class Server:
    """``image``: what it was made from, "" for one that boots from a volume; its root disk is ``local`` then.

    ``image_properties``: of the image, or of the volume it boots from, as they were when it was made.
    """

    id: str
    name: str
    project_id: str
    user_id: str
    created_at: float
    flavor: Row
    metadata: dict[str, str]
    tags: list[str]
    description: str | None
    hostname: str
    key_name: str | None
    user_data: str | None
    availability_zone: str
    config_drive: bool
    disks: list[Disk]
    ports: list[str]
    group_id: str | None
    nic_tags: dict[str, str] = field(default_factory=dict)
    pinned_zone: str | None = None
    host: str = ""
    locked: bool = False
    locked_reason: str | None = None
    status: str = "BUILD"
    task_state: str | None = "scheduling"
    fault: str | None = None
    guest: Guest | None = None
    freeze: Freeze = field(default_factory=Freeze)
    agent: Agent = "ok"
    console: list[str] = field(default_factory=list)
    more: Row = field(default_factory=dict)
    """As a volume's."""
    image: str = ""
    local: LocalDisk | None = None
    image_properties: dict[str, str] = field(default_factory=dict)
    actions: list[Row] = field(default_factory=list)
    """What was done with it, newest first, as Nova shows it."""


@dataclass
class State:
    """Everything that is in the site now, by id; rows (``Row``) are as the API shows them."""

    tokens: dict[str, tuple[Account, float]] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    backups: dict[str, Backup] = field(default_factory=dict)
    groups: dict[str, Row] = field(default_factory=dict)
    group_types: dict[str, Row] = field(default_factory=dict)
    group_snapshots: dict[str, Row] = field(default_factory=dict)
    volume_types: dict[str, Row] = field(default_factory=dict)
    messages: list[Row] = field(default_factory=list)
    servers: dict[str, Server] = field(default_factory=dict)
    flavors: dict[str, Row] = field(default_factory=dict)
    keypairs: dict[tuple[str, str], Row] = field(default_factory=dict)
    server_groups: dict[str, Row] = field(default_factory=dict)
    images: dict[str, Row] = field(default_factory=dict)
    image_contents: dict[str, Content] = field(default_factory=dict)
    image_data: dict[str, bytes] = field(default_factory=dict)
    image_members: dict[tuple[str, str], Row] = field(default_factory=dict)
    image_ids: set[str] = field(default_factory=set)
    """Of images that were deleted: Glance's rows stay, and so no other one gets such an id."""
    networks: dict[str, Row] = field(default_factory=dict)
    subnets: dict[str, Row] = field(default_factory=dict)
    ports: dict[str, Row] = field(default_factory=dict)
    security_groups: dict[str, Row] = field(default_factory=dict)
    routers: dict[str, Row] = field(default_factory=dict)
    subnetpools: dict[str, Row] = field(default_factory=dict)
    qos_policies: dict[str, Row] = field(default_factory=dict)
    trunks: dict[str, Row] = field(default_factory=dict)
    floatingips: dict[str, Row] = field(default_factory=dict)
    carried: dict[str, str] = field(default_factory=dict)
    ghosts: dict[str, str] = field(default_factory=dict)
    last_routers: dict[str, str | None] = field(default_factory=dict)
    stored: dict[str, Image] = field(default_factory=dict)
    zones: dict[str, Row] = field(default_factory=dict)
    recordsets: dict[str, Row] = field(default_factory=dict)


QUOTAS = {
    "instances": 20, "cores": 40, "ram": 51200, "server_groups": 10, "key_pairs": 100,
    "volumes": 50, "gigabytes": 1000, "snapshots": 50, "backups": 100, "backup_gigabytes": 1000,
    "metadata_items": 128, "server_group_members": 10, "per_volume_gigabytes": -1,
    "network": 100, "subnet": 100, "port": 500, "security_group": 50, "security_group_rule": 500, "router": 10,
    "floatingip": 50,
    "trunk": 20,
}  # fmt: skip


@dataclass
class Sim:
    """One site.  Handlers change ``state`` and say with ``after`` what is to follow.

    What follows happens lazily and in its order, before the next request is looked at: there is no thread.
    """

    name: str
    region: str
    store: BackupStore
    accounts: tuple[Account, ...]
    clock: Clock = field(default_factory=WallClock)
    settings: Settings = field(default_factory=Settings)
    quotas: dict[str, int] = field(default_factory=lambda: dict(QUOTAS))
    state: State = field(default_factory=State)
    _queue: list[tuple[float, int, Callable[[], object], bool]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _moment: float | None = None

    @property
    def now(self) -> float:
        """The moment things happen at: what was due earlier happens at its own time."""
        return self._moment if self._moment is not None else self.clock.now()

    def after(self, seconds: float, act: Callable[[], object], *, watch: bool = False) -> None:
        """``watch``: it only looks whether something else has happened by then, which leaves the site at rest."""
        heapq.heappush(self._queue, (self.now + seconds, next(self._numbers), act, watch))

    @property
    def busy(self) -> bool:
        """Whether anything is still to happen, but for watches."""
        return not all(watch for *_, watch in self._queue)

    def forget_the_future(self) -> None:
        """What was to happen does not: the state is about to be replaced."""
        self._queue.clear()

    def bring_forward(self) -> None:
        """All that is still to happen happens now, in its order, and what follows from it."""
        while self.busy:
            heapq.heappop(self._queue)[2]()

    def catch_up(self) -> None:
        """Let everything happen that is due."""
        end = self.clock.now()
        while self._queue and self._queue[0][0] <= end:
            due, _, act, _ = heapq.heappop(self._queue)
            self._moment = due
            try:
                act()
            finally:
                self._moment = None


def new_id() -> str:
    return str(uuid.uuid4())
