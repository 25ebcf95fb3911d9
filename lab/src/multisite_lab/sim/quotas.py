"""What a project may have: counting, refusing, and the three services' ways to show and set it."""

from __future__ import annotations

from collections import Counter

from multisite_lab.sim.model import Row, Sim
from multisite_lab.sim.wire import Answer, Ask, Route, fault, neutron_error, ok, required

NOVA = (
    *("instances", "cores", "ram", "server_groups"),
    *("key_pairs", "metadata_items", "server_group_members"),
)
CINDER = ("volumes", "gigabytes", "snapshots", "backups", "backup_gigabytes", "per_volume_gigabytes")
NEUTRON = (
    "network",
    "subnet",
    "port",
    "security_group",
    "security_group_rule",
    "router",
    "floatingip",
    "trunk",
)


def used(sim: Sim, project: str) -> dict[str, int]:
    """What the project has now, by the services' own names."""
    state = sim.state
    servers = [s for s in state.servers.values() if s.project_id == project]
    volumes = [v for v in state.volumes.values() if v.project_id == project]
    snapshots = [s for s in state.snapshots.values() if s.project_id == project]
    backups = [b for b in state.backups.values() if b.project_id == project]
    groups = [g for g in state.security_groups.values() if g["project_id"] == project]
    return {
        "instances": len(servers),
        "cores": sum(s.flavor["vcpus"] for s in servers),
        "ram": sum(s.flavor["ram"] for s in servers),
        "server_groups": sum(g["project_id"] == project for g in state.server_groups.values()),
        "volumes": len(volumes),
        # Snapshots count too, unless no_snapshot_gb_quota (cinder/volume/api.py).
        "gigabytes": sum(v.size for v in volumes) + sum(s.size for s in snapshots),
        "snapshots": len(snapshots),
        "backups": len(backups),
        "backup_gigabytes": sum(b.size for b in backups),
        "network": sum(n["project_id"] == project for n in state.networks.values()),
        "subnet": sum(n["project_id"] == project for n in state.subnets.values()),
        "port": sum(p["project_id"] == project for p in state.ports.values()),
        "security_group": len(groups),
        "security_group_rule": sum(len(g["security_group_rules"]) for g in groups),
        "floatingip": sum(f["project_id"] == project for f in state.floatingips.values()),
        "router": sum(r["project_id"] == project for r in state.routers.values()),
        "trunk": sum(t["project_id"] == project for t in state.trunks.values()),
    }


def over(sim: Sim, project: str, **more: int) -> str | None:
    """The first resource that would not have room for so many more; None when all have."""
    now = used(sim, project)
    for name, count in more.items():
        limit = sim.quotas[name]
        if limit >= 0 and now[name] + count > limit:
            return name
    return None


def refuse_nova(sim: Sim, ask: Ask, **more: int) -> None:
    """403: TooManyInstances, ServerGroupLimitExceeded (nova/exception.py)."""
    if (name := over(sim, ask.account.project_id, **more)) is not None:
        if name == "server_groups":
            raise fault(403, f"Quota exceeded, too many {name.replace('_', ' ')}.")
        now, limit = used(sim, ask.account.project_id)[name], sim.quotas[name]
        said = f"Requested {more[name]}, but already used {now} of {limit} {name}"
        raise fault(403, f"Quota exceeded for {name}: {said}")


def refuse_beyond(sim: Sim, name: str, wanted: int) -> None:
    """403 (413 of Cinder) where it is too much of one thing: of these limits no service tells what is used."""
    limit = sim.quotas[name]
    if 0 <= limit < wanted:
        status, words = {
            "key_pairs": (403, "Quota exceeded, too many key pairs."),
            "metadata_items": (403, f"Maximum number of metadata items exceeds {limit}"),
            "server_group_members": (403, "Quota exceeded, too many servers in group"),
            "per_volume_gigabytes": (
                413,
                f"VolumeSizeExceedsLimit: Requested volume size {wanted}G is larger than maximum allowed "
                f"limit {limit}G.",
            ),
        }[name]
        raise fault(status, words)


