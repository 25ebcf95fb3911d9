"""Which backup store is configured: a folder, a bucket of S3 or a container of Swift."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from oslo_config import cfg

from multisite.recovery.stores.base import ObjectStore

FOLDER, S3, SWIFT = KINDS = ("folder", "s3", "swift")
_NEEDED = {
    FOLDER: (("path", "name the folder shared with cinder-backup"),),
    S3: (("s3_bucket", "name the bucket manifests are kept in"),),
    SWIFT: (
        ("swift_cloud", "name the entry of [clouds] config_file whose account keeps manifests"),
        ("swift_container", "name the container manifests are kept in"),
    ),
}
"""By kind: the options it cannot do without, and what to do about them."""
OPTIONS: tuple[cfg.Opt, ...] = (
    cfg.StrOpt(
        "kind",
        default=FOLDER,
        choices=KINDS,
        help="What manifests are kept in: a folder (path), a bucket (s3_*) or a container (swift_*).",
    ),
    cfg.StrOpt("s3_bucket", help="Bucket of S3 that manifests are kept in; it has to be there."),
    cfg.StrOpt("s3_prefix", help="In front of all keys in the bucket (default: nothing)."),
    cfg.StrOpt(
        "s3_endpoint", help="URL of a server that speaks S3 (default: that of Amazon for the region)."
    ),
    cfg.StrOpt("s3_region", help="Region of the bucket (default: of the profile or the environment)."),
    cfg.StrOpt(
        "s3_credentials_file",
        help="File with the access key, as AWS tools have it (default: the environment of the service, or "
        "~/.aws/credentials).",
    ),
    cfg.StrOpt("s3_profile", help="Section of that file (default: default)."),
    cfg.StrOpt(
        "s3_ca_file", help="Certificates the server's is checked with (default: those of the system)."
    ),
    cfg.StrOpt(
        "s3_encryption",
        choices=("AES256", "aws:kms"),
        help="Encryption by the server (default: as the bucket is set); encryption_keys is ours.",
    ),
    cfg.StrOpt("s3_kms_key", help="Id of the key for s3_encryption = aws:kms (default: the bucket's)."),
    cfg.StrOpt(
        "s3_lock_mode",
        choices=("compliance", "governance"),
        help="Object lock: nobody can remove the versions of a manifest for s3_lock_days, with governance but who may "
        "bypass it.  The bucket must have been made with object lock.",
    ),
    cfg.IntOpt("s3_lock_days", min=1, max=36500, help="Days that restore points cannot be removed."),
    cfg.StrOpt("swift_cloud", help="Entry of [clouds] config_file whose account keeps manifests."),
    cfg.StrOpt("swift_container", help="Container of Swift that manifests are kept in; it has to be there."),
    cfg.StrOpt("swift_prefix", help="In front of all names in the container (default: nothing)."),
)


def missing(conf: cfg.ConfigOpts) -> tuple[str, str, str] | None:
    """The first option that is missing or does not fit another: its name, what is wrong, what to do."""
    section = conf.backup_store
    for name, remedy in _NEEDED[section.kind]:
        if not section[name]:
            return f"[backup_store] {name}", "not set", remedy
    return _odd_s3(section) if section.kind == S3 else None


def main_option(conf: cfg.ConfigOpts) -> str:
    """The option whose value says where the store is."""
    return f"[backup_store] {_NEEDED[conf.backup_store.kind][-1][0]}"


def configured(conf: cfg.ConfigOpts) -> str | ObjectStore:
    """The path of a folder, or another store; nothing is asked yet."""
    section = conf.backup_store
    if section.kind == S3:
        from multisite.recovery.stores.s3 import Bucket, S3Store

        return S3Store(
            Bucket(
                section.s3_bucket,
                section.s3_prefix or "",
                section.s3_endpoint,
                section.s3_region,
                section.s3_profile,
                section.s3_credentials_file,
                section.s3_ca_file,
                section.s3_encryption,
                section.s3_kms_key,
                section.s3_lock_mode and section.s3_lock_mode.upper(),
                section.s3_lock_days or 0,
            )
        )
    if section.kind == SWIFT:
        from multisite.recovery.stores.swift import Container, SwiftStore

        clouds = Path(conf.clouds.config_file)
        return SwiftStore(
            Container(section.swift_container, section.swift_cloud, clouds, section.swift_prefix or "")
        )
    path: str = section.path
    return path


def _odd_s3(section: cfg.ConfigOpts.GroupAttr) -> tuple[str, str, str] | None:
    endpoint = section.s3_endpoint
    if endpoint and (urlsplit(endpoint).scheme not in ("http", "https") or not urlsplit(endpoint).hostname):
        return "[backup_store] s3_endpoint", f"{endpoint!r} is no URL", "such as https://s3.example.org"
    if bool(section.s3_lock_mode) != bool(section.s3_lock_days):
        option, other = ("s3_lock_days", "mode") if section.s3_lock_mode else ("s3_lock_mode", "days")
        return f"[backup_store] {option}", f"not set, and s3_lock_{other} is", "set both or none"
    if section.s3_kms_key and section.s3_encryption != "aws:kms":
        return "[backup_store] s3_kms_key", "set without s3_encryption = aws:kms", "set both or none"
    return None
