"""One identity over three real sites, as tests see it: log in, validate, revoke; who was asked; how the copies are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from multisite_lab import paths, sites
from multisite_lab.model import ALL_SITES, Site
from multisite_lab.passwords import Passwords
from multisite_lab.process import only_child
from multisite_lab.star import access, layout, sql

SITES = tuple(ALL_SITES)
BOUND = layout.CACHE_TIME + layout.TOKEN_CACHE_TIME
"""Seconds a service anywhere may go on taking a revoked token: Keystone's caches and its own."""
ENTRY = layout.ENTRY_URL
DIRECT = f"http://{layout.REPLICA_SITE.management}:{layout.BEHIND_PROXY}/v3"
"""Site 3's Keystone without the proxy that sends writes to the masters."""
_SERVICE_PORT = 8080


def passwords() -> Passwords:
    return Passwords.load(ALL_SITES["site1"].root / "passwords.json")


def url(site: str) -> str:
    """A region's internal identity endpoint."""
    return ALL_SITES[site].url("keystone")


def login(
    where: str, user: str, password: str, project: str | None = None, timeout: float = 30.0
) -> requests.Response:
    """Ask for a token with a password at a Keystone's URL."""
    named = {"name": user, "domain": {"id": "default"}, "password": password}
    auth: dict[str, object] = {"identity": {"methods": ["password"], "password": {"user": named}}}
    if project:
        auth["scope"] = {"project": {"name": project, "domain": {"id": "default"}}}
    return requests.post(f"{where}/auth/tokens?nocatalog", json={"auth": auth}, timeout=timeout)


def token(where: str = ENTRY, user: str = "member", project: str = "vnf") -> str:
    """A fresh token, issued at a Keystone's URL."""
    answer = login(where, user, vars(passwords())[user], project)
    assert answer.status_code == 201, f"{where}: {answer.status_code} {answer.text[:200]}"
    return answer.headers["X-Subject-Token"]


def admin_token(where: str = ENTRY) -> str:
    return token(where, "admin", "admin")


def revoke(where: str, admin: str, subject: str) -> requests.Response:
    headers = {"X-Auth-Token": admin, "X-Subject-Token": subject}
    return requests.delete(f"{where}/auth/tokens", headers=headers, timeout=30)


def fails(call: Callable[[], requests.Response]) -> bool:
    """Whether a request died of an unhandled error: 500, or an answer that never comes (uWSGI hangs up then)."""
    try:
        return call().status_code == 500
    except requests.ConnectionError as error:
        return "without response" in str(error)


def validate(where: str, subject: str, timeout: float = 15.0) -> int:
    """Let a Keystone look at a token, by itself; its status."""
    headers = {"X-Auth-Token": subject, "X-Subject-Token": subject}
    return requests.get(f"{where}/auth/tokens?nocatalog", headers=headers, timeout=timeout).status_code


@contextmanager
def new_user(name: str, password: str) -> Iterator[str]:
    """A user nobody has logged in as, in no project; removed at the end."""
    headers = {"X-Auth-Token": admin_token()}
    body = {"user": {"name": name, "domain_id": "default", "password": password}}
    made = requests.post(f"{ENTRY}/users", json=body, headers=headers, timeout=30)
    assert made.status_code == 201, made.text
    user = made.json()["user"]["id"]
    until(in_step, "the copies have the new user", 30)
    try:
        yield user
    finally:
        headers = {"X-Auth-Token": admin_token()}
        requests.delete(f"{ENTRY}/users/{user}", headers=headers, timeout=30)


