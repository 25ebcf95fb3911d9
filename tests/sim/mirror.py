"""A simulated rbd-mirror between two simulated sites, with the contract of ``multisite.clouds.mirror.backend``.

    mirrors = simulated_mirrors(world)            # by site; give it to ``Service``
    mirrors["site2"].stopped = True               # its daemon is gone: nothing arrives
    mirrors["site2"].late.add("volume-...")       # of one image nothing arrives

Snapshots of Cinder are snapshots of the storage.  What is sent arrives when somebody looks at the copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

from multisite.clouds.errors import Unreachable
from multisite.clouds.mirror.backend import MirrorImage, MirrorMode, StorageInfo, StorageRefused
from multisite_lab.sim import guest
from multisite_lab.sim.content import Content
from multisite_lab.sim.model import Image, Sim, new_id
from multisite_lab.sim.world import World

_numbers = count(1)


@dataclass
class Mirrored:
    """What a storage knows of an image beside its content.  ``sent``: mirror snapshots of a primary one, by number what
    they carry; ``forced``: it became primary without the other one stepping down.
    """

    global_id: str
    mode: MirrorMode
    primary: bool
    id: str
    token: str = ""
    note: str = ""
    forced: bool = False
    received: int | None = None
    snapshots: dict[str, Content] = field(default_factory=dict)
    sent: dict[int, tuple[Content, dict[str, Content]]] = field(default_factory=dict)


class SimulatedMirror:
    """See ``backend.MirrorBackend``."""

    def __init__(self, world: World, site: str) -> None:
        self.world, self.site, self.host = world, site, f"{site}@rbd#rbd"
        self.images: dict[str, Mirrored] = {}
        self.peer: SimulatedMirror | None = None
        self.stopped, self.late = False, set[str]()
        self.asked: list[str] = []

    def info(self) -> StorageInfo:
        self._sim("info")
        return StorageInfo(f"storage-{self.site}", "volumes", (self.peer.site,) if self.peer else ())

    def image(self, name: str) -> MirrorImage | None:
        sim = self._sim(f"image {name}")
        self._receive()
        found = self._find(sim, name)
        if found is None:
            return None
        known = self.images.get(found.global_id)
        if known is None:
            return MirrorImage(name, f"id-{name}", 1)
        state = "up+stopped" if known.primary else "down+replaying" if self.stopped else "up+replaying"
        return MirrorImage(
            name, known.id, 1, known.mode, known.global_id, known.primary, state, "", self._snapshots(sim, name, known),
            known.received,
        )  # fmt: skip

    def names(self) -> Mapping[str, str]:
        sim = self._sim("names")
        self._receive()
        stored = {image.global_id: name for name, image in list(sim.state.stored.items())}
        volumes = {v.global_id: f"volume-{v.id}" for v in list(sim.state.volumes.values())}
        return {id: name for id, name in {**stored, **volumes}.items() if id in self.images}

    def enable(self, name: str, mode: MirrorMode, token: str) -> None:
        known = self.image(name)
        if known is not None and known.mode is mode:
            return
        found = self._must(name)
        found.global_id = new_id()
        self.images[found.global_id] = Mirrored(found.global_id, mode, True, new_id(), token)

    def enabled_by(self, name: str) -> str:
        found = self._find(self._sim(f"enabled_by {name}"), name)
        known = self.images.get(found.global_id) if found else None
        return known.token if known else ""

    def disable(self, name: str) -> None:
        found = self._find(self._sim(f"disable {name}"), name)
        if found is None:
            return
        known = self.images.pop(found.global_id, None)
        if known is not None and self.peer is not None:
            self.peer.images.pop(found.global_id, None)
            stored = self.peer.world.sites[self.peer.site].sim.state.stored
            for other in [n for n, image in list(stored.items()) if image.global_id == found.global_id]:
                stored.pop(other, None)

    def send(self, name: str) -> int:
        sim, known = self._sim(f"send {name}"), self._primary(name)
        found, number = self._must(name), next(_numbers)
        guest.flush_volume(sim, sim.state.volumes[name.removeprefix("volume-")])
        known.sent[number] = (found.content, dict(self._contents(sim, name, known)))
        return number

    def note(self, name: str) -> str:
        return self.images[self._must(name).global_id].note

    def set_note(self, name: str, text: str) -> None:
        self._primary(name).note = text

    def promote(self, name: str, *, force: bool) -> None:
        self._sim(f"promote {name}")
        known = self.images[self._must(name).global_id]
        other = self.peer.images.get(known.global_id) if self.peer else None
        if not known.primary and not force and (other is None or other.primary):
            raise StorageRefused(self.site, f"promote {name}", "the other one has not stepped down")
        known.forced = known.forced or (not known.primary and force)
        known.primary = True

    def demote(self, name: str) -> None:
        self._sim(f"demote {name}")
        self.images[self._must(name).global_id].primary = False

    def roll_back(self, name: str, snapshot: str) -> None:
        sim, known = self._sim(f"roll_back {name}"), self._primary(name)
        contents = self._contents(sim, name, known)
        if snapshot not in contents:
            raise StorageRefused(self.site, f"roll {name} back", f"there is no snapshot {snapshot}")
        self._must(name).content = contents[snapshot]

    def rename(self, name: str, new: str) -> None:
        sim = self._sim(f"rename {name}")
        image = sim.state.stored.pop(name)
        image.name = new
        sim.state.stored[new] = image

    def resync(self, name: str) -> None:
        known = self.images[self._must(name).global_id]
        if known.primary:
            raise StorageRefused(self.site, f"resync {name}", "it is primary")
        known.id, known.forced = new_id(), False

    def _sim(self, what: str) -> Sim:
        if self.site in self.world.lost:
            raise Unreachable(self.site, what, "the storage does not answer")
        self.asked.append(what)
        return self.world.sites[self.site].settle()

    def _find(self, sim: Sim, name: str) -> Image | None:
        """A volume's own, or one that no volume is; the same object, to be changed."""
        volume = sim.state.volumes.get(name.removeprefix("volume-"))
        return volume or sim.state.stored.get(name)  # type: ignore[return-value]  # both have content and global id

    def _must(self, name: str) -> Image:
        found = self._find(self._sim(f"find {name}"), name)
        if found is None:
            raise StorageRefused(self.site, f"find {name}", "there is no such image")
        return found

    def _primary(self, name: str) -> Mirrored:
        known = self.images.get(self._must(name).global_id)
        if known is None or not known.primary:
            raise StorageRefused(self.site, f"change {name}", "it is not primary")
        return known

    def _contents(self, sim: Sim, name: str, known: Mirrored) -> dict[str, Content]:
        id = name.removeprefix("volume-")
        own = {f"snapshot-{s.id}": s.content for s in list(sim.state.snapshots.values()) if s.volume_id == id}
        return {**known.snapshots, **own}

    def _snapshots(self, sim: Sim, name: str, known: Mirrored) -> frozenset[str]:
        return frozenset(self._contents(sim, name, known))

    def _receive(self) -> None:
        """What the peer's primary images have sent; nothing once it is lost, or while the daemon here is gone."""
        peer = self.peer
        if self.stopped or peer is None or peer.site in self.world.lost:
            return
        there = self.world.sites[peer.site].settle()
        stored = self.world.sites[self.site].sim.state.stored
        for name, their in [(name, peer.images[id]) for id, name in _names(there, peer).items()]:
            mine = self.images.get(their.global_id)
            if not their.primary or (mine is not None and mine.primary) or name in self.late:
                continue
            content, snapshots, number = self._newest(there, peer, name, their)
            if content is None:
                continue
            if mine is None:
                mine = Mirrored(their.global_id, their.mode, False, new_id())
                self.images[their.global_id] = mine
            mine.received, mine.snapshots = number, dict(snapshots)
            for old in [
                n for n, image in list(stored.items()) if image.global_id == their.global_id and n != name
            ]:
                stored.pop(old, None)
            volume = peer._find(there, name)
            stored[name] = Image(name, volume.size if volume else 1, content, their.global_id)

    def _newest(
        self, there: Sim, peer: SimulatedMirror, name: str, their: Mirrored
    ) -> tuple[Content | None, Mapping[str, Content], int | None]:
        if their.mode is MirrorMode.JOURNAL:
            found = peer._find(there, name)
            return (found.content if found else None), peer._contents(there, name, their), None
        if not their.sent:
            return None, {}, None
        number = max(their.sent)
        content, snapshots = their.sent[number]
        return content, snapshots, number


def _names(sim: Sim, mirror: SimulatedMirror) -> dict[str, str]:
    stored = {image.global_id: name for name, image in list(sim.state.stored.items())}
    volumes = {v.global_id: f"volume-{v.id}" for v in list(sim.state.volumes.values())}
    return {id: name for id, name in {**stored, **volumes}.items() if id in mirror.images}


def simulated_mirrors(
    world: World, sites: tuple[str, str] = ("site1", "site2")
) -> dict[str, SimulatedMirror]:
    """A storage for each of two sites that copies to the other."""
    one, two = (SimulatedMirror(world, site) for site in sites)
    one.peer, two.peer = two, one
    return {one.site: one, two.site: two}
