"""A whole deployment, from the files `render` wrote and by the steps of its RUNBOOK."""

from __future__ import annotations

import json
import os
import secrets as random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests
from cryptography.fernet import Fernet
from identity.nodes import Guardian, Node, addresses, until, wipe

from multisite.domain.findings import Finding
from multisite.identity import secrets
from multisite.identity.check import run
from multisite.identity.render import names
from multisite.identity.render.keystone import CATALOG_CACHE_TIME
from multisite.identity.render.names import Store
from multisite.identity.topology import file as topology_file
from multisite.identity.topology import rules as topology_rules
from multisite.identity.topology.model import IdentitySite, Role, TokenProvider, Topology
from multisite_lab import paths

OPENSTACK = Path(sys.executable).with_name("openstack")
PROGRAMS = paths.openstack_venv() / "bin"
USER_PASSWORD = "pw-of-a-user"


class Stage:
    def __init__(self, folder: Path, text: str, guardian: Guardian) -> None:
        self.folder = folder
        self.file = folder / "topology.yaml"
        self.file.write_text(text)
        self.topology: Topology = topology_file.parsed(text)
        self.passwords = {name: random.token_urlsafe(16) for name in secrets.NAMES}
        self.secrets = folder / "secrets.yaml"
        self.secrets.touch(mode=0o600)
        self.secrets.write_text("".join(f"{name}: {value}\n" for name, value in self.passwords.items()))
        self.tree = folder / "tree"
        self._empty = folder / "empty"
        self._guardian = guardian
        self.nodes: dict[str, Node] = {}
        self.cli(
            "multisite",
            "identity",
            "render",
            self.file,
            "--to",
            self.tree,
            "--secrets",
            self.secrets,
            login=False,
        )

    # --- what there is

    def node(self, site: str, name: str) -> Node:
        key = f"{site}/{name}"
        if key not in self.nodes:
            self.nodes[key] = Node(self.tree / key, self._guardian)
        return self.nodes[key]

    def store(self, site: str, place: int = 1) -> Store:
        return names.stores(self.topology, self.topology.site(site))[place - 1]

    def sql(self, site: str, statement: str, place: int = 1) -> str:
        """By the server's root, at its socket."""
        return self.node(site, f"database-{place}").run("mariadb", "-N", text=statement).strip()

    @property
    def keystones(self) -> list[IdentitySite]:
        return [site for site in self.topology.sites if site.role != Role.CLIENT]

    # --- the RUNBOOK

    def deploy(self) -> None:
        began = time.monotonic()
        self._deploy()
        print(f"{self.topology.name} runs after {time.monotonic() - began:.0f} s")

    def _deploy(self) -> None:
        sites = self.topology.sites
        wanted = [s.address for s in sites] + [d.address for s in sites for d in s.databases]
        wanted.append(topology_rules.entry_address(self.topology)[0])
        if self.topology.arbitrator:
            wanted.append(self.topology.arbitrator.address)
        addresses(wanted)
        self._masters()
        self._schema_and_keys()
        for site in self.topology.replicas:
            for store in names.stores(self.topology, site):
                self._replica(store)
        for site in self.keystones:
            self.start_keystone(site)
        self._entry()
        self._catalog()

    def _masters(self) -> None:
        stores = [store for site in self.topology.masters for store in names.stores(self.topology, site)]
        for index, store in enumerate(stores):
            self._data(store)
            self.start_database(store, *(["--wsrep-new-cluster"] if index == 0 else []))
        if self.topology.arbitrator:
            garb = self.node(self.topology.arbitrator.site, "arbitrator")
            garb.start("garb", "/usr/bin/garb-systemd", "start")
        first = stores[0]
        votes = str(len(stores) + bool(self.topology.arbitrator))
        until(lambda: self.status(first, "wsrep_cluster_size") == votes, 120, f"a cluster of {votes}")
        self._script(first, "accounts.sql")

    def _data(self, store: Store) -> None:
        """An empty server's files, made once: they are the same for all."""
        node = self.node(store.site.name, store.node)
        if not self._empty.exists():
            options = ("--user=mysql", "--auth-root-socket-user=root", "--skip-test-db")
            shutil.chown(node.folder / "state", "mysql", "mysql")
            node.run("mariadb-install-db", "--no-defaults", "--datadir=/var/lib/mysql", *options)
            subprocess.run(["cp", "-a", str(node.folder / "state"), str(self._empty)], check=True)
        else:
            subprocess.run(["cp", "-aT", str(self._empty), str(node.folder / "state")], check=True)
        # As Debian's packages do: as root, rsync of a state transfer would drop to a user that cannot write.
        shutil.chown(node.folder / "run/mysqld", "mysql", "mysql")

    def start_database(self, store: Store, *options: str) -> None:
        node = self.node(store.site.name, store.node)
        node.start("mariadbd", "/usr/sbin/mariadbd", "--user=mysql", *options)
        until(
            lambda: not node.alive("mariadbd") or self._ready(store),
            240,
            f"{store.node} of {store.site.name}",
        )
        assert node.alive("mariadbd"), node.said("mariadbd")

    def _ready(self, store: Store) -> bool:
        try:
            if store.source is None:
                return self.status(store, "wsrep_local_state_comment") == "Synced"
            return self.sql(store.site.name, "SELECT 1", int(store.node[-1])) == "1"
        except AssertionError:
            return False

    def status(self, store: Store, name: str) -> str:
        found = self.sql(store.site.name, f"SHOW GLOBAL STATUS LIKE '{name}'", int(store.node[-1]))
        return found.partition("\t")[2]

    def _script(self, store: Store, name: str, *options: str) -> None:
        node = self.node(store.site.name, store.node)
        node.run("mariadb", *options, text=(node.folder / "root/identity" / name).read_text())

    def _replica(self, store: Store) -> None:
        assert store.database.follows is not None
        self._data(store)
        self.start_database(store)
        masters = names.stores(self.topology, self.topology.site(store.database.follows))
        source = next(master for master in masters if master.database == store.source)
        dump = ("--single-transaction", "--master-data=1", "--gtid", "--databases", "keystone")
        copy = self.node(source.site.name, source.node).run("mariadb-dump", *dump)
        self._script(store, "replica-1-prepare.sql")
        self.node(store.site.name, store.node).run("mariadb", "--init-command=SET sql_log_bin=0", text=copy)
        self._script(store, "replica-2-follow.sql")

    def _schema_and_keys(self) -> None:
        first, *others = self.keystones
        # Where Keystone has a door to its databases, keystone-manage goes through it too.
        self._doors(first)
        jws = self.topology.tokens.provider == TokenProvider.JWS
        self.manage(first, "db_sync")
        shared = ["fernet-receipt-keys", "credential-keys", *([] if jws else ["fernet-keys"])]
        for name in shared:
            _new_keys(self._keystone_folder(first) / name)
        if jws:  # Keystone does not start, not even to be bootstrapped, without its pair
            self._key_pairs()
        entry = self.topology.entry
        self.manage(
            first, "bootstrap", "--bootstrap-region-id", first.region, "--bootstrap-public-url", entry,
            "--bootstrap-admin-url", entry, "--bootstrap-internal-url", first.url,
            environment={"OS_BOOTSTRAP_PASSWORD": self.passwords["admin"]},
        )  # fmt: skip
        home = self._keystone_folder(first)
        for other in others:
            for name in shared:
                shutil.copytree(home / name, self._keystone_folder(other) / name)

    def _key_pairs(self) -> None:
        """Each Keystone makes its own; only public keys go round, under names of their own."""
        for site in self.keystones:
            folder = self._keystone_folder(site) / "jws-keys"
            (folder / "public").mkdir(parents=True)
            (folder / "private").mkdir(mode=0o700)
            make = f"{PROGRAMS}/keystone-manage create_jws_keypair --keystone-user root --keystone-group root"
            move = f"mv public.pem ../public/{site.name}.pem"
            node = self.node(site.name, "keystone")
            node.run("sh", "-ec", f"cd /etc/keystone/jws-keys/private\n{make}\n{move}")
        for site in self.keystones:
            for other in self.keystones:
                if other != site:
                    public = self._keystone_folder(site) / f"jws-keys/public/{site.name}.pem"
                    shutil.copy(public, self._keystone_folder(other) / "jws-keys/public")

    def _keystone_folder(self, site: IdentitySite) -> Path:
        return self.node(site.name, "keystone").folder / "etc/keystone"

    def manage(self, site: IdentitySite, *arguments: str, environment: dict[str, str] | None = None) -> None:
        node = self.node(site.name, "keystone")
        try:
            node.run(PROGRAMS / "keystone-manage", *arguments, environment=environment)
        except AssertionError as error:  # what went wrong is only in the log
            log = node.folder / "log/keystone/keystone.log"
            raise AssertionError(
                f"{error}: {log.read_text()[-2000:] if log.exists() else 'no log'}"
            ) from None

    def _doors(self, site: IdentitySite) -> None:
        node = self.node(site.name, "keystone")
        if names.has_proxy(site) and "haproxy" not in node._running:
            node.start("haproxy", "/usr/sbin/haproxy", "-db", "-f", "/etc/haproxy/haproxy.cfg")
            if len(site.databases) > 1:
                until(lambda: listens("127.0.0.1", names.LOCAL_DATABASE_PORT), 60, f"the door of {site.name}")

    def start_keystone(self, site: IdentitySite) -> None:
        node = self.node(site.name, "keystone")
        for server in site.memcached:
            host, _, port = server.partition(":")
            node.start("memcached", "memcached", "-u", "root", "-m", "16", "-l", host, "-p", port)
        self._doors(site)
        node.start("keystone", PROGRAMS / "uwsgi", "--ini", "/etc/keystone/keystone-uwsgi.ini")
        url = f"http://{site.address}:{names.keystone_port(site)}/v3"
        until(lambda: not node.alive("keystone") or answers(url), 400, f"Keystone of {site.name}")
        assert node.alive("keystone"), node.said("keystone")

    def _entry(self) -> None:
        if topology_rules.entry_site(self.topology) is None:
            node = self.node(self.topology.masters[0].name, "entry")
            node.start("haproxy", "/usr/sbin/haproxy", "-db", "-f", "/etc/haproxy/haproxy.cfg")
            until(lambda: answers(self.topology.entry), 120, "the entry")

    def _catalog(self) -> None:
        environment = os.environ | self.login() | {"PATH": f"{OPENSTACK.parent}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["sh", str(self.tree / "catalog.sh")],
            env=environment,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert not done.returncode, done.stdout + done.stderr
        if not all(site.memcached for site in self.keystones):
            time.sleep(
                CATALOG_CACHE_TIME + 1
            )  # each process has a cache of its own, and learns it by forgetting

    def down(self) -> None:
        for node in list(self.nodes.values())[::-1]:
            node.stop_all()

    # --- as an operator

    def login(self) -> dict[str, str]:
        return {
            "OS_AUTH_TYPE": "password", "OS_AUTH_URL": self.topology.entry, "OS_USERNAME": "admin",
            "OS_PASSWORD": self.passwords["admin"], "OS_PROJECT_NAME": "admin", "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default", "OS_IDENTITY_API_VERSION": "3",
        }  # fmt: skip

    def cli(self, *arguments: str | Path, login: bool = True, status: int = 0) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        done = subprocess.run(
            [OPENSTACK, *arguments], env=environment | (self.login() if login else {}), cwd=self.folder,
            capture_output=True, text=True, timeout=900,
        )  # fmt: skip
        assert done.returncode == status, (
            f"{arguments}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
        return done.stdout

    def check(self, *options: str | Path, status: int = 0, login: bool = True) -> list[dict[str, str]]:
        """The findings of `check`, which must end with this status."""
        all_of_it = ("--secrets", self.secrets, "--configs", self.tree, "-f", "json")
        command = ("multisite", "identity", "check", self.file, *all_of_it, *options)
        found: list[dict[str, str]] = json.loads(self.cli(*command, status=status, login=login))
        return found

    def findings(self, area: str, **options: Any) -> list[Finding]:
        """As `check`, without the shell around it."""
        sites = frozenset(site.name for site in self.topology.sites)
        known = secrets.read(self.secrets)
        wanted = {"secrets": known, "configs": self.tree, "login": self.admin_token} | options
        return run.findings(self.topology, run.Scope(sites, frozenset({run.Area(area)}), **wanted))

    # --- as a user

    def identity(self, method: str, path: str, **body: Any) -> Any:
        """A request to the identity API as administrator; the answer's content."""
        headers = {"X-Auth-Token": self.admin_token()}
        answer = requests.request(
            method, f"{self.topology.entry}/{path}", headers=headers, json=body or None, timeout=120
        )
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def user(self, name: str) -> None:
        """A new user with a role, that never logged in."""
        new = {"name": name, "password": USER_PASSWORD, "domain_id": "default"}
        user = self.identity("POST", "users", user=new)["user"]["id"]
        (role,) = self.identity("GET", "roles?name=member")["roles"]
        (project,) = self.identity("GET", "projects?name=admin")["projects"]
        self.identity("PUT", f"projects/{project['id']}/users/{user}/roles/{role['id']}")

    def admin_token(self) -> str:
        return logged_in(self.topology.entry, "admin", self.passwords["admin"])


@contextmanager
def deployed(text: str, guardian: Guardian) -> Iterator[Stage]:
    """A topology's deployment, running; gone afterwards, its files too unless MULTISITE_KEEP is set."""
    # In memory: what is proven here is not the disk. Short: sockets have their place in it.
    folder = Path(tempfile.mkdtemp(prefix="ms-identity-", dir="/dev/shm"))
    stage = Stage(folder, text, guardian)
    try:
        stage.deploy()
        yield stage
    finally:
        stage.down()
        if not os.environ.get("MULTISITE_KEEP"):
            wipe(folder)


def _new_keys(folder: Path) -> None:
    """What `keystone-manage ..._setup` makes, without its start-up time: the staged key and the one in use."""
    folder.mkdir(mode=0o700)
    for name in ("0", "1"):
        (folder / name).write_bytes(Fernet.generate_key())


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=20).status_code == 200
    except requests.RequestException:
        return False


def listens(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 5).close()
    except OSError:
        return False
    return True


def logged_in(url: str, user: str, password: str) -> str:
    """A token, as soon as there is one: a machine with other work makes proxies and their checks wait.

    A connection that is cut is none yet: a proxy cuts those that lead to what has just died.
    """

    def issued() -> Any:
        with suppress(requests.ConnectionError):
            if (got := issue(url, user, password)).status_code == 201:
                return got
        return None

    return str(until(issued, 180, "a token").headers["X-Subject-Token"])


def issue(url: str, user: str, password: str) -> Any:
    """POST /v3/auth/tokens."""
    who = {"name": user, "domain": {"id": "default"}, "password": password}
    identity = {"methods": ["password"], "password": {"user": who}}
    scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
    return requests.post(
        f"{url}/auth/tokens", json={"auth": {"identity": identity, "scope": scope}}, timeout=120
    )


def validate(url: str, token: str, asker: str) -> int:
    return requests.get(f"{url}/auth/tokens", headers=_tokens(token, asker), timeout=120).status_code


def revoke(url: str, token: str, asker: str) -> int:
    return requests.delete(f"{url}/auth/tokens", headers=_tokens(token, asker), timeout=120).status_code


def refused(request: Callable[[], Any]) -> bool:
    """Whether Keystone failed with 500.  uWSGI then closes the connection without an answer (its log has the 500)."""
    try:
        answer = request()
    except requests.ConnectionError as error:  # not one that found nobody
        return "without response" in str(error)
    return (answer if isinstance(answer, int) else answer.status_code) == 500


def _tokens(token: str, asker: str) -> dict[str, str]:
    return {"X-Auth-Token": asker, "X-Subject-Token": token}
