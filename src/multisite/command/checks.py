"""Is the configuration usable?  Every finding names the option, what is wrong and what to do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from oslo_config import cfg
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from multisite.command import options
from multisite.domain.errors import MultisiteError


@dataclass(frozen=True)
class Finding:
    """``blocking``: the service would not start or not work."""

    option: str
    problem: str
    blocking: bool = True

    def __str__(self) -> str:
        return f"{'error' if self.blocking else 'warning'}: {self.option}: {self.problem}"


def static(conf: cfg.ConfigOpts) -> list[Finding]:
    """What can be seen without connecting to anything; cheap enough for every start."""
    return [finding for check in _STATIC for finding in check(conf)]


def for_worker(conf: cfg.ConfigOpts) -> list[Finding]:
    """The same for ``multisite worker``, which answers no requests."""
    checks = (_shared_database, _state_path, _backup_store, _clouds, _connection)
    return [finding for check in checks for finding in check(conf)]


def thorough(conf: cfg.ConfigOpts) -> list[Finding]:
    """Also opens the database and logs in to Keystone as the service."""
    found = static(conf)
    if any(finding.blocking for finding in found):
        return found
    return found + [finding for check in (_database, _keystone) for finding in check(conf)]


def _shared_database(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    if options.database_url(conf).startswith("sqlite"):
        yield Finding(
            "[database] connection",
            "SQLite belongs to the process of `multisite serve` alone, which carries out the jobs too; to have "
            "more workers, set postgresql+psycopg://user:password@host/name for all of them",
        )


def _connection(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    try:
        driver = make_url(options.database_url(conf)).drivername
    except ArgumentError:  # its text shows the URL, which may hold a password
        yield Finding(
            "[database] connection", "not a URL; it looks like postgresql+psycopg://user:password@host/name"
        )
        return
    if driver not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        yield Finding(
            "[database] connection",
            f"{driver!r} is not supported: use postgresql+psycopg://user:password@host/name, or nothing for SQLite",
        )
    elif driver.startswith("sqlite") and not conf.jobs.carry_out:
        yield Finding(
            "[jobs] carry_out",
            "false, but nobody else can carry out the jobs of a SQLite database: remove it, or set [database] "
            "connection to a server",
        )


def _state_path(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    option, path = "[DEFAULT] state_path", Path(conf.state_path)
    # Looking makes nothing: what is not there yet is made by `serve`, in the nearest folder that is there.
    there = next(p for p in (path, *path.absolute().parents) if p.exists())
    if not there.is_dir():
        yield Finding(option, f"{there} is not a folder")
    elif not os.access(there, os.W_OK | os.X_OK):
        yield Finding(option, f"{there} is not writable for uid {os.getuid()}")


def _backup_store(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    from multisite.recovery.manifests import ManifestStore

    try:
        if not conf.backup_store.path:
            yield Finding("[backup_store] path", "not set: name the folder shared with cinder-backup")
            return
        ManifestStore(conf.backup_store.path).check()
    except MultisiteError as error:
        yield Finding("[backup_store] path", str(error))


def _clouds(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    from multisite.clouds.connect import entries

    option, path = "[clouds] config_file", Path(conf.clouds.config_file)
    try:
        if not entries(path):
            yield Finding(option, f"{path} has no entry: sites are registered by the name of one")
    except (MultisiteError, OSError) as error:
        yield Finding(option, str(error))
        return
    if path.stat().st_mode & 0o007:
        yield Finding(option, f"{path} holds passwords and is open to everybody: chmod 640", blocking=False)


def _authtoken(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    _register_authtoken(conf)
    section = conf.keystone_authtoken
    if not section.auth_type and not section.auth_section:
        yield Finding("[keystone_authtoken] auth_type", "not set: tokens cannot be checked; use password")
    if not section.www_authenticate_uri:
        yield Finding(
            "[keystone_authtoken] www_authenticate_uri",
            "not set: clients cannot be told where to log in; give Keystone's public URL",
        )
    if not section.memcached_servers:
        yield Finding(
            "[keystone_authtoken] memcached_servers",
            "not set: checked tokens are kept in this process's memory (fine for one service)",
            blocking=False,
        )


def _policy(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    from multisite.api.policy import Policy

    try:
        Policy(conf)
    except Exception as error:  # whatever a YAML file can be made to raise
        reason = " ".join(str(error).split())
        yield Finding("[oslo_policy] policy_file", f"{conf.oslo_policy.policy_file}: {reason}")


def _database(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    from multisite.store.database import Database

    try:
        database = Database(options.database_url(conf))
        version = database.version()
        database.close()
    except Exception as error:  # drivers raise what they like
        yield Finding("[database] connection", f"cannot be opened: {error}")
        return
    if version is None:
        yield Finding(
            "[database] connection",
            "empty: run `multisite-manage db upgrade` (serve does too)",
            blocking=False,
        )


def _keystone(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    from keystoneauth1 import loading, session
    from keystoneauth1.exceptions import ClientException

    section = conf.keystone_authtoken
    group = section.auth_section or "keystone_authtoken"
    verify = (section.cafile or True) if not section.insecure else False
    try:
        auth = loading.load_auth_from_conf_options(conf, group)
        session.Session(auth=auth, verify=verify, timeout=10).get_token()
    except (ClientException, cfg.Error) as error:
        yield Finding(f"[{group}]", f"logging in to Keystone as the service failed: {error}")


def _register_authtoken(conf: cfg.ConfigOpts) -> None:
    from keystonemiddleware.auth_token import list_opts

    for group, opts in list_opts():
        conf.register_opts(opts, group=group)


_STATIC: tuple[Callable[[cfg.ConfigOpts], Iterator[Finding]], ...] = (
    _state_path,
    _backup_store,
    _clouds,
    _authtoken,
    _policy,
    _connection,
)
