"""What the method volume-replication relies on in rbd-mirror, asked of two real clusters."""

from __future__ import annotations

import itertools

import pytest

from multisite.clouds.errors import Unreachable
from multisite.clouds.mirror.backend import MirrorMode, MirrorPoint, StorageRefused
from multisite.clouds.mirror.rbd import RbdMirror, RbdSettings
from tests.ceph.clusters import POOL, Cluster
from tests.identity.nodes import until

MODES = [MirrorMode.SNAPSHOT, MirrorMode.JOURNAL]
SYNC_SECONDS = 900.0
OLD, NEW = b"old" * 100_000, b"new" * 100_000
_NUMBERS = itertools.count(1)


class Pair:
    """The drivers of both, and what a run does with an image."""

    def __init__(self, paris: Cluster, lyon: Cluster) -> None:
        self.paris, self.lyon = (
            RbdMirror(one.name, RbdSettings(str(one.conf), POOL)) for one in (paris, lyon)
        )

    def point(self, name: str, mode: MirrorMode, cluster: Cluster) -> MirrorPoint:
        """As a run takes one: a snapshot, and in the snapshot mode a mirror snapshot that carries it."""
        image = self.paris.image(name)
        assert image is not None
        snapshot = f"snapshot-{next(_NUMBERS)}"
        cluster.rbd("snap", "create", f"{POOL}/{name}@{snapshot}")
        number = self.paris.send(name) if mode is MirrorMode.SNAPSHOT else None
        return MirrorPoint(image.global_id, snapshot, number)

    def has(self, name: str, point: MirrorPoint) -> bool:
        image = self.lyon.image(name)
        return image is not None and image.has(point)


@pytest.fixture
def pair(paris: Cluster, lyon: Cluster) -> Pair:
    return Pair(paris, lyon)


def image(paris: Cluster, pair: Pair, mode: MirrorMode) -> str:
    name = f"volume-{mode}-{next(_NUMBERS)}"
    paris.image(name, OLD)
    pair.paris.enable(name, mode, "multisite:j:s")
    return name


def test_both_know_each_other_and_one_that_is_away_is_unreachable(paris: Cluster, pair: Pair) -> None:
    assert pair.paris.info().peers == ("lyon",)
    assert pair.lyon.info().peers == ("paris",)
    assert pair.paris.info().id == paris.fsid
    gone = paris.folder / "gone.conf"
    gone.write_text(paris.conf.read_text().replace(paris.address, "10.92.1.99"))
    with pytest.raises(Unreachable, match="paris: read image volume-1"):
        RbdMirror("paris", RbdSettings(str(gone), POOL)).image("volume-1")


@pytest.mark.parametrize("mode", MODES)
def test_planned_a_point_gets_there_and_moves_without_loss(
    paris: Cluster, lyon: Cluster, pair: Pair, mode: MirrorMode
) -> None:
    name = image(paris, pair, mode)
    assert pair.paris.enabled_by(name) == "multisite:j:s"
    point = pair.point(name, mode, paris)
    until(lambda: pair.has(name, point), SYNC_SECONDS, "the first point")
    there = pair.lyon.image(name)
    assert there is not None
    assert not there.primary
    assert pair.lyon.names()[point.global_id] == name
    with pytest.raises(StorageRefused):  # the other one is still primary: never two of them unasked
        pair.lyon.promote(name, force=False)
    paris.write(name, NEW)
    pair.paris.demote(name)

    def promoted() -> bool:  # as soon as the end of the other one has got here
        try:
            pair.lyon.promote(name, force=False)
        except StorageRefused:
            return False
        return True

    until(promoted, SYNC_SECONDS, "the planned promotion")
    assert pair.lyon.names()[point.global_id] == name
    pair.lyon.set_note(name, point.snapshot)
    assert pair.lyon.note(name) == point.snapshot
    assert lyon.read(name, len(NEW)) == NEW
    pair.lyon.roll_back(name, point.snapshot)
    assert lyon.read(name, len(OLD)) == OLD
    back = pair.paris.image(name)
    assert back is not None
    assert not back.primary


@pytest.mark.parametrize("mode", MODES)
def test_lost_in_mid_sync_every_image_goes_back_to_the_same_point(
    paris: Cluster, lyon: Cluster, pair: Pair, mode: MirrorMode
) -> None:
    """One image has the second point, the other has not when the daemon is killed: both have the first."""
    small, large = image(paris, pair, mode), image(paris, pair, mode)
    first = {name: pair.point(name, mode, paris) for name in (small, large)}
    for name in (small, large):
        until(lambda name=name: pair.has(name, first[name]), SYNC_SECONDS, f"the first point of {name}")
    paris.write(small, NEW)
    second_small = pair.point(small, mode, paris)
    until(lambda: pair.has(small, second_small), SYNC_SECONDS, "the second point of the small one")
    lyon.kill("rbd-mirror")
    try:
        paris.write(large, NEW)
        second_large = pair.point(large, mode, paris)
        assert not pair.has(large, second_large)  # what a preview refuses
        for name in (small, large):
            pair.lyon.promote(name, force=True)
            pair.lyon.roll_back(name, first[name].snapshot)
            assert lyon.read(name, len(OLD)) == OLD
    finally:
        lyon.start_mirror()
    # The old site is there again: two primary images, and nothing is overwritten before somebody says so.
    with pytest.raises(StorageRefused, match="demote it first"):
        pair.paris.resync(small)
    lyon.write(small, NEW, offset=4096)
    pair.paris.demote(small)
    pair.paris.resync(small)

    def returned() -> bool:
        found = pair.paris.image(small)
        return found is not None and not found.primary and found.state == "up+replaying"

    until(returned, SYNC_SECONDS, "the copy at the old site")


def test_a_mirroring_that_is_ended_takes_the_copy_away(paris: Cluster, pair: Pair) -> None:
    name = image(paris, pair, MirrorMode.SNAPSHOT)
    until(lambda: pair.lyon.image(name), SYNC_SECONDS, "the copy")
    pair.paris.disable(name)
    until(lambda: pair.lyon.image(name) is None, SYNC_SECONDS, "the end of the copy")
    assert pair.paris.enabled_by(name) == ""
    pair.paris.disable(name)
