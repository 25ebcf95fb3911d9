"""A real MariaDB (alone, as an asynchronous replica, or as a Galera node), garbd and Keystone in a site."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.identity.site_networks import SiteNetworks, checked, wait_for
from multisite_lab import paths

PACKAGES = ("mariadb-server", "galera-4", "galera-arbitrator-4", "rsync", "ethtool", "iproute2", "openssl")
HEARTBEAT_SECONDS = 2
_GALERA = "/usr/lib/galera/libgalera_smm.so"
_PASSWORD = "only-inside-this-namespace"


@dataclass(frozen=True)
class Node:
    """A MariaDB server; ``number`` is its server id."""

    networks: SiteNetworks
    name: str
    site: str
    number: int

    @property
    def data(self) -> Path:
        return self.networks.folder / self.name

    @property
    def socket(self) -> Path:
        return self.networks.folder / f"{self.name}.sock"

    def start(self, *more: str) -> None:
        """Returns when it answers."""
        folder = self.networks.folder
        options = (
            "--no-defaults", "--user=mysql", f"--datadir={self.data}", f"--socket={self.socket}",
            f"--pid-file={folder / self.name}.pid", "--bind-address=0.0.0.0", "--port=3306", "--skip-name-resolve",
            f"--server-id={self.number}", f"--gtid-domain-id={100 + self.number}", "--binlog-format=ROW",
            "--innodb-autoinc-lock-mode=2", f"--log-bin={self.data}/binlog", "--log-slave-updates=ON",
            "--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0", "--performance-schema=OFF",
            "--innodb-buffer-pool-size=48M", "--innodb-log-file-size=16M", "--character-set-server=utf8mb4",
            f"--log-error={folder / self.name}.err",
        )  # fmt: skip
        self.networks.start(self.name, self.site, ("/usr/sbin/mariadbd", *options, *more))
        wait_for(self.name, lambda: self.networks.require(self.name) and self.answers("SELECT 1"))

    def start_galera(self, first: bool, members: tuple[str, ...]) -> None:
        """A node of the cluster over the sites ``members``; returns when it is synced."""
        own = self.networks.address(self.site)
        everybody = ",".join(self.networks.address(site) for site in members)
        provider = (
            f"base_host={own};gmcast.listen_addr=tcp://{own}:4567;ist.recv_addr={own}:4568;ist.recv_bind={own};"
            f"gmcast.segment={self.number};gcache.size=16M"
        )
        self.start(
            "--wsrep-on=ON", f"--wsrep-provider={_GALERA}", "--wsrep-cluster-name=keystone",
            f"--wsrep-cluster-address=gcomm://{everybody}", f"--wsrep-node-name={self.name}",
            f"--wsrep-node-address={own}", "--wsrep-sst-method=rsync", f"--wsrep-sst-receive-address={own}:4444",
            "--wsrep-gtid-mode=ON", "--wsrep-gtid-domain-id=10", f"--wsrep-provider-options={provider}",
            *(("--wsrep-new-cluster",) if first else ()),
        )  # fmt: skip
        wait_for(
            f"{self.name} synced",
            lambda: "Synced" in self.sql("SHOW STATUS LIKE 'wsrep_local_state_comment'"),
        )

    def follow(self, master: Node) -> None:
        """Copy the master's Keystone database and follow it asynchronously, by GTID."""
        dump = checked(
            ["mariadb-dump", "--no-defaults", "-S", str(master.socket), "--single-transaction", "--master-data=1",
             "--gtid", "--databases", "keystone"]
        )  # fmt: skip
        self.sql("RESET MASTER; SET GLOBAL gtid_slave_pos='';")
        self.sql("SET sql_log_bin=0;\n" + dump)
        where = f"MASTER_HOST='{self.networks.address(master.site)}', MASTER_PORT=3306"
        self.sql(
            f"CHANGE MASTER TO {where}, MASTER_USER='repl', MASTER_PASSWORD='{_PASSWORD}', "
            f"MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD={HEARTBEAT_SECONDS}; "
            "START SLAVE;"
        )
        wait_for(f"{self.name} follows", lambda: "ON" in self.sql("SHOW STATUS LIKE 'Slave_running'"))

    def accounts(self) -> None:
        """The database and accounts of Keystone and of replicas."""
        self.sql(
            "CREATE DATABASE keystone CHARACTER SET utf8mb3;"
            f"CREATE USER keystone@'%' IDENTIFIED BY '{_PASSWORD}'; GRANT ALL ON keystone.* TO keystone@'%';"
            f"CREATE USER repl@'%' IDENTIFIED BY '{_PASSWORD}'; GRANT REPLICATION SLAVE ON *.* TO repl@'%';"
        )

    def sql(self, text: str) -> str:
        return checked(["mariadb", "--no-defaults", "--skip-column-names", "-S", str(self.socket)], text)

    def answers(self, text: str) -> bool:
        command = ["mariadb", "--no-defaults", "-S", str(self.socket), "-e", text]
        return subprocess.run(command, capture_output=True, timeout=30).returncode == 0


