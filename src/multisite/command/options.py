"""Every option of ``multisite.conf``, in oslo.config."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from oslo_config import cfg

from multisite.command import stores
from multisite.domain.audit import LEAST_DAYS
from multisite.domain.errors import Invalid

DEFAULT_FILE = Path("/etc/multisite/multisite.conf")

_DEFAULT = (
    cfg.HostAddressOpt("listen", default="127.0.0.1", help="Address the API listens on."),
    cfg.PortOpt("port", default=8788, help="Port the API listens on."),
    cfg.StrOpt(
        "state_path",
        default="/var/lib/multisite",
        help="Folder of what belongs to this service alone; the lock that keeps a second one out lives here.",
    ),
    cfg.IntOpt("threads", default=16, min=2, max=256, help="Requests answered at the same time."),
    cfg.IntOpt(
        "graceful_timeout",
        default=10,
        min=0,
        help="Seconds requests may still take when told to stop; jobs go on at the next start.",
    ),
    cfg.StrOpt("pid_file", help="File to write the process id to (default: none)."),
    cfg.StrOpt("log_file", help="File to append the log to, JSON lines (default: standard error)."),
    cfg.StrOpt(
        "log_format",
        default="json",
        choices=("json", "oslo"),
        help="JSON lines as ours, or as oslo.log's JSON formatter writes them.",
    ),
    cfg.StrOpt(
        "log_level", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"), help="How much to log."
    ),
    cfg.BoolOpt(
        "allow_core_dumps",
        default=False,
        help="Whether a process of ours that crashes may leave a core dump, and debuggers of its user may attach to "
        "it: passwords, tokens and user data of servers are in its memory.",
    ),
)
_DATABASE = (
    cfg.StrOpt(
        "connection",
        secret=True,
        help="SQLAlchemy URL of the database (default: SQLite, multisite.sqlite in state_path); several "
        "processes share postgresql+psycopg://user:password@host/name.",
    ),
)
_BACKUP_STORE: tuple[cfg.Opt, ...] = (
    cfg.StrOpt(
        "path",
        help="Folder shared with the sites' cinder-backup; mark it once with `multisite-manage store init`.",
    ),
    cfg.StrOpt(
        "signing_key",
        help="Private key (PEM, Ed25519) that signs manifests, made at the first start unless there are several "
        "hosts; never in the backup store (default: manifest-signing-key.pem in state_path).",
    ),
    cfg.StrOpt(
        "trusted_keys",
        help="Folder of public keys (*.pub, PEM) whose manifests are used: this installation's own, and others' added "
        "with `multisite-manage store keys trust` (default: manifest-keys in state_path).",
    ),
    cfg.StrOpt(
        "encryption_keys",
        help="File of keys that encrypt manifests, made by `multisite-manage store encryption create-key`; outside of "
        "the backup store, and backed up outside of the sites (not set: manifests are not encrypted).",
    ),
)
_BACKUP_STORE += stores.OPTIONS
_CLOUDS = (
    cfg.StrOpt(
        "config_file", default="/etc/openstack/clouds.yaml", help="clouds.yaml with one entry per site."
    ),
)
_LIMITS = (
    cfg.IntOpt("backups_per_site", default=4, min=1, max=64, help="Backups a site makes at the same time."),
    cfg.IntOpt(
        "restores_per_site", default=4, min=1, max=64, help="Volumes a site restores at the same time."
    ),
    cfg.IntOpt("calls_per_site", default=8, min=1, max=64, help="Other steps in one site at the same time."),
)
_JOBS = (
    cfg.BoolOpt(
        "carry_out",
        default=True,
        help="Whether `serve` carries out jobs too; without, `multisite worker` has to (database server only).",
    ),
    cfg.StrOpt("worker_name", help="Shown as who carries out a job (default: host name and process id)."),
    cfg.FloatOpt(
        "lease_seconds",
        default=6.0,
        min=4.0,
        max=60.0,
        help="A worker not heard of for so long loses its jobs to others; must be identical on all workers.",
    ),
    cfg.IntOpt(
        "at_once",
        default=16,
        min=1,
        max=1000,
        help="Jobs a process carries out at the same time; must be identical on all workers.",
    ),
)
_RETENTION = (
    cfg.IntOpt(
        "job_days",
        default=90,
        min=1,
        max=36500,
        help="Days after its end at which a job that is done or undone is removed with its steps and journal, once "
        "nothing names it.",
    ),
    cfg.IntOpt(
        "audit_days",
        default=365,
        min=LEAST_DAYS,
        max=36500,
        help="Days after which a record of the audit trail is removed; the database itself refuses to remove "
        "those of the last 29 days.",
    ),
)
_IDENTITY_KEYS = (
    cfg.StrOpt(
        "topology",
        default="/etc/multisite/identity.yaml",
        help="File that says which sites share one identity.",
    ),
    cfg.StrOpt(
        "path",
        help="Folder of the key service alone, with the master copy of all keys (default: keys in state_path).",
    ),
    cfg.FloatOpt("interval", default=60.0, min=0.1, help="Seconds between two passes over all sites."),
    cfg.FloatOpt(
        "site_timeout", default=30.0, min=1.0, help="Seconds a site may take to answer; then it is unknown."
    ),
    cfg.IntOpt("parallel", default=128, min=1, max=1024, help="Sites asked at the same time."),
    cfg.IntOpt(
        "max_active_keys",
        default=0,
        min=0,
        help="The sites' [fernet_tokens] max_active_keys; refused when it is too few (0: do not check).",
    ),
    cfg.StrOpt("alarm_hook", help="Program that gets changes of alarms as JSON on standard input."),
    cfg.StrOpt(
        "credential_migrate",
        help="Program that re-encrypts all credentials with the primary key, such as `ssh site1 keystone-manage "
        "credential_migrate`; without it, `multisite keys migrated` says so.",
    ),
)
_NETWORKS = (
    cfg.StrOpt(
        "vni_range",
        default="5000-5999",
        regex=r"^\d{1,8}-\d{1,8}$",
        help="VNIs to choose from for stretched networks: leave them out of every site's [ml2_type_vxlan] vni_ranges.",
    ),
    cfg.FloatOpt(
        "interval",
        default=2.0,
        min=0.0,
        help="Seconds between two reads of the sites' ports; 0: never (then nothing is kept in sync by itself).",
    ),
    cfg.FloatOpt(
        "site_timeout", default=15.0, min=1.0, help="Seconds a site may take to answer; then it is unknown."
    ),
    cfg.MultiStrOpt(
        "notifications",
        default=[],
        sample_default=["site1 rabbit://user:password@host:5672/vhost"],
        secret=True,
        help="`<site> rabbit://user:password@host:port/vhost`, once per site whose Neutron's notifications can be "
        "heard; they only start the next pass.",
    ),
    cfg.IntOpt(
        "parallel",
        default=8,
        min=1,
        max=64,
        help="Remote ports made or changed in one site at the same time.",
    ),
)
_REPLICATION = (
    cfg.MultiStrOpt(
        "backends",
        default=[],
        sample_default=["site1 rbd conf=/etc/multisite/ceph/site1.conf host=site1@rbd#rbd"],
        help="`<site> rbd conf=<its ceph.conf> host=<Cinder's name of it> [pool=volumes] [user=...] [keyring=...]`, "
        "once per site whose volumes its storage replicates (docs/recovery/volume-replication.md).",
    ),
)
_IMAGES = (
    cfg.IntOpt("at_once", default=2, min=1, max=64, help="Images replicated at the same time."),
    cfg.FloatOpt(
        "link_mib_per_second",
        default=0.0,
        min=0.0,
        help="MiB per second from one site to another, over all images; 0: as fast as it goes.",
    ),
)
_RECOVERY_PLANS = (
    cfg.ListOpt(
        "gate_networks",
        default=[],
        sample_default=["203.0.113.0/24"],
        help="Networks with addresses that gates of recovery plans may connect to: those routed from where Multisite "
        "runs, with nothing of the service's own in them, for tenants choose the addresses of their servers (default: "
        "none).",
    ),
    cfg.ListOpt(
        "hook_urls",
        default=[],
        sample_default=["https://hooks.example.org"],
        help="Origins (scheme, host, port) that hooks of recovery plans may ask, from where Multisite runs; path and "
        "body are the tenants' choice (default: none).",
    ),
    cfg.StrOpt(
        "hook_folder",
        help="Folder of programs that hooks of recovery plans may run, as the service's user, on every worker "
        "(default: none).",
    ),
    cfg.StrOpt(
        "hook_ca_file", help="Who may sign the certificates of hook_urls (PEM; default: public ones)."
    ),
    cfg.MultiStrOpt(
        "dns_zones",
        default=[],
        sample_default=["vnf.example.org server=192.0.2.53 key=multisite-vnf projects=<id>,<id>"],
        help="`<zone> server=<address>[:port] key=<name> projects=<ids, or *>`, once per zone that recovery plans of "
        "these projects may update by RFC 2136 (default: none).",
    ),
    cfg.StrOpt(
        "dns_keys",
        help="File with the TSIG keys of dns_zones, as `tsig-keygen <name>` writes them, on every worker; not for "
        "others to read.",
    ),
)
GROUPS: dict[str | None, Sequence[cfg.Opt]] = {
    None: _DEFAULT,
    "database": _DATABASE,
    "backup_store": _BACKUP_STORE,
    "clouds": _CLOUDS,
    "limits": _LIMITS,
    "jobs": _JOBS,
    "retention": _RETENTION,
    "identity_keys": _IDENTITY_KEYS,
    "networks": _NETWORKS,
    "images": _IMAGES,
    "replication": _REPLICATION,
    "recovery_plans": _RECOVERY_PLANS,
}


def list_opts() -> list[tuple[str | None, Sequence[cfg.Opt]]]:
    """For ``oslo-config-generator`` (entry point ``oslo.config.opts``)."""
    return list(GROUPS.items())


def load(files: Iterable[str] = (), overrides: dict[tuple[str, str], str] | None = None) -> cfg.ConfigOpts:
    """Read the configuration; without files, ``/etc/multisite/multisite.conf`` when it is there.

    Raises oslo.config's errors, whose text names file, line or option, for every value of ours.
    """
    conf = cfg.ConfigOpts()
    for group, options in GROUPS.items():
        conf.register_opts(options, group=group)
    chosen = list(files) or ([str(DEFAULT_FILE)] if DEFAULT_FILE.exists() else [])
    conf([], project="multisite", default_config_files=chosen, default_config_dirs=[])
    for (group, name), value in (overrides or {}).items():
        conf.set_override(name, value, group=None if group == "DEFAULT" else group)
    for section, options in GROUPS.items():
        for option in options:  # values are only looked at when they are read: do it now, not when serving
            conf[option.name] if section is None else conf[section][option.name]
    return conf


def database_url(conf: cfg.ConfigOpts) -> str:
    """The configured database, or the SQLite file in ``state_path``."""
    return conf.database.connection or f"sqlite:///{Path(conf.state_path).absolute() / 'multisite.sqlite'}"


def vni_range(conf: cfg.ConfigOpts) -> tuple[int, int]:
    """First and last VNI of stretched networks.  Invalid names the option."""
    first, last = (int(one) for one in conf.networks.vni_range.split("-"))
    if not 1 <= first <= last < 1 << 24:
        raise Invalid(
            f"[networks] vni_range: {conf.networks.vni_range!r} must be <first>-<last>, 1 to 16777215"
        )
    return first, last
