"""What a site can do for us, asked of the site itself: never assumed, and "unknown" where we may not see.

Traps this knows about: to non-administrators Neutron shows an empty list of agents instead of refusing,
Cinder leaves out the specs of group types, and no API tells which driver cinder-backup uses: only an
existing backup's exported record does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from multisite.clouds.call import call, network_extensions, read_all, read_one
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite, SiteError, Unsupported
from multisite.domain.fence import FencedThreads
from multisite.domain.model import Capability, Known
from multisite.domain.stretched import REMOTE_AGENT

NEEDED = {"compute": "2.90", "block-storage": "3.43"}
"""Oldest highest microversions we work with (Nova of Yoga, Cinder of Pike)."""

TAGS, PORT_SECURITY, REMOTE_PORT = "standard-attr-tag", "port-security", "remote-port"
"""Neutron extension aliases."""

Probe = Callable[[CloudSite], Iterable[Capability]]


def discover(site: CloudSite) -> tuple[Capability, ...]:
    """Everything in ``NAMES``, in that order.

    Raises LoginRefused or Unreachable when we cannot even log in.  A service that is down or refuses to
    tell makes its capabilities unknown.  Services are asked at the same time, each in a few calls.
    """
    site.login()
    with FencedThreads(max_workers=len(_PROBES), thread_name_prefix="discover") as pool:
        lists = list(pool.map(lambda names: _group(site, names), _PROBES))
    found = {capability.name: capability for group in lists for capability in group}
    return tuple(found[name] for name in NAMES)


def unknown(reason: str) -> tuple[Capability, ...]:
    """Every capability unknown for this reason: what can be said of a site that cannot be reached."""
    return tuple(Capability(name, Known.UNKNOWN, reason) for name in NAMES)


def _group(site: CloudSite, names: tuple[str, ...]) -> list[Capability]:
    """The capabilities of one service; the first one is the service itself, and without it the others are not asked."""
    first, *others = names
    head = _asked(site, first)
    if head.present is Known.YES:
        return [head, *(_asked(site, name) for name in others)]
    return [head, *(Capability(name, head.present, head.detail) for name in others)]


def _asked(site: CloudSite, name: str) -> Capability:
    try:
        return _ASK[name](site)
    except Unsupported as error:
        return Capability(name, Known.NO, error.message)
    except SiteError as error:
        return Capability(name, Known.UNKNOWN, error.message)


def _service(name: str, proxy: Callable[[CloudSite], Any]) -> Callable[[CloudSite], Capability]:
    def ask(site: CloudSite) -> Capability:
        data = call(site, f"ask {name} for its version", lambda: proxy(site).get_endpoint_data())
        version = data.max_microversion or data.api_version
        shown = ".".join(map(str, version)) if version else None
        needed = NEEDED.get(name)
        if needed and (data.max_microversion or (0, 0)) < tuple(map(int, needed.split("."))):
            detail = f"{data.url} answers at most {shown or 'no microversion'}; at least {needed} is needed"
            return Capability(name, Known.NO, detail, shown)
        return Capability(name, Known.YES, data.url, shown)

    return ask


def _admin(site: CloudSite) -> Capability:
    roles = sorted(site.roles)
    detail = f"roles of our credentials: {', '.join(roles)}"
    if "admin" in roles:
        return Capability("admin", Known.YES, detail)
    return Capability(
        "admin", Known.NO, f"{detail}; exporting and importing backup records needs the role admin"
    )


def _services_up(
    name: str, wanted: str, read: Callable[[CloudSite], list[tuple[str, bool]]]
) -> Callable[[CloudSite], Capability]:
    """Whether at least one ``wanted`` service or agent is up; ``read`` gives (kind, up) of all there are."""

    def ask(site: CloudSite) -> Capability:
        seen = read(site)
        if not seen:
            return Capability(name, Known.UNKNOWN, "none are shown to us: our credentials may lack a role")
        counts = {kind: [up for k, up in seen if k == kind] for kind in sorted({kind for kind, _ in seen})}
        detail = ", ".join(f"{kind} {sum(ups)} of {len(ups)} up" for kind, ups in counts.items())
        if any(up for kind, up in seen if wanted in kind):
            return Capability(name, Known.YES, detail)
        return Capability(name, Known.NO, f"no {wanted} is up ({detail})")

    return ask


def _nova_services(site: CloudSite) -> list[tuple[str, bool]]:
    rows = read_all(site, "list compute services", lambda: site.compute, "/os-services", "services")
    return [(r["binary"], r["state"] == "up" and r["status"] == "enabled") for r in rows]


def _cinder_services(site: CloudSite) -> list[tuple[str, bool]]:
    rows = read_all(site, "list volume services", lambda: site.volume, "/os-services", "services")
    return [(r["binary"], r["state"] == "up" and r["status"] == "enabled") for r in rows]


def _neutron_agents(site: CloudSite) -> list[tuple[str, bool]]:
    rows = read_all(site, "list network agents", lambda: site.network, "/agents", "agents")
    # A shadow agent stands for a tunnel endpoint of another site: it says nothing about this one.
    own = [r for r in rows if r.get("agent_type") != REMOTE_AGENT]
    return [(r["binary"], bool(r["alive"] and r["admin_state_up"])) for r in own]


def _quiesce(site: CloudSite) -> Capability:
    name, what = "quiesce", "ask for the quiesce filter"
    try:
        document = read_one(site, what, lambda: site.compute, "/os-multisite-quiesce", "multisite_quiesce")
    except NotFoundInSite:
        missing = "nova-api has no quiesce filter: install multisite-nova there and add it to api-paste.ini"
        return Capability(name, Known.NO, missing)
    version = str(document.get("version") or "") or None
    if not document.get("supported", True):
        ill = "the quiesce filter is there, but what thaws servers in time is not running: see nova-api's log"
        return Capability(name, Known.NO, ill, version)
    longest = document.get("max_timeout")
    detail = f"freezes last at most {longest} s" if longest else "nova-api has the quiesce filter"
    return Capability(name, Known.YES, detail, version)


def _volume_types(site: CloudSite) -> list[dict[str, Any]]:
    return read_all(site, "list volume types", lambda: site.volume, "/types", "volume_types")


def _has_volume_types(site: CloudSite) -> Capability:
    names = sorted(row["name"] for row in _volume_types(site))
    if not names:
        return Capability("volume-types", Known.NO, "there is no volume type: create one")
    return Capability("volume-types", Known.YES, ", ".join(names))


def _replication(site: CloudSite) -> Capability:
    # One of the few extra specs everybody is shown (cinder.objects.volume_type).
    names = [r["name"] for r in _volume_types(site) if _is_true(r["extra_specs"].get("replication_enabled"))]
    if names:
        return Capability("volume-replication", Known.YES, f"volume types: {', '.join(sorted(names))}")
    return Capability("volume-replication", Known.NO, "no volume type has replication_enabled='<is> True'")


def _group_snapshots(site: CloudSite) -> Capability:
    name = "consistent-group-snapshot"
    rows = read_all(
        site, "list group types", lambda: site.volume, "/group_types", "group_types", microversion="3.11"
    )
    if rows and not any("group_specs" in row for row in rows):
        return Capability(name, Known.UNKNOWN, "the specs of group types are shown to administrators only")
    able = [r["name"] for r in rows if _is_true(r["group_specs"].get("consistent_group_snapshot_enabled"))]
    if able:
        promise = "(what the API promises; whether its driver is atomic it does not tell)"
        return Capability(name, Known.YES, f"group types: {', '.join(sorted(able))} {promise}")
    return Capability(name, Known.NO, "no group type has consistent_group_snapshot_enabled='<is> True'")


def _backup_driver(site: CloudSite) -> Capability:
    """The driver in an existing backup's exported record; all of a site's backups are taken by one driver."""
    name = "backup-driver"
    what = "look for a backup that tells its driver"
    # One page only: any backup will do, of whatever project (to administrators).
    rows = read_one(
        site, what, lambda: site.volume, "/backups/detail", "backups",
        microversion="3.43", limit=20, status="available", all_tenants="1",
    )  # fmt: skip
    backup = next((row for row in rows if row["status"] == "available"), None)
    if backup is None:
        return Capability(name, Known.UNKNOWN, "no backup exists yet that could tell its driver")
    path = f"/backups/{backup['id']}/export_record"
    record = read_one(site, what, lambda: site.volume, path, "backup-record")
    return Capability(name, Known.YES, record["backup_service"])


def _extension(name: str, alias: str, remedy: str) -> Callable[[CloudSite], Capability]:
    def ask(site: CloudSite) -> Capability:
        known = network_extensions(site)
        if alias not in known:
            return Capability(name, Known.NO, f"Neutron has no extension {alias}: {remedy}")
        return Capability(name, Known.YES, known[alias])

    return ask


def _is_true(spec: object) -> bool:
    return str(spec or "").replace("<is>", "").strip().lower() == "true"


_ASK: dict[str, Callable[[CloudSite], Capability]] = {
    "identity": _service("identity", lambda s: s.identity),
    "admin": _admin,
    "compute": _service("compute", lambda s: s.compute),
    "compute-services": _services_up("compute-services", "nova-compute", _nova_services),
    "quiesce": _quiesce,
    "block-storage": _service("block-storage", lambda s: s.volume),
    "volume-services": _services_up("volume-services", "cinder-volume", _cinder_services),
    "backup": _services_up("backup", "cinder-backup", _cinder_services),
    "backup-driver": _backup_driver,
    "volume-types": _has_volume_types,
    "volume-replication": _replication,
    "consistent-group-snapshot": _group_snapshots,
    "image": _service("image", lambda s: s.image),
    "network": _service("network", lambda s: s.network),
    "network-agents": _services_up("network-agents", "agent", _neutron_agents),
    "network-tags": _extension("network-tags", TAGS, "load the service plugin tag"),
    "port-security": _extension(
        "port-security", PORT_SECURITY, "load the ML2 extension driver port_security"
    ),
    "remote-port": _extension("remote-port", REMOTE_PORT, "install multisite-neutron to stretch networks"),
}
NAMES = tuple(_ASK)
"""Names of all capabilities, in the order ``discover`` gives them."""

# Asked one after the other within a group, groups at the same time; the first of each is its service.
_PROBES: tuple[tuple[str, ...], ...] = (
    ("identity", "admin"),
    ("compute", "compute-services", "quiesce"),
    (
        "block-storage",
        "volume-services",
        "backup",
        "backup-driver",
        "volume-types",
        "volume-replication",
        "consistent-group-snapshot",
    ),
    ("image",),
    ("network", "network-agents", "network-tags", "port-security", "remote-port"),
)
