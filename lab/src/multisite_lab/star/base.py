"""The data directory that every database server of the identity begins with, made once per machine.

The golden database's identity (schema, projects, users, catalog with placeholders), loaded through a Galera node of
one, so that it carries a cluster's state and GTIDs: both masters begin with the same state and need no transfer,
both copies know which change they have and need no dump.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from multisite_lab import golden, paths
from multisite_lab.mariadb import server_command
from multisite_lab.model import LabError, Site
from multisite_lab.passwords import Passwords
from multisite_lab.process import wait_until
from multisite_lab.star import config, layout, sql
from multisite_lab.star.layout import Node

_BUILD = Node(Site("base", 0, "Base"), "identity-db", layout.DATABASE_PORT, 1, 101)
_SERVER = "/usr/sbin/mariadbd"
POSITION = "gtid"
_HASH = """
import bcrypt, json, sys
hashed = {name: bcrypt.hashpw(text.encode(), bcrypt.gensalt(4)).decode() for name, text in json.load(sys.stdin).items()}
json.dump(hashed, sys.stdout)
"""


def location() -> Path:
    """Where the base of this golden database and this code is kept."""
    code = [Path(__file__), paths.DATA / "templates" / "star-database.cnf.j2"]
    return paths.cache() / f"identity-{paths.digest(golden.location().name, *code)}"


def ensure(report: Callable[[str], None]) -> Path:
    """Build the base unless it is in the cache."""
    target = location()
    if (target / "complete").is_file():
        return target
    golden_database = golden.ensure(report)
    report("building the identity's database (once)")
    work = paths.cache() / "identity.new"
    shutil.rmtree(work, ignore_errors=True)
    (work / "base").mkdir(parents=True, mode=0o700)
    # Namespaces of its own: the temporary servers can neither be reached nor left behind.
    command = ["unshare", "--net", "--pid", "--mount", "--ipc", "--fork", "--kill-child", "--mount-proc"]
    command += [sys.executable, "-m", "multisite_lab.star.base", str(golden_database)]
    environment = os.environ | {"MULTISITE_LAB_STATE": str(work), "MULTISITE_CACHE": str(paths.cache())}
    with (work / "build.log").open("w") as log:
        done = subprocess.run(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    if done.returncode:
        tail = (work / "build.log").read_text()[-1500:]
        raise LabError(f"the identity's database could not be built (all of it in {work}):\n{tail}")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(mode=0o700)
    (work / "base/var/identity-db").rename(target / "mysql")
    shutil.copy2(golden_database / "passwords.json", target / "passwords.json")
    shutil.move(work / "base" / POSITION, target / POSITION)
    (target / "complete").touch()
    shutil.rmtree(work)
    return target


def install(base: Path, site: Site) -> None:
    """Give each of a site's databases its copy."""
    site.var.mkdir(parents=True, exist_ok=True)
    for node in layout.nodes(site):
        fresh = node.data.with_name(f"{node.data.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        subprocess.run(["cp", "-a", "--reflink=auto", str(base / "mysql"), str(fresh)], check=True)
        fresh.rename(node.data)
    shutil.copy2(base / POSITION, site.var / "identity-base-gtid")


def build(golden_database: Path) -> None:
    """Make it, inside the namespaces `ensure` made."""
    os.umask(0o077)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    passwords = Passwords.load(golden_database / "passwords.json")
    dump = _dump(golden_database)
    site = _BUILD.site
    for folder in (site.run, site.log, site.etc / "identity"):
        folder.mkdir(parents=True, exist_ok=True)
    _BUILD.config.write_text(config.database(_BUILD, "127.0.0.1", ""))
    install_db = [
        "mariadb-install-db",
        "--no-defaults",
        "--user=root",
        f"--datadir={_BUILD.data}",
        "--skip-test-db",
    ]
    subprocess.run(
        [*install_db, "--auth-root-authentication-method=normal"], check=True, stdout=subprocess.DEVNULL
    )
    with _running([_SERVER, f"--defaults-file={_BUILD.config}", "--wsrep-new-cluster"]):
        wait_until(lambda: sql.status(_BUILD).get("wsrep_ready") == "ON", "the Galera node", 60)
        sql.execute(_BUILD, _accounts(passwords))
        sql.execute(_BUILD, "USE keystone;\n" + dump, timeout=120)
        sql.execute(_BUILD, _cheaper_hashes(passwords))
        position = sql.position(_BUILD)
    (site.root / POSITION).write_text(position)
    for leftover in ("galera.cache", "gvwstate.dat"):
        (_BUILD.data / leftover).unlink(missing_ok=True)


def _dump(golden_database: Path) -> str:
    """The golden database's identity as SQL."""
    work = paths.state() / "golden"
    work.mkdir()
    subprocess.run(["cp", "-a", str(golden_database / "mysql"), str(work / "mysql")], check=True)
    with _running(list(server_command(work / "mysql", work, work / "log"))):
        wait_until(lambda: (work / "mysql.sock").is_socket(), "the golden database", 60)
        command = ["mariadb-dump", "--no-defaults", "-S", str(work / "mysql.sock"), "keystone"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _cheaper_hashes(passwords: Passwords) -> str:
    """SQL that makes checking the lab's passwords cheap: tests log in often, on two processors."""
    from multisite_lab.identity import SERVICE_USERS  # here, because openstacksdk takes long to import

    secrets = vars(passwords) | dict.fromkeys(SERVICE_USERS, passwords.service)
    python = paths.openstack_venv() / "bin" / "python"
    done = subprocess.run(
        [python, "-c", _HASH], input=json.dumps(secrets), capture_output=True, text=True, check=True
    )
    hashes: dict[str, str] = json.loads(done.stdout)
    joined = "keystone.password p JOIN keystone.local_user u ON u.id = p.local_user_id"
    updates = [
        f"UPDATE {joined} SET p.password_hash = '{value}' WHERE u.name = '{name}';"  # noqa: S608 - the lab's own
        for name, value in hashes.items()
    ]
    return "\n".join(updates)


def _accounts(passwords: Passwords) -> str:
    """Keystone's may not write where the server is read-only, whatever it is asked; accounts are not replicated."""
    secret = passwords.service
    return f"""
        CREATE DATABASE keystone CHARACTER SET utf8mb4;
        CREATE USER 'keystone'@'%' IDENTIFIED BY '{secret}', 'repl'@'%' IDENTIFIED BY '{secret}',
          'watch'@'%' IDENTIFIED BY '{secret}';
        GRANT ALL ON keystone.* TO 'keystone'@'%';
        GRANT REPLICATION SLAVE ON *.* TO 'repl'@'%';
        GRANT BINLOG MONITOR, SLAVE MONITOR, REPLICATION SLAVE ADMIN ON *.* TO 'watch'@'%';
        GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON keystone.* TO 'watch'@'%';
    """


@contextmanager
def _running(command: list[str]) -> Iterator[None]:
    server = subprocess.Popen(command)
    try:
        yield
    finally:
        server.terminate()
        server.wait(60)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
