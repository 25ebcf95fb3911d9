"""An object store of one's own that speaks S3 and Swift: Ceph with its RADOS gateway, outside of every site.

One monitor, one manager, one OSD and one gateway, no cephx.  It runs where its maker says (a network namespace of the
tests, the core of the lab), keeps everything in one folder, and is stopped by its process ids.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from multisite_lab import ceph, install, process
from multisite_lab.model import LabError
from multisite_lab.passwords import write_private

PACKAGES = ("ceph-mon", "ceph-mgr", "ceph-osd", "ceph-common", "python3-rados", "radosgw")
PORT = 7480
KMS_KEY = "multisite-test"
"""A key of the gateway's testing key service: Pacific knows no SSE-S3, only SSE-KMS."""
USER, SUBUSER = "backup", "backup:swift"
START_SECONDS = 180.0
_DAEMONS = ("mon", "osd", "mgr", "rgw")
_CONFIG = """[global]
fsid = {fsid}
mon_host = [v2:{address}:3300,v1:{address}:6789]
public_addr = {address}
cluster_addr = {address}
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 2
osd_pool_default_pgp_num = 2
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
mon_data = {folder}/mon
mgr_data = {folder}/mgr
osd_data = {folder}/osd
rgw_data = {folder}/rgw
log_file = {folder}/$name.log
mon_cluster_log_file = {folder}/cluster.log
run_dir = {folder}
admin_socket = {folder}/$name.$pid.asok
pid_file = {folder}/$name.pid
mgr_initial_modules =
[mon]
mon_data_avail_crit = 1
mon_data_avail_warn = 2
[osd]
osd_objectstore = {kind}
memstore_device_bytes = 4294967296
bluestore_block_size = 21474836480
bluestore_block_db_create = false
bluestore_block_wal_create = false
bluestore_cache_autotune = false
bluestore_cache_size = 67108864
osd_memory_target = 939524096
osd_op_num_shards = 2
osd_op_num_threads_per_shard = 1
bluestore_fsck_on_mount = false
[client]
# The gateway asks for encryption to the monitor unless told otherwise, which there is not without cephx.
ms_mon_client_mode = crc
rgw_frontends = beast endpoint={address}:{port}
rgw_thread_pool_size = 32
rgw_swift_url = http://{address}:{port}
rgw_swift_versioning_enabled = true
rgw_dynamic_resharding = false
rgw_crypt_require_ssl = false
rgw_crypt_s3_kms_backend = testing
rgw_crypt_s3_kms_encryption_keys = {kms_key}=YmluQm9vc3QxMGJpbkJvb3N0MTBiaW5Cb29zdDEwMDE=
rgw_lc_debug_interval = 0
"""


@dataclass(frozen=True)
class Account:
    """Who owns what is kept there: the keys of S3, and user and key of Swift's first kind of login."""

    access_key: str
    secret_key: str
    swift_user: str
    swift_key: str


