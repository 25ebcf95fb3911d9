"""Is the configuration usable?  ``kind`` of a finding is the option; with a blocking one the service would not work."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from oslo_config import cfg
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from multisite.command import options, stores
from multisite.domain.errors import Invalid, MultisiteError, Unavailable
from multisite.domain.findings import Finding, Severity, blocking

_CONNECTION = "[database] connection"
_AUTHTOKEN = "keystone_authtoken"
_POSTGRESQL = "postgresql+psycopg://user:password@host/name"


def static(conf: cfg.ConfigOpts) -> list[Finding]:
    """What can be seen without connecting to anything; cheap enough for every start."""
    return [finding for check in _STATIC for finding in check(conf)]


def for_worker(conf: cfg.ConfigOpts) -> list[Finding]:
    """The same for ``multisite worker``, which answers no requests."""
    checks = (
        _shared_database,
        _state_path,
        _backup_store,
        _manifest_keys,
        _encryption_keys,
        _clouds,
        _connection,
        _dns_keys,
    )
    return [finding for check in checks for finding in check(conf)]


def thorough(conf: cfg.ConfigOpts) -> list[Finding]:
    """Also opens the database and logs in to Keystone as the service."""
    found = static(conf)
    if any(finding.blocking for finding in found):
        return found
    return found + [finding for check in (_database, _keystone) for finding in check(conf)]


def _wrong(option: str, problem: str, remedy: str) -> Finding:
    return blocking("", option, problem, remedy)


def _warning(option: str, problem: str, consequence: str, remedy: str) -> Finding:
    return Finding("", option, problem, consequence, remedy, Severity.DEGRADED)


def _shared_database(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    if options.database_url(conf).startswith("sqlite"):
        yield _wrong(
            _CONNECTION, "SQLite belongs to the process of `multisite serve` alone, which carries out the jobs too",
            f"to have more workers, set {_POSTGRESQL} for all of them",
        )  # fmt: skip


def _connection(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    try:
        driver = make_url(options.database_url(conf)).drivername
    except ArgumentError:  # its text shows the URL, which may hold a password
        yield _wrong(_CONNECTION, "not a URL", f"write it like {_POSTGRESQL}")
        return
    if driver not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        remedy = f"use {_POSTGRESQL}, or nothing for SQLite"
        yield _wrong(_CONNECTION, f"{driver!r} is not supported", remedy)
    elif driver.startswith("sqlite") and not conf.jobs.carry_out:
        yield _wrong(
            "[jobs] carry_out", "false, but nobody else can carry out the jobs of a SQLite database",
            "remove it, or set [database] connection to a server",
        )  # fmt: skip


def _state_path(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    option, path = "[DEFAULT] state_path", Path(conf.state_path)
    # Looking makes nothing: what is not there yet is made by `serve`, in the nearest folder that is there.
    there = next(p for p in (path, *path.absolute().parents) if p.exists())
    if not there.is_dir():
        yield _wrong(option, f"{there} is not a folder", "name a folder")
    elif not os.access(there, os.W_OK | os.X_OK):
        yield _wrong(
            option, f"{there} is not writable for uid {os.getuid()}", "chown it to the service's user"
        )


def _private(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """Made by an earlier release, or by hand: later ones are made with ``arguments.UMASK``."""
    consequence = "user data of guests and the database may be read"
    yield from _open_to_everybody("[DEFAULT] state_path", Path(conf.state_path), consequence)
    url = options.database_url(conf)
    if url.startswith("sqlite") and (file := make_url(url).database):
        yield from _open_to_everybody(_CONNECTION, Path(file), consequence)
    if conf.log_file:
        yield from _open_to_everybody("[DEFAULT] log_file", Path(conf.log_file), "the log may be read")


def _open_to_everybody(option: str, path: Path, consequence: str) -> Iterator[Finding]:
    if path.exists() and path.stat().st_mode & 0o007:
        remedy = f"chmod {'750' if path.is_dir() else '640'} {path}"
        yield _warning(option, f"{path} is open to everybody", consequence, remedy)


def _backup_store(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    from multisite.command.backup_store import manifest_store
    from multisite.recovery.manifests import StoreHangs

    if problem := stores.missing(conf):
        yield _wrong(*problem)
        return
    option = stores.main_option(conf)
    if conf.backup_store.kind == stores.S3 and (file := conf.backup_store.s3_credentials_file):
        yield from _credentials("[backup_store] s3_credentials_file", Path(file))
    try:
        manifest_store(conf).check()
    except StoreHangs as error:  # what does not need it goes on: addresses, networks, jobs
        yield _warning(option, str(error), "nothing is protected or recovered until it answers", "")
    except MultisiteError as error:
        yield _wrong(option, str(error), "")


def _manifest_keys(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    from multisite.command.backup_store import manifest_keys

    keys, option = manifest_keys(conf), "[backup_store] signing_key"
    for name, path in ((option, keys.signing_key), ("[backup_store] trusted_keys", keys.trusted)):
        yield from _in_the_store(conf, name, path, "others can write there")
    if not keys.signing_key.exists():
        if not options.database_url(conf).startswith("sqlite"):
            yield _wrong(
                option, f"{keys.signing_key} is not there, and all processes on a database sign with the same key",
                "`multisite-manage store keys create` on one host, then copy it and [backup_store] trusted_keys to all",
            )  # fmt: skip
    else:
        yield from _open_to_others(option, keys.signing_key)
    if keys.trusted.exists() and keys.trusted.stat().st_mode & 0o022:
        yield _wrong(
            "[backup_store] trusted_keys",
            f"others can add keys to {keys.trusted}",
            f"chmod go-w {keys.trusted}",
        )


def _encryption_keys(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    from multisite.recovery.encryption import OPTION

    if not (name := conf.backup_store.encryption_keys):
        return
    path = Path(name)
    yield from _in_the_store(conf, OPTION, path, "who reads the store reads it, too")
    if not path.exists():
        remedy = "`multisite-manage store encryption create-key`, or copy it from another process's host"
        yield _wrong(OPTION, f"{path} is not there: nothing can be protected or recovered", remedy)
    else:
        yield from _open_to_others(OPTION, path)


def _dns_keys(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    """Of each zone that recovery plans may update: that one is missing is told before it is needed."""
    from multisite.recovery.service import outside

    try:
        zones = outside(**conf.recovery_plans).dns.values()
    except Invalid as error:
        option, _, what = str(error).partition(": ")
        yield _wrong(option, what, "")
        return
    for zone in zones:
        try:
            zone.check_key()
        except Unavailable as error:
            option, _, what = str(error).partition(": ")
            until = f"no recovery updates zone {zone.name} until then"
            yield _warning(option, f"{what}: {until}", until, "")


def _in_the_store(conf: cfg.ConfigOpts, option: str, key: Path, why: str) -> Iterator[Finding]:
    store = conf.backup_store.path if conf.backup_store.kind == stores.FOLDER else None
    if store and key.resolve().is_relative_to(Path(store).resolve()):
        yield _wrong(option, f"{key} is in the backup store", f"keep it apart: {why}")


def _credentials(option: str, file: Path) -> Iterator[Finding]:
    if file.exists():
        yield from _open_to_others(option, file)
    else:
        yield _wrong(
            option, f"{file} is not there", "make it: [default], aws_access_key_id, aws_secret_access_key"
        )


def _open_to_others(option: str, key: Path) -> Iterator[Finding]:
    if key.stat().st_mode & 0o077:
        yield _wrong(option, f"{key} is open to others", f"chmod 600 {key}")


def _clouds(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    from multisite.clouds.entries import entries

    option, path = "[clouds] config_file", Path(conf.clouds.config_file)
    try:
        known = entries(path)
        if not known:
            yield _wrong(
                option, f"{path} has no entry", "add one for each site: they are registered by its name"
            )
        for entry in known.values():
            if entry.problem:
                yield _warning(option, entry.problem, "no site can be registered with it", "")
    except (MultisiteError, OSError) as error:
        yield _wrong(option, str(error), "")
        return
    yield from _open_to_everybody(option, path, "its passwords may be read")


def _authtoken(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    _register_authtoken(conf)
    section = conf.keystone_authtoken
    group = _login_group(conf)
    if not conf[group].auth_type:
        option = f"[{group}] auth_type"
        yield _wrong(option, "not set: tokens cannot be checked", "use password")
    if not section.www_authenticate_uri:
        option = "[keystone_authtoken] www_authenticate_uri"
        yield _wrong(option, "not set: clients cannot be told where to log in", "give Keystone's public URL")
    if not section.memcached_servers:
        yield _warning(
            "[keystone_authtoken] memcached_servers", "not set", "each process checks and keeps tokens for itself",
            "set it when there are several; fine for one service",
        )  # fmt: skip


def _policy(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    from multisite.api.policy import Policy
    from multisite.api.resources import list_rules

    try:
        Policy(conf, list_rules())
    except Exception as error:  # whatever a YAML file can be made to raise
        reason = " ".join(str(error).split())
        option, file = "[oslo_policy] policy_file", conf.oslo_policy.policy_file
        yield _wrong(option, f"{file}: {reason}", "correct the file")


def _database(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    from multisite.store.database import Database

    try:
        database = Database(options.database_url(conf))
        version = database.version()
        database.close()
    except Exception as error:  # drivers raise what they like
        yield _wrong(_CONNECTION, f"cannot be opened: {error}", "correct the URL, or start the server")
        return
    if version is None:
        yield _warning(
            _CONNECTION, "empty: run `multisite-manage db upgrade`", "", "`multisite serve` does so too"
        )


def _keystone(conf: cfg.ConfigOpts) -> Iterator[Finding]:
    from keystoneauth1 import loading, session
    from keystoneauth1.exceptions import ClientException

    section, group = conf.keystone_authtoken, _login_group(conf)
    verify = (section.cafile or True) if not section.insecure else False
    try:
        auth = loading.load_auth_from_conf_options(conf, _AUTHTOKEN)
        session.Session(auth=auth, verify=verify, timeout=10).get_token()
    except (ClientException, cfg.Error) as error:
        remedy = f"correct the login and URL in [{group}], or start Keystone"
        yield _wrong(f"[{group}]", f"logging in to Keystone as the service failed: {error}", remedy)


def _register_authtoken(conf: cfg.ConfigOpts) -> None:
    """Its own options, and those of the section that ``auth_section`` names."""
    from keystoneauth1 import loading
    from keystonemiddleware.auth_token import list_opts

    for group, opts in list_opts():
        conf.register_opts(opts, group=group)
    loading.register_auth_conf_options(conf, _AUTHTOKEN)


def _login_group(conf: cfg.ConfigOpts) -> str:
    return str(conf[_AUTHTOKEN].auth_section or _AUTHTOKEN)


_STATIC: tuple[Callable[[cfg.ConfigOpts], Iterator[Finding]], ...] = (
    _state_path,
    _private,
    _backup_store,
    _manifest_keys,
    _encryption_keys,
    _clouds,
    _authtoken,
    _policy,
    _connection,
    _dns_keys,
)
