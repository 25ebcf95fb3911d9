"""The golden database: every schema migrated and the identity service filled, once per machine.

All sites see their database and message queue on the loopback of their own namespace, so one copied data
directory fits each of them; `database.localize` makes it the site's own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from multisite_lab import paths, uwsgi
from multisite_lab.database import PLACEHOLDER_HOST, PLACEHOLDER_REGION
from multisite_lab.mariadb import execute, server_command
from multisite_lab.model import PORTS, LabError, Site, api_url
from multisite_lab.passwords import Passwords
from multisite_lab.program import base_environment

SCHEMAS = ("keystone", "placement", "glance", "cinder", "nova_api", "nova_cell0", "nova_cell1", "neutron")

_BUILD_SITE = Site("golden", 0, PLACEHOLDER_REGION)


def software() -> str:
    """What a database must have been made by to be used with the installed services."""
    return paths.digest(paths.DATA / "openstack.lock")


def location() -> Path:
    """Where the golden database of this software and this code is kept."""
    code = Path(__file__).parent
    made_by = [code / name for name in ("golden.py", "identity.py", "database.py")]
    # Not the templates: what is migrated and filled in does not depend on how the services are tuned.
    return paths.cache() / f"golden-{paths.digest(software(), *made_by)}"


def ensure(report: Callable[[str], None]) -> Path:
    """Build the golden database unless it is in the cache."""
    target = location()
    if (target / "complete").is_file():
        return target
    report("building the golden database (once)")
    work = paths.cache() / "golden.new"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, mode=0o700)
    # Namespaces of its own: the temporary servers can neither be reached nor left behind.
    command = ["unshare", "--net", "--pid", "--mount", "--ipc", "--fork", "--kill-child", "--mount-proc"]
    command += [sys.executable, "-m", "multisite_lab.golden"]
    environment = os.environ | {"MULTISITE_LAB_STATE": str(work), "MULTISITE_CACHE": str(paths.cache())}
    with (work / "build.log").open("w") as log:
        done = subprocess.run(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    if done.returncode:
        tail = (work / "build.log").read_text()[-1500:]
        raise LabError(f"the golden database could not be built (all of it in {work}):\n{tail}")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True, mode=0o700)
    (work / "golden/var/mysql").rename(target / "mysql")
    (work / "golden/passwords.json").rename(target / "passwords.json")
    (target / "complete").touch()
    shutil.rmtree(work)
    return target


def install(golden: Path, site: Site) -> None:
    """Give a new site its copy."""
    shutil.copy2(golden / "passwords.json", site.root / "passwords.json")
    fresh = site.var / "mysql.new"
    shutil.rmtree(fresh, ignore_errors=True)
    site.var.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", str(golden / "mysql"), str(fresh)], check=True)
    fresh.rename(site.var / "mysql")


def build() -> None:
    """Make it, inside the namespaces `ensure` made."""
    from multisite_lab import identity  # here, because openstacksdk takes long to import
    from multisite_lab.render import render_site

    os.umask(0o077)
    site, passwords = _BUILD_SITE, Passwords.generate()
    site.root.mkdir(parents=True)
    passwords.save(site.root / "passwords.json")
    render_site(site, passwords, "00000000-0000-0000-0000-000000000000")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    server = _start_mariadb(site, passwords)
    chains = (_light_chain, _nova_chain)
    with ThreadPoolExecutor(len(chains)) as pool:
        for result in [pool.submit(chain, site) for chain in chains]:
            result.result()
    _keystone(site, passwords, identity.fill)
    server.terminate()
    server.wait(60)


def _start_mariadb(site: Site, passwords: Passwords) -> subprocess.Popen[bytes]:
    data = site.var / "mysql"
    install_db = ["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}", "--skip-test-db"]
    subprocess.run(
        [*install_db, "--auth-root-authentication-method=normal"], check=True, stdout=subprocess.DEVNULL
    )
    server = subprocess.Popen(server_command(data, site.run, site.log / "mariadb.log"))
    _until(lambda: (site.run / "mysql.sock").is_socket(), "MariaDB")
    sql = [f"CREATE DATABASE {schema} CHARACTER SET utf8mb4;" for schema in SCHEMAS]
    sql.append(f"CREATE USER 'lab'@'%' IDENTIFIED BY '{passwords.service}'; GRANT ALL ON *.* TO 'lab'@'%';")
    execute(site.run, "\n".join(sql))
    return server


def _light_chain(site: Site) -> None:
    etc = site.etc
    _tool("neutron-db-manage", "--config-file", f"{etc}/neutron/neutron.conf", "upgrade", "heads")
    _tool("keystone-manage", "--config-file", f"{etc}/keystone/keystone.conf", "db_sync")
    _tool("placement-manage", "--config-file", f"{etc}/placement/placement.conf", "db", "sync")
    _tool("glance-manage", "--config-file", f"{etc}/glance/glance-api.conf", "db_sync")


def _nova_chain(site: Site) -> None:
    nova = ("nova-manage", "--config-file", f"{site.etc}/nova/nova.conf")
    _tool(*nova, "api_db", "sync")
    # Nova fills this in from its [database] section, which keeps the password off the command line.
    cell0 = "{scheme}://{username}:{password}@{hostname}:{port}/nova_cell0?{query}"
    _tool(*nova, "cell_v2", "map_cell0", "--database_connection", cell0)
    _tool(*nova, "db", "sync")
    # And this from transport_url: a site with several hosts has its queue at another address than one with one.
    queue = "{scheme}://{username}:{password}@{hostname}:{port}/"
    _tool(*nova, "cell_v2", "create_cell", "--name", "cell1", "--transport-url", queue)
    _tool("cinder-manage", "--config-file", f"{site.etc}/cinder/cinder.conf", "db", "sync")


def _keystone(site: Site, passwords: Passwords, fill: Callable[[str, Passwords], None]) -> None:
    url = api_url("keystone", PLACEHOLDER_HOST)
    arguments = ["--bootstrap-region-id", PLACEHOLDER_REGION]
    for interface in ("admin", "public", "internal"):
        arguments += [f"--bootstrap-{interface}-url", url]
    config = f"{site.etc}/keystone/keystone.conf"
    _tool(
        "keystone-manage", "--config-file", config, "bootstrap", *arguments,
        environment={"OS_BOOTSTRAP_PASSWORD": passwords.admin},
    )  # fmt: skip
    address = f"127.0.0.1:{PORTS['keystone']}"
    command = uwsgi.command("keystone", "keystone.wsgi.api", address)
    server = subprocess.Popen(
        command, env=_environment() | {"OS_KEYSTONE_CONFIG_DIR": f"{site.etc}/keystone"}
    )
    try:
        from multisite_lab.boot import answers

        _until(lambda: answers(f"tcp:{address}"), "Keystone")
        fill(f"http://{address}/v3", passwords)
    finally:
        server.kill()
        server.wait(10)


def _tool(program: str, *arguments: str, environment: dict[str, str] | None = None) -> None:
    begun = time.monotonic()
    command = [f"{paths.openstack_venv()}/bin/{program}", *arguments]
    done = subprocess.run(command, env=_environment() | (environment or {}))
    print(f"-- {program} {arguments[-1]}: {time.monotonic() - begun:.1f} s", flush=True)
    if done.returncode:
        raise LabError(f"{program} {' '.join(arguments)} failed")


def _environment() -> dict[str, str]:
    return base_environment(_BUILD_SITE)


def _until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            raise LabError(f"{what} did not start within 60 s")
        time.sleep(0.1)


if __name__ == "__main__":
    build()
