"""Runs the Multisite service beside the sites, for the demo, the tests and the benchmarks.

It lives in the core namespace, authenticates at site 2's Keystone (its home is the recovery site) and keeps
everything in one folder, so that deleting the folder is losing the manager.  Only its programs are used,
nothing is imported.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from multisite_lab import core_store, form, paths, sites
from multisite_lab.ceph import POOL
from multisite_lab.passwords import write_private
from multisite_lab.process import Record

ADDRESS = "192.168.251.1"
PORT = 8788
BIN = Path(sys.executable).parent
SERVICE, IMPORTER = "-multisite", "-admin"
"""Entries of clouds.yaml behind a site's name: the account the service works with, and who imports backup records."""


class CommandFailed(Exception):
    """An ``openstack multisite`` command ended with another status than 0; carries its output."""

    def __init__(self, argv: list[str], code: int, out: str, err: str) -> None:
        super().__init__(f"{' '.join(argv)}: exit {code}\n{err.strip()}\n{out.strip()}")
        self.code, self.out, self.err = code, out, err


@dataclass
class Manager:
    """One Multisite service.  ``home`` is the site whose Keystone it trusts; ``clouds`` its clouds.yaml when it
    is not the lab's (one that leads through fault proxies).
    """

    folder: Path
    home: str = "site2"
    port: int = PORT
    clouds: Path | None = None
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self.port}"

    @property
    def config(self) -> Path:
        return self.folder / "multisite.conf"

    @property
    def log(self) -> Path:
        return self.folder / "multisite.log"

    def prepare(self) -> None:
        """Write the configuration, make the database and mark the backup store (all idempotent)."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.touch(mode=0o600)
        self.config.write_text(self._configuration())
        self._write_clouds()
        self._manage("db", "upgrade")
        self._manage("store", "init")

    def _write_clouds(self) -> None:
        """The service's clouds.yaml: the lab's (or ``clouds``), and who imports backup records where it is a member."""
        found = yaml.safe_load((self.clouds or paths.state() / "clouds.yaml").read_text())
        for name, entry in found["clouds"].items():
            importer = f"{name.removesuffix(SERVICE)}{IMPORTER}"
            if name.endswith(SERVICE) and importer in found["clouds"]:
                entry["multisite_administrator"] = importer
        file = self.folder / "clouds.yaml"
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(found))

    def start(self, timeout: float = 60) -> None:
        """Start the service, wait until it answers; else raise RuntimeError with the end of its log.

        One that a run left behind because it was killed itself, and that holds our port, is ended first.
        """
        self._end_leftover()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*sites.core_prefix(), str(BIN / "multisite"), "serve", "--config-file", str(self.config)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        Record.of(self.process.pid).save(self._record)
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"multisite serve ended with {self.process.returncode}:\n{self.tail()}")
            if self.answers():
                return
            time.sleep(0.2)
        raise RuntimeError(f"multisite serve does not answer after {timeout:.0f} s:\n{self.tail()}")

    @property
    def _record(self) -> Path:
        return paths.state() / f"manager-{self.port}.json"

    def _end_leftover(self) -> None:
        left = Record.load(self._record)
        if left is not None and left.alive():
            os.killpg(left.pid, signal.SIGKILL)  # with its workers; it leads its own group
            left.kill()

    def answers(self) -> bool:
        """Whether the health check answers, asked from inside the core namespace."""
        code = "import sys,urllib.request as u; sys.exit(u.urlopen(sys.argv[1], timeout=2).status != 200)"
        done = subprocess.run(
            [*sites.core_prefix(), sys.executable, "-c", code, f"{self.url}/healthcheck"],
            capture_output=True,
            check=False,
        )
        return done.returncode == 0

    def stop(self, how: signal.Signals = signal.SIGTERM, timeout: float = 20) -> None:
        """End the service and everything it started (its own process group); SIGKILL shows a crash."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, how)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout)
        self.process = None

    def kill(self) -> None:
        """kill -9: the manager's own worst day."""
        self.stop(signal.SIGKILL)

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def environment(self, cloud: str | None = None) -> dict[str, str]:
        """Variables with which ``openstack multisite`` finds the clouds and this service."""
        return os.environ | {
            "OS_CLIENT_CONFIG_FILE": str(paths.state() / "clouds.yaml"),
            "OS_CLOUD": cloud or self.home,
            "OS_MULTISITE_ENDPOINT": f"{self.url}/v1",
            "PYTHONWARNINGS": "ignore",
        }

    def argv(self, *words: str) -> list[str]:
        return [*sites.core_prefix(), str(BIN / "openstack"), "multisite", *words]

    def cli(self, *words: str, cloud: str | None = None, timeout: float = 900, watch: bool = False) -> Any:
        """Run a command with ``-f json`` and return what it printed, parsed; raises CommandFailed.

        With ``watch`` its progress is shown on our terminal.
        """
        done = subprocess.run(
            self.argv(*words, "-f", "json"), env=self.environment(cloud), stdout=subprocess.PIPE,
            stderr=None if watch else subprocess.PIPE, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        if done.returncode:
            raise CommandFailed(list(words), done.returncode, done.stdout, done.stderr or "")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def register(self, site: str, *, cloud: str | None = None, show: bool = False) -> None:
        """Make a site known, and the project ``vnf`` of both Keystones one; with ``show`` as an operator sees it.

        ``cloud``: entry of an account that may do everything in ``vnf``.  Without, the service's own account enters the
        site, and becomes a member of ``vnf`` as docs/projects.md has it.
        """
        run = self.show if show else self.cli
        run("site", "register", site, "--cloud", cloud or f"{site}{SERVICE}")
        if cloud is None:
            self.become_member(site, "vnf")
        here, there = self.project(self.home), self.project(site)
        if here != there:
            run("project", "grant", "create", here, site, there)

    def become_member(self, site: str, project: str, user: str = "multisite") -> None:
        """Give an account the role ``member`` in a project of a site, and who imports backup records ``admin``."""
        for name, role in ((user, "member"), ("admin", "admin")):
            self._openstack(
                f"{site}{IMPORTER}", "role", "add", "--project", project, "--project-domain", "Default",
                "--user", name, "--user-domain", "Default", role,
            )  # fmt: skip

    def project(self, cloud: str) -> str:
        """Id of the project of a clouds.yaml entry."""
        return self._openstack(cloud, "token", "issue", "-f", "value", "-c", "project_id")

    def _openstack(self, cloud: str, *words: str) -> str:
        """What an ``openstack`` command of the entry's account printed; raises CommandFailed."""
        argv = [*sites.core_prefix(), str(BIN / "openstack"), *words]
        done = subprocess.run(argv, env=self.environment(cloud), capture_output=True, text=True, check=False)
        if done.returncode:
            raise CommandFailed(argv, done.returncode, done.stdout, done.stderr)
        return done.stdout.strip()

    def show(self, *words: str, cloud: str | None = None, check: bool = True) -> int:
        """Run a command as an operator would, its output on our terminal; returns the exit status."""
        done = subprocess.run(self.argv(*words), env=self.environment(cloud), check=False)
        if check and done.returncode:
            raise CommandFailed(list(words), done.returncode, "", "")
        return done.returncode

    def _manage(self, *words: str) -> None:
        argv = [
            *sites.core_prefix(),
            str(BIN / "multisite-manage"),
            "--config-file",
            str(self.config),
            *words,
        ]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CommandFailed(["multisite-manage", *words], done.returncode, done.stdout, done.stderr)

    def _configuration(self) -> str:
        clouds = yaml.safe_load((paths.state() / "clouds.yaml").read_text())["clouds"]
        cloud = clouds[f"{self.home}{SERVICE}"]
        auth = cloud["auth"]
        return f"""[DEFAULT]
listen = {ADDRESS}
port = {self.port}
state_path = {self.folder}
[database]
connection = sqlite:///{self.folder}/multisite.sqlite
[backup_store]
{self._store()}
trusted_keys = {paths.manifest_keys()}
{_replication()}
[clouds]
config_file = {self.folder / "clouds.yaml"}
[keystone_authtoken]
www_authenticate_uri = {auth["auth_url"]}
auth_url = {auth["auth_url"]}
auth_type = password
username = {auth["username"]}
password = {auth["password"]}
project_name = {auth["project_name"]}
user_domain_name = {auth.get("user_domain_name", "Default")}
project_domain_name = {auth.get("project_domain_name", "Default")}
region_name = {cloud["region_name"]}
"""

    def _store(self) -> str:
        """Where manifests are: in the folder, or where the form has the object store in a bucket of it."""
        store = core_store.parameters()
        if store is None:
            return f"path = {paths.backup_store()}"
        credentials = self.folder / "s3-credentials"
        keys = f"aws_access_key_id = {store.account.access_key}\naws_secret_access_key = {store.account.secret_key}"
        write_private(credentials, f"[default]\n{keys}\n")
        return (
            f"kind = s3\ns3_bucket = {store.manifests}\ns3_endpoint = {store.url}\n"
            f"s3_credentials_file = {credentials}"
        )


def _replication() -> str:
    """The sites' storages, where the form has them copy to each other."""
    if not form.current().replication:
        return ""
    lines = (
        f"backends = {site.name} rbd conf={site.etc}/ceph/ceph.conf host={site.name}@rbd#rbd pool={POOL}"
        for site in form.sites().values()
        if form.whole(site)
    )
    return "\n".join(("[replication]", *lines))


@contextlib.contextmanager
def running(
    folder: Path, home: str = "site2", port: int = PORT, register: Sequence[str] = ()
) -> Iterator[Manager]:
    """A prepared and started manager that has these sites registered, and is stopped at the end whatever happens."""
    manager = Manager(folder, home, port)
    manager.prepare()
    manager.start()
    try:
        for site in register:
            manager.register(site)
        yield manager
    finally:
        manager.stop()
