"""Storages that replicate, for processes that do not hold the sites: asked over a socket of this machine.

The simulated ones are where the sites are; a process of the service finds in its folder where to ask for them.
"""

from __future__ import annotations

import contextlib
import copy
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any, cast

from multisite.clouds.mirror.backend import MirrorBackend
from multisite.domain.manifest import Manifest
from multisite.recovery.methods.volume_replication.payload import copy_of
from multisite_lab.sim.world import World
from tests.sim.mirror import Mirrored, SimulatedMirror, simulated_mirrors

FILE, KEY = "mirrors.json", b"mirrors of the matrix"
METHOD = "volume-replication"
CHANGES = ("enable", "disable", "send", "set_note", "promote", "demote", "roll_back", "rename", "resync")
CALLS = ("info", "image", "names", "enabled_by", "note", *CHANGES)
Images = dict[str, dict[str, Mirrored]]


def _asking(name: str) -> Any:
    def call(self: RemoteMirror, *args: Any, **named: Any) -> Any:
        return self.ask(name, args, named)

    return call


class RemoteMirror:
    """``MirrorBackend``, of a process that is given its storages by another one."""

    def __init__(self, port: int, site: str, host: str) -> None:
        self.site, self.host, self._address = site, host, ("127.0.0.1", port)

    def ask(self, name: str, args: Any, named: Any) -> Any:
        with Client(self._address, authkey=KEY) as server:
            server.send((self.site, name, args, named))
            fine, answer = server.recv()
        if fine:
            return answer
        kind, words, fields = answer
        error = kind.__new__(kind)
        error.args = words
        vars(error).update(fields)
        raise error


for _name in CALLS:
    setattr(RemoteMirror, _name, _asking(_name))


def found_in(folder: Path) -> dict[str, MirrorBackend]:
    """The storages whoever holds the sites has told of there; none without."""
    if not (folder / FILE).exists():
        return {}
    told = json.loads((folder / FILE).read_text())
    return {
        site: cast("MirrorBackend", RemoteMirror(told["port"], site, host))
        for site, host in told["hosts"].items()
    }


@contextmanager
def served(world: World, folder: Path, images: Images) -> Iterator[dict[str, SimulatedMirror]]:
    """The storages of two sites, as they were put aside, asked by processes that have ``folder``."""
    mirrors = simulated_mirrors(world)
    restore(mirrors, images)
    lock = threading.Lock()

    def answer(connection: Connection) -> None:
        with connection, contextlib.suppress(EOFError, OSError):  # it was killed
            site, name, args, named = connection.recv()
            try:
                with lock:
                    told: tuple[bool, Any] = True, getattr(mirrors[site], name)(*args, **named)
            except Exception as error:
                told = False, (type(error), error.args, vars(error))  # errors of sites cannot be pickled
            connection.send(told)

    def serve() -> None:
        while True:
            try:
                connection = listener.accept()
            except (EOFError, ConnectionError):
                continue  # whoever asked was killed
            except OSError:
                return  # closed
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    with Listener(("127.0.0.1", 0), authkey=KEY) as listener:
        hosts = {site: mirror.host for site, mirror in mirrors.items()}
        (folder / FILE).write_text(json.dumps({"port": listener.address[1], "hosts": hosts}))
        threading.Thread(target=serve, name="mirrors", daemon=True).start()
        yield mirrors


def saved(mirrors: Mapping[str, SimulatedMirror]) -> Images:
    return {site: copy.deepcopy(mirror.images) for site, mirror in mirrors.items()}


def restore(mirrors: Mapping[str, SimulatedMirror], images: Images) -> None:
    for site, mirror in mirrors.items():
        mirror.images = copy.deepcopy(images.get(site, {}))


def images_of(mirrors: Mapping[str, SimulatedMirror]) -> dict[str, list[Any]]:
    """By site, without ids: which images are primary, by force, and how many snapshots they have."""
    found = {}
    for site, mirror in mirrors.items():
        images = mirror.images.values()
        found[site] = sorted((i.primary, i.forced, len(i.snapshots), str(i.mode)) for i in images)
    return found


def is_replicated(manifest: Manifest) -> bool:
    return any(v.payload is not None and v.payload.method == METHOD for v in manifest.volumes)


def kept_snapshots(manifests: list[Manifest]) -> set[str]:
    """Ids of snapshots that stay with restore points."""
    return {copy_of(v).snapshot_id for m in manifests if is_replicated(m) for v in m.volumes}


def copied_data(mirror: SimulatedMirror, manifest: Manifest) -> dict[str, str]:
    """By server: "as marked" when the copies hold its disks of one moment, of the restore point."""
    found = {}
    for server in manifest.servers:
        moments = set()
        for volume in (manifest.volume(volume_id) for volume_id in server.volume_ids):
            copied = copy_of(volume)
            image = mirror.images.get(copied.global_id)
            content = image.snapshots.get(f"snapshot-{copied.snapshot_id}") if image else None
            moments.add((content.seed, content.seq, content.sum) if content else None)
        fine = len(moments) == 1 and None not in moments
        found[server.name] = (
            "as marked" if fine else f"the copies are of {len(moments)} moments, or not there"
        )
    return found