class ObjectStoreServer:
    """``prefix``: of every command, for the namespace it runs in.  ``durable``: on disk, not in memory.

    ``watch`` is told each process group, for who ends what a killed maker leaves.
    """

    def __init__(
        self,
        folder: Path,
        address: str = "127.0.0.1",
        prefix: Sequence[str] = (),
        *,
        durable: bool = False,
        watch: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.folder, self.address, self._prefix = folder, address, tuple(prefix)
        self._durable, self._watch = durable, watch

    @property
    def url(self) -> str:
        """Where S3 is; Swift's login is ``/auth/v1.0`` below it."""
        return f"http://{self.address}:{PORT}"

    @property
    def account(self) -> Account:
        return Account(**json.loads((self.folder / "account.json").read_text()))

    def start(self) -> None:
        """Make it unless it was made, start what does not run; returns when the gateway answers."""
        install.ensure_packages(*PACKAGES)
        self._configure()
        try:
            self._start("mon", "/usr/bin/ceph-mon", "-i", "a")
            self._ceph({"prefix": "status"})
            self._disk()
            self._start("osd", "/usr/bin/ceph-osd", "-i", "0")
            self._start("mgr", "/usr/bin/ceph-mgr", "-i", "x")
            self._ceph({"call": "wait_osd"})
            self._owner()
            self.start_gateway()
        except (RuntimeError, TimeoutError) as error:
            raise LabError(f"the object store in {self.folder} did not start: {error}") from error

    def start_gateway(self) -> None:
        """The gateway alone, after ``kill``."""
        self._start("rgw", "/usr/bin/radosgw", "-n", "client.rgw.a")
        process.wait_until(self.answers, "the gateway answers", START_SECONDS)

    def answers(self) -> bool:
        """Whether the gateway takes requests, asked in its namespace."""
        code = f"import urllib.request as u; u.urlopen('{self.url}', timeout=2)"
        return (
            subprocess.run([*self._prefix, "/usr/bin/python3", "-c", code], capture_output=True).returncode
            == 0
        )

    def signal(self, number: signal.Signals) -> None:
        """Send the gateway a signal: SIGSTOP makes it silent, SIGKILL ends it in the middle of requests."""
        found = process.Record.load(self._record("rgw"))
        if found is None or not found.alive():
            raise LabError("the gateway does not run")
        os.kill(found.pid, number)

    def kill(self) -> None:
        """End the gateway without a word, and wait until it is gone."""
        process.end_detached(self._record("rgw"))

    def stop(self) -> None:
        """End all of it; what is on disk stays."""
        for name in reversed(_DAEMONS):
            process.end_detached(self._record(name))

    def running(self) -> bool:
        """Whether all of its programs run."""
        found = (process.Record.load(self._record(name)) for name in _DAEMONS)
        return all(record is not None and record.alive() for record in found)

    def administer(self, *arguments: str) -> str:
        """Run radosgw-admin; its output."""
        return self._run("/usr/bin/radosgw-admin", *arguments, "-n", "client.rgw.a", *self._common[1:])

    @property
    def _config(self) -> Path:
        return self.folder / "ceph.conf"

    @property
    def _common(self) -> tuple[str, ...]:
        return ("-f", "-c", str(self._config))

    def _record(self, name: str) -> Path:
        return self.folder / f"{name}.process"

    def _configure(self) -> None:
        for name in _DAEMONS:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        fsid = self.folder / "fsid"
        if not fsid.exists():
            fsid.write_text(str(uuid.uuid4()))
        text = _CONFIG.format(
            fsid=fsid.read_text(), address=self.address, folder=self.folder, port=PORT, kms_key=KMS_KEY,
            kind="bluestore" if self._durable else "memstore",
        )  # fmt: skip
        self._config.write_text(text)
        if not (self.folder / "mon" / "store.db").is_dir():
            address, monmap = f"[v2:{self.address}:3300,v1:{self.address}:6789]", str(self.folder / "monmap")
            self._run(
                "monmaptool",
                "--create",
                "--clobber",
                "--fsid",
                fsid.read_text(),
                "--addv",
                "a",
                address,
                monmap,
            )
            self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "-c", str(self._config))

    def _disk(self) -> None:
        done = self.folder / "formatted"
        if done.exists():
            return
        identity = str(uuid.uuid5(uuid.UUID((self.folder / "fsid").read_text()), "osd.0"))
        self._ceph({"prefix": "osd new", "uuid": identity})
        self._run("ceph-osd", "-i", "0", "-c", str(self._config), "--mkfs", "--osd-uuid", identity)
        done.touch()

    def _owner(self) -> None:
        done = self.folder / "account.json"
        if done.exists():
            return
        made = Account(secrets.token_hex(10), secrets.token_hex(20), SUBUSER, secrets.token_hex(16))
        keys = ("--access-key", made.access_key, "--secret-key", made.secret_key)
        self.administer("user", "create", "--uid", USER, "--display-name", USER, *keys)
        swift = (
            "--subuser",
            SUBUSER,
            "--access",
            "full",
            "--secret-key",
            made.swift_key,
            "--key-type",
            "swift",
        )
        self.administer("subuser", "create", "--uid", USER, *swift)
        write_private(done, json.dumps(asdict(made)))

    def _start(self, name: str, *command: str) -> None:
        found = process.Record.load(self._record(name))
        if found is None or not found.alive():
            started = [*self._prefix, *command, *self._common]
            self._watch(process.detach(started, self.folder / f"{name}.out", self._record(name)).pid)

    def _ceph(self, *steps: dict[str, str]) -> None:
        ceph.admin(*steps, config=self._config, prefix=self._prefix)

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            [*self._prefix, *command], capture_output=True, text=True, timeout=START_SECONDS
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {(done.stderr or done.stdout).strip()[-500:]}")
        return done.stdout
