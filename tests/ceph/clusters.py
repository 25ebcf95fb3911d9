"""Two stand-alone Ceph clusters in a network of the tests' own, and an rbd-mirror daemon for each: real, and small."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.identity.nodes import Guardian, until

PACKAGES = ("ceph-mon", "ceph-mgr", "ceph-osd", "ceph-common", "rbd-mirror", "python3-rbd", "python3-rados")
POOL = "volumes"
NAMES = {"paris": "10.92.1.2", "lyon": "10.92.2.2"}
PATIENCE = 600.0
# No cephx, one OSD, no automatism: as the lab's clusters (lab/src/multisite_lab/data/templates/ceph.conf.j2).
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
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
mon_data = {folder}/mon
mgr_data = {folder}/mgr
osd_data = {folder}/osd
log_file = {folder}/$name.log
mon_cluster_log_file = {folder}/cluster.log
run_dir = {folder}
admin_socket = {folder}/$name.$pid.asok
pid_file = {folder}/$name.pid
rbd_default_features = 61
mgr_initial_modules =
[osd]
# What is proven here is not the disk.
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_op_num_shards = 2
osd_op_num_threads_per_shard = 1
[client]
log_file =
"""


class Cluster:
    """One cluster: a monitor, a manager, an OSD, the pool, its rbd-mirror daemon."""

    def __init__(self, name: str, folder: Path, guardian: Guardian) -> None:
        self.name, self.address, self.folder = name, NAMES[name], folder
        self.fsid = str(uuid.uuid4())
        self.conf = folder / "ceph.conf"
        self._guardian = guardian
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        for part in ("mon", "mgr", "osd"):
            (folder / part).mkdir(parents=True)
        self.conf.write_text(_CONFIG.format(fsid=self.fsid, address=self.address, folder=folder))

    def format(self) -> None:
        monmap, common = str(self.folder / "monmap"), ("-c", str(self.conf))
        address = f"[v2:{self.address}:3300,v1:{self.address}:6789]"
        _run("monmaptool", "--create", "--clobber", "--fsid", self.fsid, "--addv", "a", address, monmap)
        _run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, *common)
        self.start("ceph-mon", "-i", "a")
        self.ceph("mon", "stat")
        self.start("ceph-mgr", "-i", "x")
        osd = str(uuid.uuid4())
        self.ceph("osd", "new", osd)
        _run("ceph-osd", "-i", "0", *common, "--mkfs", "--osd-uuid", osd)
        self.start("ceph-osd", "-i", "0")
        self.ceph("osd", "set-require-min-compat-client", "mimic")
        self.ceph("config", "set", "mon", "auth_allow_insecure_global_id_reclaim", "false")
        self.ceph("osd", "pool", "create", POOL, "8")
        self.ceph("osd", "pool", "application", "enable", POOL, "rbd")
        up = lambda: json.loads(self.ceph("osd", "stat", "-f", "json"))["num_up_osds"]  # noqa: E731
        until(up, PATIENCE, f"the OSD of {self.name}")
        self.rbd("mirror", "pool", "enable", POOL, "image", "--site-name", self.name)

    def start(self, program: str, *arguments: str) -> None:
        with (self.folder / f"{program}.out").open("ab") as out:
            # rbd-mirror reads ./ceph.conf when it connects again, whatever -c says.
            process = subprocess.Popen(
                [program, "-f", *arguments, "-c", str(self.conf)],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        self._guardian.watch(process.pid)
        self._running[program] = process

    def start_mirror(self) -> None:
        self.start("rbd-mirror", "--id", "rbd-mirror.a", "--log-file", f"{self.folder}/rbd-mirror.log")

    def signal(self, program: str, number: signal.Signals) -> None:
        self._running[program].send_signal(number)

    def kill(self, program: str) -> None:
        process = self._running.pop(program)
        process.kill()
        process.wait()

    def stop(self) -> None:
        for program in list(self._running)[::-1]:
            self.kill(program)

    def ceph(self, *arguments: str) -> str:
        return _run("ceph", "-c", str(self.conf), *arguments)

    def rbd(self, *arguments: str, data: bytes | None = None) -> str:
        return _run("rbd", "-c", str(self.conf), *arguments, data=data)

    def image(self, name: str, content: bytes, mib: int = 16) -> None:
        self.rbd("create", f"{POOL}/{name}", "--size", str(mib))
        self.write(name, content)

    def write(self, name: str, content: bytes, offset: int = 0) -> None:
        """Through librbd, as a guest does: it is journaled where the image has a journal."""
        code = (
            "import sys, rados, rbd\n"
            "with rados.Rados(conffile=sys.argv[1]) as c, c.open_ioctx(sys.argv[2]) as p,"
            " rbd.Image(p, sys.argv[3]) as i:\n"
            "    i.write(sys.stdin.buffer.read(), int(sys.argv[4])); i.flush()\n"
        )
        _run("/usr/bin/python3", "-c", code, str(self.conf), POOL, name, str(offset), data=content)

    def read(self, name: str, size: int, offset: int = 0) -> bytes:
        code = (
            "import sys, rados, rbd\n"
            "with rados.Rados(conffile=sys.argv[1]) as c, c.open_ioctx(sys.argv[2]) as p,"
            " rbd.Image(p, sys.argv[3], read_only=True) as i:\n"
            "    sys.stdout.buffer.write(i.read(int(sys.argv[4]), int(sys.argv[5])))\n"
        )
        command = ["/usr/bin/python3", "-c", code, str(self.conf), POOL, name, str(offset), str(size)]
        return subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE).stdout


@contextmanager
def two() -> Iterator[tuple[Cluster, Cluster]]:
    """Both clusters, mirrored both ways; gone afterwards, their files too unless MULTISITE_KEEP is set."""
    folder = Path(tempfile.mkdtemp(prefix="ms-ceph-", dir="/dev/shm"))
    guardian = Guardian()
    paris, lyon = (Cluster(name, folder / name, guardian) for name in NAMES)
    try:
        for cluster in (paris, lyon):
            cluster.format()
        token = folder / "token"
        token.write_text(
            paris.rbd("mirror", "pool", "peer", "bootstrap", "create", "--site-name", "paris", POOL)
        )
        importing = ("mirror", "pool", "peer", "bootstrap", "import", "--site-name", "lyon")
        lyon.rbd(*importing, "--direction", "rx-tx", POOL, str(token))
        for cluster in (paris, lyon):
            cluster.start_mirror()
        yield paris, lyon
    finally:
        for cluster in (paris, lyon):
            cluster.stop()
        guardian.end()
        if not os.environ.get("MULTISITE_KEEP"):
            shutil.rmtree(folder)


def _run(*command: str, data: bytes | None = None) -> str:
    done = subprocess.run(command, input=data, capture_output=True, timeout=PATIENCE)
    assert not done.returncode, f"{' '.join(command)}: {done.stderr.decode()[-800:]}"
    return done.stdout.decode()