def refuse_cinder(sim: Sim, ask: Ask, kind: str, **more: int) -> None:
    """413 (cinder/quota_utils.py); the class's name goes before the words (api/middleware/fault.py)."""
    name = over(sim, ask.account.project_id, **more)
    if name is None:
        return
    now, limit = used(sim, ask.account.project_id)[name], sim.quotas[name]
    if name == "backup_gigabytes":
        error = "VolumeBackupSizeExceedsAvailableQuota"
        what = "backup exceeds allowed Backup gigabytes"
    elif name == "gigabytes":
        error, what = "VolumeSizeExceedsAvailableQuota", "volume or snapshot exceeds allowed gigabytes"
    elif kind == "volumes":
        said = f"Maximum number of volumes allowed ({limit}) exceeded for quota 'volumes'."
        raise fault(413, f"VolumeLimitExceeded: {said}")
    else:
        error = {"snapshots": "SnapshotLimitExceeded", "backups": "BackupLimitExceeded"}[kind]
        raise fault(413, f"{error}: Maximum number of {kind} allowed ({limit}) exceeded")
    sizes = f"Requested {more[name]}G, quota is {limit}G and {now}G has been consumed."
    raise fault(413, f"{error}: Requested {what} quota. {sizes}")


def refuse_neutron(sim: Sim, ask: Ask, name: str, more: int = 1) -> None:
    """409, OverQuota (neutron_lib/exceptions)."""
    if over(sim, ask.account.project_id, **{name: more}) is not None:
        raise neutron_error(409, "OverQuota", f"Quota exceeded for resources: ['{name}'].")


def _shown(sim: Sim, project: str, names: tuple[str, ...]) -> Row:
    now = Counter(used(sim, project))
    return {n: {"limit": sim.quotas[n], "in_use": now[n], "reserved": 0} for n in names}


def nova_detail(sim: Sim, ask: Ask) -> Answer:
    return ok({"quota_set": {"id": ask.ids["project"], **_shown(sim, ask.ids["project"], NOVA)}})


def cinder_show(sim: Sim, ask: Ask) -> Answer:
    """With ``usage=True`` what is used too; also by volume type, mostly without a limit."""
    shown = _shown(sim, ask.ids["project"], CINDER)
    free = {"limit": -1, "in_use": 0, "reserved": 0}
    types = [row["name"] for row in sim.state.volume_types.values()]
    by_type = {f"{noun}_{t}": dict(free) for noun in ("volumes", "gigabytes", "snapshots") for t in types}
    rows: Row = {**shown, **by_type}
    if ask.one("usage") not in ("True", "true"):
        rows = {name: row["limit"] for name, row in rows.items()}
    return ok({"quota_set": {"id": ask.ids["project"], **rows}})


def neutron_details(sim: Sim, ask: Ask) -> Answer:
    """Extension quota_details: "used" where the others say "in_use"."""
    rows = _shown(sim, ask.ids["project"], NEUTRON)
    quota = {n: {"limit": r["limit"], "used": r["in_use"], "reserved": 0} for n, r in rows.items()}
    return ok({"quota": quota})


def update(sim: Sim, ask: Ask) -> Answer:
    """Set limits; for administrators.  Limits here are of all projects alike."""
    key = "quota" if ask.service == "network" else "quota_set"
    wanted = required(ask.body, key)
    if not ask.account.is_admin:
        raise fault(403, "Policy doesn't allow quotas:update to be performed.")
    for name, limit in wanted.items():
        if name not in sim.quotas:
            raise fault(400, f"Bad key(s) in quota set: {name}")
        sim.quotas[name] = int(limit)
    return ok({key: {name: sim.quotas[name] for name in wanted}})


NOVA_ROUTES = (
    Route("GET", "/os-quota-sets/{project}/detail", nova_detail),
    Route("PUT", "/os-quota-sets/{project}", update),
)
CINDER_ROUTES = (
    Route("GET", "/os-quota-sets/{project}", cinder_show),
    Route("PUT", "/os-quota-sets/{project}", update),
)
NEUTRON_ROUTES = (
    Route("GET", "/quotas/{project}/details.json", neutron_details),
    Route("PUT", "/quotas/{project}", update),
)