def initialize(nodes: list[Node]) -> None:
    """Empty data folders, made once and copied; its user owns them and their folder, as state transfer needs."""
    first, *others = nodes
    first.networks.folder.chmod(0o755)
    shutil.chown(first.networks.folder, "mysql", "mysql")
    checked(
        ["mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={first.data}", "--skip-test-db",
         "--auth-root-authentication-method=socket"]
    )  # fmt: skip
    for other in others:
        checked(["cp", "-a", str(first.data), str(other.data)])


def start_garbd(networks: SiteNetworks, site: str, members: tuple[str, ...], segment: int) -> None:
    """A member of the cluster without data."""
    own = networks.address(site)
    everybody = ",".join(networks.address(m) for m in members)
    options = f"base_host={own};gmcast.listen_addr=tcp://{own}:4567;gmcast.segment={segment}"
    command = ("garbd", "--address", f"gcomm://{everybody}", "--group", "keystone", "--options", options)
    networks.start(f"garbd-{site}", site, (*command, "--name", f"arb-{site}"))


@dataclass(frozen=True)
class Keystone:
    """``provider``: fernet or jws."""

    networks: SiteNetworks
    site: str
    provider: str = "fernet"

    @property
    def url(self) -> str:
        return f"http://{self.networks.address(self.site)}:5000/v3"

    @property
    def _folder(self) -> Path:
        return self.networks.folder / "keystone"

    def configure(self) -> None:
        """Write its configuration; the caches are those of a topology with a cache time of 2 s."""
        self._folder.mkdir(exist_ok=True)
        fernet, credential = self._folder / "fernet", self._folder / "credential"
        (self._folder / "keystone.conf").write_text(
            f"[DEFAULT]\nuse_stderr = false\nlog_file = {self.networks.folder}/keystone.log\n"
            f"[database]\nconnection = mysql+pymysql://keystone:{_PASSWORD}@127.0.0.1/keystone\n"
            "[cache]\nenabled = true\nbackend = dogpile.cache.memory\n"
            f"[token]\nprovider = {self.provider}\nexpiration = 3600\ncache_time = 2\n"
            "[revoke]\ncache_time = 2\n[role]\ncache_time = 2\n"
            "[identity]\ncache_time = 2\npassword_hash_rounds = 4\n"
            f"[fernet_tokens]\nkey_repository = {fernet}\n[fernet_receipts]\nkey_repository = {fernet}\n"
            f"[credential]\nkey_repository = {credential}\n"
            f"[jwt_tokens]\njws_public_key_repository = {self._folder}/public\n"
            f"jws_private_key_repository = {self._folder}/private\n"
        )

    def install(self) -> None:
        """Schema, keys and the first administrator."""
        self.configure()
        for name in ("fernet", "credential", "public", "private"):
            (self._folder / name).mkdir(mode=0o700, exist_ok=True)
        self._manage("db_sync")
        self._manage("fernet_setup", "--keystone-user", "root", "--keystone-group", "root")
        self._manage("credential_setup", "--keystone-user", "root", "--keystone-group", "root")
        self._manage("create_jws_keypair", "--keystone-user", "root", "--keystone-group", "root")
        for half in ("private", "public"):  # it writes where it is run
            (self._folder / f"{half}.pem").rename(self._folder / half / f"{half}.pem")
        urls = [w for kind in ("public", "internal", "admin") for w in (f"--bootstrap-{kind}-url", self.url)]
        region = ("--bootstrap-region-id", "Region001")
        self._manage("bootstrap", *region, *urls, OS_BOOTSTRAP_PASSWORD=_PASSWORD)

    def start(self) -> None:
        """Connections are kept open between requests, as behind haproxy or Apache."""
        self.configure()
        command = (
            f"{paths.openstack_venv()}/bin/uwsgi", "--http11-socket", f"{self.networks.address(self.site)}:5000",
            "--module", "keystone.wsgi.api:application", "--processes", "1", "--threads", "6", "--enable-threads",
            "--lazy-apps", "--need-app", "--die-on-term", "--buffer-size", "65535", "--disable-logging",
            "--so-keepalive", "--socket-timeout", "60",
        )  # fmt: skip
        self.networks.start("keystone", self.site, command, {"OS_KEYSTONE_CONFIG_DIR": str(self._folder)})
        probe = [*self.networks.inside(self.site), "curl", "-sf", "-m", "5", "-o", "/dev/null", self.url]
        wait_for(
            "keystone",
            lambda: (
                self.networks.require("keystone")
                and subprocess.run(probe, capture_output=True).returncode == 0
            ),
        )

    def stop(self) -> None:
        self.networks.stop("keystone")

    def _manage(self, *words: str, **env: str) -> None:
        command = (
            f"{paths.openstack_venv()}/bin/keystone-manage",
            "--config-file",
            str(self._folder / "keystone.conf"),
            *words,
        )
        checked(
            [*self.networks.inside(self.site), *command],
            env=env | {"PYTHONWARNINGS": "ignore"},
            cwd=self._folder,
        )


def password() -> str:
    """Of everybody in here; the namespaces have no way out."""
    return _PASSWORD
