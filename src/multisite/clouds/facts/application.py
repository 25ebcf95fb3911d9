"""Reading an application out of a site: everything a manifest must say so that it can be built again elsewhere.

A dozen list calls for any number of servers, and two calls for each server (``devices``).  Sources: Nova, Cinder and
Neutron API references; microversions are pinned.  What cannot be read raises an error naming it; what is readable but
cannot be carried over becomes a sentence in ``notes``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from multisite.clouds import resources
from multisite.clouds.administrator import READ_ONLY, SERVER_ATTRIBUTES, administrator, may_administer
from multisite.clouds.call import read_all, read_one
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, Refused, SiteError, Unsupported
from multisite.clouds.facts import devices, host_data, keypairs, zones
from multisite.clouds.facts import network as facts_network
from multisite.clouds.facts.network import Row
from multisite.clouds.ledger import block_storage, compute
from multisite.clouds.ledger.notes import Notes
from multisite.clouds.resources import tokens
from multisite.clouds.resources.kinds import CINDER_VERSION
from multisite.clouds.restore import SOURCE_BACKUP
from multisite.domain.manifest import (
    FlavorRecord,
    KeypairRecord,
    NetworkRecord,
    PortRecord,
    QosPolicyRecord,
    SecurityGroupRecord,
    ServerGroupRecord,
    ServerRecord,
    SubnetRecord,
    VolumeRecord,
)
from multisite.domain.routing import FloatingIpRecord, RouterRecord
from multisite.domain.trunks import TrunkRecord

_USER_DATA = "OS-EXT-SRV-ATTR:user_data"
_ROOT_DEVICE = "OS-EXT-SRV-ATTR:root_device_name"
# Cinder mixes these into an administrator's metadata, and notes there what a volume was restored from.
_CINDERS_OWN = frozenset({"readonly", "attached_mode", SOURCE_BACKUP, tokens.KEY})


@dataclass(frozen=True)
class ServerState:
    """What Nova says of a server now.  ``image_backed``: its root disk is no Cinder volume."""

    status: str
    task_state: str | None
    image_backed: bool
    image_id: str = ""


@dataclass(frozen=True)
class ApplicationFacts:
    """``servers`` in the order asked for, ``volumes`` by server, root first, then by device; ids are the
    site's.  ``ports``: those of the servers, then subports of trunks and those that keep virtual IPs.
    ``server_states`` and ``volume_states`` (Cinder's status), by id, are of the same lists.
    """

    project_id: str
    servers: tuple[ServerRecord, ...]
    volumes: tuple[VolumeRecord, ...]
    ports: tuple[PortRecord, ...]
    networks: tuple[NetworkRecord, ...]
    subnets: tuple[SubnetRecord, ...]
    security_groups: tuple[SecurityGroupRecord, ...]
    keypairs: tuple[KeypairRecord, ...]
    server_groups: tuple[ServerGroupRecord, ...]
    qos_policies: tuple[QosPolicyRecord, ...] = ()
    routers: tuple[RouterRecord, ...] = ()
    floating_ips: tuple[FloatingIpRecord, ...] = ()
    trunks: tuple[TrunkRecord, ...] = ()
    notes: tuple[str, ...] = ()
    server_states: Mapping[str, ServerState] = field(default_factory=dict)
    volume_states: Mapping[str, str] = field(default_factory=dict)


def read_application(
    site: CloudSite, server_ids: Sequence[str], quiesce: Mapping[str, bool] | None = None
) -> ApplicationFacts:
    """Read the servers, in this order, and what they need; ``quiesce`` by server id, by default True.

    Raises NotFoundInSite naming a server or volume that is not there, Unsupported for servers that are being
    built and for volumes attached more than once, and what ``call`` raises.
    """
    rows = _with_attributes(site, read_servers(site, server_ids))
    _refuse_unbuilt(site, rows)
    scope, notes, volume_states = _scope(site, rows[0]["tenant_id"]), Notes(), dict[str, str]()
    attached = _volumes(site, rows, scope, notes, volume_states)
    network = facts_network.read(site, rows, notes)
    groups = _server_groups(site, rows, scope, notes)
    tags = devices.tags(site, attached, network.ports_of, notes)
    flavors = _flavors(site, rows, notes)
    zones.tell(rows, notes)
    servers = [
        _server(
            row,
            order,
            quiesce=(quiesce or {}).get(row["id"], True),
            flavor=flavors[row["id"]],
            port_ids=tuple(p.id for p in network.ports_of[row["id"]]),
            volume_ids=tuple(v.id for v in attached[row["id"]]),
            group=next((g["id"] for g in groups if row["id"] in g["members"]), None),
            notes=notes,
        )
        for order, row in enumerate(rows, start=1)
    ]
    host_data.tell(servers, attached, notes)
    return ApplicationFacts(
        rows[0]["tenant_id"],
        tuple(servers),
        tuple(replace(v, device_tag=tags.get(v.id)) for row in rows for v in attached[row["id"]]),
        _ports(rows, network, tags),
        network.networks,
        network.subnets,
        network.security_groups,
        keypairs.read(site, rows, notes),
        tuple(ServerGroupRecord(g["id"], tokens.unnamed(g["name"]), g["policy"]) for g in groups),
        network.qos_policies,
        *network.routing,
        network.trunks,
        notes.all(),
        {row["id"]: _state(row) for row in rows},
        volume_states,
    )


def _ports(
    servers: list[Row], network: facts_network.NetworkFacts, tags: Mapping[str, str]
) -> tuple[PortRecord, ...]:
    own = (replace(p, device_tag=tags.get(p.id)) for row in servers for p in network.ports_of[row["id"]])
    return (*own, *network.beside)


def read_servers(site: CloudSite, server_ids: Sequence[str]) -> list[Row]:
    """The servers as Nova shows them, in this order; one of another project than the first is not there.

    The first is read alone: it tells the project whose servers to list when there are more.
    """
    if not server_ids:
        raise ValueError("no servers")
    first = resources.read(site, "server", server_ids[0], zones.version(site))
    found = {first["id"]: first}
    if len(server_ids) > 1:
        found |= {row["id"]: row for row in list_servers(site, first["tenant_id"])}
    for server_id in server_ids:
        if server_id not in found:
            found[server_id] = _of_project(site, server_id, first["tenant_id"])
    return [found[server_id] for server_id in server_ids]


def _of_project(site: CloudSite, server_id: str, project_id: str) -> Row:
    """One that the list did not show; NotFoundInSite, in Nova's words, also when it is of another project."""
    row = resources.read(site, "server", server_id, zones.version(site))
    if row["tenant_id"] != project_id:
        said = f"Instance {server_id} could not be found."
        raise NotFoundInSite(site.name, f"read server {server_id}", said, site_status=404)
    return row


def _with_attributes(site: CloudSite, rows: list[Row]) -> list[Row]:
    """These servers with what Nova shows administrators alone (user data, root device), if it shows it to us."""
    if all(_USER_DATA in row for row in rows):
        return rows
    admin = administrator(site, SERVER_ATTRIBUTES)
    query = {"all_tenants": "1", "project_id": rows[0]["tenant_id"]}
    try:
        listed = resources.list_all(admin, "server", zones.SERVERS, **query)
    except Refused as error:
        if error.site_status != 403:
            raise
        return rows  # the notes say what is missing
    more = {row["id"]: {k: v for k, v in row.items() if k.startswith("OS-EXT-SRV-ATTR:")} for row in listed}
    return [row | more.get(row["id"], {}) for row in rows]


def list_servers(site: CloudSite, project_id: str) -> list[Row]:
    """All servers of a project, as Nova shows them."""
    return resources.list_all(site, "server", zones.version(site), **_scope(site, project_id))


def _scope(site: CloudSite, project_id: str) -> dict[str, str]:
    """Query of Nova's and Cinder's lists: those of our own project, or (administrators) of another one."""
    return {} if project_id == site.project_id else {"all_tenants": "1", "project_id": project_id}


def _server(
    row: Row,
    order: int,
    *,
    quiesce: bool,
    flavor: FlavorRecord,
    port_ids: tuple[str, ...],
    volume_ids: tuple[str, ...],
    group: str | None,
    notes: Notes,
) -> ServerRecord:
    if _USER_DATA not in row:
        notes.add(
            f"user data of server {row['name']} cannot be read without the role admin: it is not carried over"
        )
    notes.compare(compute.SERVER, row)
    notes.compare(compute.SERVER_FLAVOR, row["flavor"], row["name"])
    return ServerRecord(
        id=row["id"],
        name=row["name"],
        order=order,
        quiesce=quiesce,
        flavor=flavor,
        port_ids=port_ids,
        volume_ids=volume_ids,
        metadata={k: v for k, v in row["metadata"].items() if k not in tokens.OWN_KEYS},
        tags=tuple(row["tags"]),
        description=row["description"],
        hostname=row.get("OS-EXT-SRV-ATTR:hostname"),
        key_name=row["key_name"],
        availability_zone=zones.asked_for(row),
        config_drive=bool(row["config_drive"]),
        user_data=row.get(_USER_DATA),
        server_group_id=group,
        locked=row.get("locked", False),
        locked_reason=row.get("locked_reason"),
        stopped=row["status"] == "SHUTOFF",
        root_device=row.get(_ROOT_DEVICE),
    )


def _refuse_unbuilt(site: CloudSite, servers: list[Row]) -> None:
    for server in servers:
        if server["status"] == "BUILD":  # Nova shows no addresses yet
            said = f"server {server['name']} is still being built: wait until it is active"
            raise Unsupported(site.name, "read the application", said)


def _state(row: Row) -> ServerState:
    image_backed = bool(row["image"]) or not row["os-extended-volumes:volumes_attached"]
    image_id = row["image"]["id"] if row["image"] else ""
    return ServerState(row["status"], row.get("OS-EXT-STS:task_state"), image_backed, image_id)


def _volumes(
    site: CloudSite,
    servers: list[Row],
    scope: Mapping[str, str],
    notes: Notes,
    states: dict[str, str],
) -> dict[str, list[VolumeRecord]]:
    """Volumes by server id.  Nova says which, Cinder what they are, as which device and in which of ``states``."""
    by_id = {row["id"]: row for row in resources.list_all(site, "volume", **scope)}
    read_only = _read_only(site, by_id, servers[0]["tenant_id"], notes)
    types = _TypeIds(site)
    found: dict[str, list[VolumeRecord]] = {}
    for server in servers:
        root = server.get(_ROOT_DEVICE)
        records = []
        for attachment in server["os-extended-volumes:volumes_attached"]:
            row = by_id.get(attachment["id"]) or _volume_row(site, server, attachment["id"])
            record = _volume(site, server, row, attachment, notes)
            encrypted = types.of(row) if row.get("encrypted") else None
            records.append(replace(record, read_only=record.id in read_only, encrypted_type_id=encrypted))
            states[row["id"]] = row["status"]
        if root is None and len(records) > 1:
            notes.add(
                f"which device server {server['name']} boots from is shown to administrators alone: its first is taken"
            )
        # Device names count vda ... vdz, vdaa: the shorter come first.
        found[server["id"]] = sorted(records, key=lambda v: (v.device != root, len(v.device), v.device))
    return found


class _TypeIds:
    """Ids of volume types, which Cinder 3.43 shows in lists of types alone: read when one is wanted."""

    def __init__(self, site: CloudSite) -> None:
        self._site = site
        self._by_name: dict[str, str] | None = None

    def of(self, volume: Row) -> str:
        """ "" for a type that the list does not show us."""
        if self._by_name is None:
            site = self._site
            rows = read_all(site, "list volume types", lambda: site.volume, "/types", "volume_types")
            self._by_name = {row["name"]: row["id"] for row in rows}
        return self._by_name.get(volume["volume_type"], "")


def _read_only(site: CloudSite, by_id: Mapping[str, Row], project_id: str, notes: Notes) -> set[str]:
    """Ids of the volumes that are read-only, which Cinder shows administrators alone, in the metadata."""
    rows: Iterable[Row] = by_id.values()
    if "admin" not in site.roles:
        if not may_administer(site, READ_ONLY):
            notes.add(
                "Cinder shows administrators alone which volumes are read-only: whether any is is not known"
            )
            return set()
        admin = administrator(site, READ_ONLY)
        rows = resources.list_all(admin, "volume", all_tenants="1", project_id=project_id)
    return {row["id"] for row in rows if row["metadata"].get("readonly") == "True"}


def _volume_row(site: CloudSite, server: Row, volume_id: str) -> Row:
    path, what = f"/volumes/{volume_id}", f"read volume {volume_id} of server {server['name']}"
    row: Row = read_one(site, what, lambda: site.volume, path, "volume", microversion=CINDER_VERSION)
    return row


def _volume(site: CloudSite, server: Row, row: Row, attachment: Row, notes: Notes) -> VolumeRecord:
    shown = row["name"] or row["id"]
    if len({a["server_id"] for a in row["attachments"]}) > 1:
        said = f"volume {shown} is attached to more than one server: such volumes cannot be protected"
        raise Unsupported(site.name, "read the application", said)
    device = next((a["device"] for a in row["attachments"] if a["server_id"] == server["id"]), None)
    if not device:
        said = f"Cinder does not show on which device of server {server['name']} volume {shown} is"
        raise SiteError(site.name, "read the application", said)
    notes.compare(block_storage.VOLUME, row)
    notes.compare(compute.ATTACHMENT, attachment, f"{shown} of {server['name']}")
    return VolumeRecord(
        id=row["id"],
        name=row["name"] or "",
        size_gib=row["size"],
        volume_type=row["volume_type"],
        bootable=row["bootable"] == "true",
        device=device,
        metadata={k: v for k, v in row["metadata"].items() if k not in _CINDERS_OWN},
        image_metadata={k: str(v) for k, v in (row.get("volume_image_metadata") or {}).items()},
        delete_on_termination=bool(attachment["delete_on_termination"]),
        description=row.get("description") or "",
        availability_zone=row.get("availability_zone"),
    )


def _flavors(site: CloudSite, servers: list[Row], notes: Notes) -> dict[str, FlavorRecord]:
    """Flavor records by server id, as each server was made; the id is looked up by name ("" when it is gone)."""
    offered = _offered(site, {server["flavor"]["original_name"] for server in servers})
    found = {}
    for server in servers:
        own = server["flavor"]
        name = own["original_name"]
        if "extra_specs" not in own:
            raise SiteError(
                site.name,
                "read the application",
                f"extra specs of flavor {name} are not shown to us: a role that may read them is needed",
            )
        if name in offered:
            notes.compare(compute.FLAVOR, offered[name])
        else:
            notes.add(f"flavor {name} of server {server['name']} is not offered any more in this site")
        found[server["id"]] = FlavorRecord(
            id=offered.get(name, {}).get("id", ""),
            name=name,
            vcpus=own["vcpus"],
            memory_mib=own["ram"],
            disk_gib=own["disk"],
            ephemeral_gib=own["ephemeral"],
            swap_mib=own["swap"],
            extra_specs={k: v for k, v in own["extra_specs"].items() if not tokens.is_our_spec(k)},
            description=_description(offered.get(name, {})),
        )
    return found


def _offered(site: CloudSite, names: set[str]) -> dict[str, Row]:
    """The site's flavors by name.  Listed again when one of ``names`` is missing: a list may lose rows silently."""
    offered = dict[str, Row]()
    for _ in range(2):
        offered |= {row["name"]: row for row in resources.list_all(site, "flavor")}
        if names <= offered.keys():
            break
    return offered


def _description(flavor: Row) -> str:
    """One that a recovery made has its token for a description, until it gets its own."""
    found = str(flavor.get("description") or "")
    return "" if tokens.is_token(found) else found


def _server_groups(site: CloudSite, servers: list[Row], scope: Mapping[str, str], notes: Notes) -> list[Row]:
    """Groups these servers are in.

    Listed again when one is in none: a list may lose rows and not say so, lists of servers do not name their
    groups, and servers that are kept apart must not come back on one host.
    """
    ours, found = {server["id"] for server in servers}, dict[str, Row]()
    for _ in range(2):
        rows = resources.list_all(site, "server_group", **({"all_projects": "true"} if scope else {}))
        found |= {row["id"]: row for row in rows if ours & set(row["members"])}
        if ours <= {member for row in found.values() for member in row["members"]}:
            break
    for row in found.values():
        notes.compare(compute.SERVER_GROUP, row)
    return list(found.values())