def until(condition: Callable[[], object], what: str, timeout: float, every: float = 0.2) -> float:
    """Wait for something; return the seconds that took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < timeout, f"not within {timeout:.0f} s: {what}; {copies()}"
        time.sleep(every)
    return time.monotonic() - begun


# --- databases ---


def in_step() -> bool:
    """Both copies follow, both threads run, and all four databases have the same last change."""
    following = [sql.following(node) for node in layout.NODES if node.follows]
    if not all(row.get("Slave_IO_Running") == row.get("Slave_SQL_Running") == "Yes" for row in following):
        return False
    return len({cluster_position(sql.position(node)) for node in layout.NODES}) == 1


def home(node: layout.Node) -> None:
    """Let a copy follow its own master again, running, if a test left it otherwise."""
    assert node.follows is not None
    row = sql.following(node)
    if (row.get("Master_Host"), row.get("Slave_IO_Running")) != (node.follows.management, "Yes"):
        change = f"CHANGE MASTER TO master_host='{node.follows.management}', master_use_gtid=slave_pos"
        sql.execute(node, f"STOP SLAVE; {change}; START SLAVE;")


def cluster_position(gtids: str) -> str:
    """The part of a GTID position that the cluster made (domain 10)."""
    return next((gtid for gtid in gtids.split(",") if gtid.startswith("10-")), "")


def copies() -> str:
    """How the databases are, for messages."""
    found = []
    for node in layout.NODES:
        row = sql.following(node) if node.follows else {}
        threads = (
            f" IO {row.get('Slave_IO_Running')} SQL {row.get('Slave_SQL_Running')}" if node.follows else ""
        )
        state = "" if node.follows else f" {sql.status(node).get('wsrep_cluster_status', 'down')}"
        found.append(f"{node.site.name} {node.service} {sql.position(node) or '-'}{threads}{state}")
    return "; ".join(found)


# --- services ---


@dataclass(frozen=True)
class Service:
    """A service of one site behind auth_token."""

    site: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{ALL_SITES[self.site].management}:{self.port}/"

    def takes(self, subject: str, timeout: float = 30.0) -> bool:
        """Whether it lets the bearer of a token in; any answer but 200 and 401 is an error."""
        status = self.status(subject, timeout)
        assert status in (200, 401), f"{self.site}: {status}"
        return status == 200

    def status(self, subject: str, timeout: float = 30.0) -> int:
        return requests.get(self.url, headers={"X-Auth-Token": subject}, timeout=timeout).status_code


@contextmanager
def running_service(
    folder: Path,
    site: str,
    by_region: bool = True,
    token_cache_time: int = layout.TOKEN_CACHE_TIME,
    port: int = _SERVICE_PORT,
) -> Iterator[Service]:
    """Start a service inside a site; ``by_region``: its auth_token is told the region it is in."""
    found = ALL_SITES[site]
    config = folder / f"{site}-{port}.conf"
    config.write_text(_authtoken(found, by_region, token_cache_time))
    config.chmod(0o600)
    program = [
        str(paths.openstack_venv() / "bin/python"),
        "-W",
        "ignore",
        str(Path(__file__).with_name("service_app.py")),
    ]
    log = folder / f"{site}-{port}.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [*sites.site_prefix(site), *program, str(config), found.management, str(port)],
            stdout=file, stderr=subprocess.STDOUT, env={**os.environ, "PYTHONPATH": ""},
        )  # fmt: skip
    try:
        until(lambda: "serving" in log.read_text(), f"service at {site}: {log.read_text()[-500:]}", 90)
        yield Service(site, port)
    finally:
        # nsenter waits outside for the program, its only child, which is inside the site and would outlive it.
        if (child := only_child(process.pid)) is not None:
            os.kill(child, signal.SIGKILL)
        process.kill()
        process.wait(10)


def _authtoken(site: Site, by_region: bool, token_cache_time: int) -> str:
    lines = [
        "[keystone_authtoken]",
        f"www_authenticate_uri = {ENTRY}",
        f"auth_url = {ENTRY}",
        "auth_type = password",
        "username = nova",
        f"password = {passwords().service}",
        "project_name = service",
        "user_domain_name = Default",
        "project_domain_name = Default",
        "interface = internal",
        f"token_cache_time = {token_cache_time}",
        "service_token_roles = service",
        "service_token_roles_required = true",
    ]
    return "\n".join([*lines, *([f"region_name = {site.region}"] if by_region else [])]) + "\n"


class Asked:
    """Who asked which Keystone about tokens since this was made."""

    def __init__(self) -> None:
        self._marks = {name: access.mark(site) for name, site in ALL_SITES.items()}

    def validations(self, at_least: int) -> list[tuple[str, str]]:
        """(site that asked, site that was asked) of every validation by something inside a site.

        A Keystone notes a request after it has answered it: waits for so many, and a moment for more.
        """
        until(lambda: len(self._noted()) >= at_least, f"{at_least} validations noted", 5)
        time.sleep(0.5)
        return self._noted()

    def _noted(self) -> list[tuple[str, str]]:
        return [
            (request.client_site, name)
            for name, mark in self._marks.items()
            for request in access.since(ALL_SITES[name], mark)
            if request.is_validation and request.client_site != "core"
        ]


if __name__ == "__main__":
    print(copies())
    sys.exit(0 if in_step() else 1)
