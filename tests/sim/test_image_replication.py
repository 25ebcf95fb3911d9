"""Images copied to other simulated sites: data and every word of them, or told; hidden until the digest agrees."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from multisite.clouds.session import FencedAdapter
from multisite.domain.caller import Caller
from multisite.domain.errors import Conflict, Invalid, MultisiteError, NotFound
from multisite.domain.image_copy import (
    CopyState,
    ImageCopy,
    ImageReplication,
    ReplicationState,
    copy_id,
    digest_of,
)
from multisite.jobs.model import JobState
from multisite.resources.images import stream
from multisite.resources.images.job import ReplicationOrder, ReplicationSteps
from multisite.resources.images.pace import Pace
from multisite.resources.images.service import ImageService
from multisite_lab.sim.faults import Rule
from multisite_lab.sim.model import Row
from multisite_lab.sim.site import Wire
from multisite_lab.sim.world import World, make_world
from tests.sim.service import Service, running_service

ADMIN = Caller("u-1", "olga", "p1", "vnf", frozenset({"admin"}), "req-1")
MEMBER = Caller("u-2", "mia", "p1", "vnf", frozenset({"member"}), "req-2")
DATA = bytes(range(256)) * 9000  # more than two pieces
FIELDS: Row = {
    "name": "vnf-4.2", "disk_format": "qcow2", "container_format": "bare", "min_disk": 3, "min_ram": 512,
    "tags": ["vnf", "lte"], "visibility": "private", "hw_disk_bus": "scsi", "os/odd~name": "x", "os_distro": "debian",
}  # fmt: skip
BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


class Images:
    """Three sites and the verbs; ``seen``: every state in which a target's image was listed by its owner."""

    def __init__(self, service: Service, world: World) -> None:
        self.here, self.world = service, world
        self.images = ImageService(service.database, service.jobs, service.clouds)

    def put(self, site: str = "site1", data: bytes = DATA, **fields: Any) -> str:
        cloud = self.here.cloud(site)
        made = cloud.image.post("/images", json=FIELDS | fields).json()
        answer = cloud.image.put(
            f"/images/{made['id']}/file", data=data, headers={"Content-Type": "application/octet-stream"}
        )
        assert answer.ok, answer.text
        return str(made["id"])

    def replicate(
        self, image: str, *targets: str, caller: Caller = ADMIN
    ) -> tuple[JobState, ImageReplication]:
        made = self.images.create(caller, image, "site1", targets or ("site2", "site3"))
        job = self.here.rest(made.job_id)
        return job.state, self.images.get(ADMIN, made.id)

    def at(self, site: str) -> dict[str, Row]:
        return {row["id"]: row for row in self.world.sites[site].settle().state.images.values()}

    def asked(self, site: str, method: str) -> int:
        """Requests for an image's data."""
        return sum(s.method == method and s.path.endswith("/file") for s in self.world.sites[site].script.log)


@pytest.fixture
def images(tmp_path: Path) -> Iterator[Images]:
    with make_world(("site1", "site2", "site3")) as world, running_service(tmp_path, world) as service:
        yield Images(service, world)


def copied(images: Images, site: str, replication: ImageReplication) -> Row:
    (copy,) = (c for c in replication.copies if c.site == site)
    assert copy.image_id is not None
    return images.at(site)[copy.image_id]


def test_data_and_every_field_are_the_sources(images: Images) -> None:
    image = images.put(protected=True)
    state, made = images.replicate(image)
    assert (state, made.state) == (JobState.DONE, ReplicationState.DONE), made.error
    source = images.at("site1")[image]
    for site in ("site2", "site3"):
        row = copied(images, site, made)
        assert images.world.sites[site].sim.state.image_data[row["id"]] == DATA
        own = {"id", "owner", "self", "file", "created_at", "updated_at"}
        assert {k: v for k, v in row.items() if k not in own} == {
            k: v for k, v in source.items() if k not in own
        }
    assert images.asked("site1", "GET") == 1, "read once for both"
    assert made.size == len(DATA)
    assert made.digest == f"sha512:{hashlib.sha512(DATA).hexdigest()}"
    gone = images.images.delete(ADMIN, made.id)
    assert gone is not None
    assert images.here.rest(gone.job_id).state is JobState.UNDONE
    assert images.at("site2") == images.at("site3") == {}
    with pytest.raises(NotFound):
        images.images.get(ADMIN, made.id)


def test_a_second_time_nothing_is_sent_and_what_was_changed_is_put_right(images: Images) -> None:
    image = images.put()
    _, first = images.replicate(image, "site2")
    copy = copied(images, "site2", first)
    images.world.sites["site2"].sim.state.images[copy["id"]] |= {"min_ram": 1, "tags": ["by hand"]}
    state, again = images.replicate(image, "site2")
    assert state is JobState.DONE
    assert [c.state for c in again.copies] == [CopyState.FOUND]
    assert images.asked("site2", "PUT") == 1
    assert copied(images, "site2", again)["min_ram"] == 512
    assert copied(images, "site2", again)["tags"] == ["lte", "vnf"]
    gone = images.images.delete(ADMIN, again.id)
    assert gone is not None
    images.here.rest(gone.job_id)
    assert copy["id"] in images.at("site2"), "it is the first one's"


def test_an_image_that_somebody_else_put_there_is_left_alone(images: Images) -> None:
    image, theirs = images.put(), images.put("site2", min_ram=1)
    other = images.put("site3", DATA + b"x")
    state, made = images.replicate(image)
    assert state is JobState.DONE
    assert [(c.state, c.image_id == theirs) for c in made.copies] == [
        (CopyState.FOUND, True), (CopyState.READY, False),
    ]  # fmt: skip
    assert images.at("site2")[theirs]["min_ram"] == 1
    assert len(images.at("site3")) == 2, "the same name with other data is another image"
    assert other in images.at("site3")


def test_nothing_is_shown_before_its_digest_agrees(images: Images) -> None:
    image, shown = images.put(), []
    site = images.world.sites["site2"]
    reply = site.reply

    def watched(wire: Wire) -> Any:
        answer = reply(wire)
        rows = site.sim.state.images.values()
        shown.extend((r["status"], r["name"]) for r in rows if not r["os_hidden"])
        return answer

    site.reply = watched  # type: ignore[method-assign]
    images.replicate(image, "site2")
    assert set(shown) == {("active", "vnf-4.2")}


@pytest.mark.parametrize("damage", ["flipped", "cut"])
def test_damaged_data_make_no_image(images: Images, damage: str) -> None:
    image = images.put()
    bad = bytearray(DATA)
    bad[len(bad) // 2] ^= 1
    data = images.world.sites["site1"].sim.state.image_data
    data[image] = bytes(bad) if damage == "flipped" else DATA[:-1]
    state, made = images.replicate(image)
    assert (state, made.state) == (JobState.PAUSED, ReplicationState.STOPPED)
    assert "damaged" in str(made.error)
    for site in ("site2", "site3"):
        assert [(r["status"], r["os_hidden"]) for r in images.at(site).values()] == [("queued", True)]
    data[image] = DATA
    images.here.jobs.resume(made.job_id, "olga")
    assert images.here.rest(made.job_id).state is JobState.DONE
    assert len(images.at("site2")) == 1


def test_what_arrives_otherwise_is_deleted(images: Images) -> None:
    image, site = images.put(), images.world.sites["site2"]
    reply = site.reply

    def wrong(wire: Wire) -> Any:
        if wire.path.endswith("/file") and wire.method == "PUT":
            return reply(Wire(wire.method, wire.path, wire.query, wire.headers, wire.content[:-1] + b"!"))
        return reply(wire)

    site.reply = wrong  # type: ignore[method-assign]
    state, made = images.replicate(image)
    assert state is JobState.PAUSED
    assert [c.state for c in made.copies] == [CopyState.FAILED, CopyState.READY]
    assert "not what was sent" in str(made.copies[0].why)
    assert images.at("site2") == {}
    site.reply = reply  # type: ignore[method-assign]
    images.here.jobs.resume(made.job_id, "olga")
    assert images.here.rest(made.job_id).state is JobState.DONE
    assert images.asked("site3", "PUT") == 1, "the good one is not sent again"


def test_a_site_that_refuses_does_not_hold_up_the_others(images: Images) -> None:
    image = images.put()
    images.world.sites["site2"].strike(Rule("error", "image", "POST", "/v2/images", status=500, times=9))
    state, made = images.replicate(image)
    assert state is JobState.PAUSED
    assert [c.state for c in made.copies] == [CopyState.FAILED, CopyState.READY]
    assert "site2" in str(made.error)
    images.world.sites["site2"].script.rules.clear()
    images.here.jobs.resume(made.job_id, "olga")
    assert images.here.rest(made.job_id).state is JobState.DONE
    assert images.asked("site3", "PUT") == 1


class Dead(BaseException):
    """As a kill -9: nothing after it runs."""


@pytest.mark.parametrize("after", [False, True], ids=["before it is sent", "its answer lost"])
def test_killed_at_any_request_there_is_one_copy(
    images: Images, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """Each run dies one request later than the one before; the last one that is run again lives."""
    image, deaths = images.put(), 0
    source = images.here.cloud("site1")
    row = source.image.get(f"/images/{image}").json()
    sent = FencedAdapter.send
    for last in range(40):
        order = ReplicationOrder(
            _row(images, image, last), "site1", "", image, str(digest_of(row)), {"site2": "", "site3": ""}
        )
        (step,) = ReplicationSteps(images.here.clouds, images.images._rows, Pace(0), order).steps()
        left = [last]

        def dying(self: Any, *args: Any, left: list[int] = left, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0 and not after:
                raise Dead
            answer = sent(self, *args, **kwargs)
            if left[0] < 0:
                raise Dead
            return answer

        ctx = Ctx(f"multisite:job-{after}-{last}:copy")
        monkeypatch.setattr(FencedAdapter, "send", dying)
        died = False
        try:
            step.run(ctx)
        except (Dead, Exception):
            died, deaths = True, deaths + 1
        monkeypatch.setattr(FencedAdapter, "send", sent)
        step.run(ctx)
        for site in ("site2", "site3"):
            ours = {copy_id(ctx.token, site, n) for n in range(8)}
            found = [r for r in images.at(site).values() if r["id"] in ours]
            assert [(r["status"], r["os_hidden"], r["name"]) for r in found] == [("active", False, "vnf-4.2")]
            assert images.world.sites[site].sim.state.image_data[found[0]["id"]] == DATA
        assert step.undo is not None
        step.undo(ctx, None)  # type: ignore[arg-type]
        assert images.at("site2") == images.at("site3") == {}
        if not died:
            break
    assert deaths > 8


class Ctx:
    """Of a step that nobody watches."""

    job_id, step, project_id, attempt, interrupted = "job", "copy", "p1", 1, True

    def __init__(self, token: str) -> None:
        self.token = token

    def progress(self, *_: object, **_more: object) -> None: ...
    def event(self, *_: object, **_more: object) -> None: ...
    def cancelled(self) -> bool:
        return False


def _row(images: Images, image: str, number: int) -> str:
    copies = (ImageCopy("site2"), ImageCopy("site3"))
    return images.images._rows.add(
        ImageReplication(
            f"r-{number}",
            "p1",
            "site1",
            image,
            "vnf-4.2",
            1,
            "",
            copies,
            (),
            ReplicationState.COPYING,
            "j",
            "olga",
            BEGAN,
        )
    ).id


def test_a_target_that_cannot_be_asked_is_refused_at_once(images: Images) -> None:
    image = images.put()
    images.world.cut("site3")
    with pytest.raises(MultisiteError, match="site3"):
        images.replicate(image)
    assert images.at("site2") == {}


def test_deleted_at_the_source_meanwhile_it_is_told_and_not_shown(
    images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, sent = images.put(), stream.send

    def then_deleted(*args: Any, **kwargs: Any) -> Any:
        answer = sent(*args, **kwargs)
        images.here.cloud("site1").image.delete(f"/images/{image}")
        return answer

    monkeypatch.setattr("multisite.resources.images.job.send", then_deleted)
    state, made = images.replicate(image, "site2")
    assert state is JobState.PAUSED
    assert "deleted at site1 meanwhile" in str(made.error)
    assert all(row["os_hidden"] for row in images.at("site2").values())
    gone = images.images.delete(ADMIN, made.id)
    assert gone is not None
    images.here.rest(gone.job_id)
    assert images.at("site2") == {}


def test_only_an_administrator_publishes(images: Images) -> None:
    image = images.put(visibility="public")
    _, made = images.replicate(image, "site2", caller=MEMBER)
    assert copied(images, "site2", made)["visibility"] == "private"
    assert any("publishing is an administrator's" in note for note in made.notes)
    _, made = images.replicate(image, "site3")
    assert copied(images, "site3", made)["visibility"] == "public"


def test_another_projects_image_is_as_good_as_not_there(images: Images) -> None:
    image = images.put()
    images.world.sites["site1"].sim.state.images[image]["owner"] = "somebody"
    for asked in (image, "vnf-4.2"):
        with pytest.raises(NotFound, match="there is no image"):
            images.images.create(ADMIN, asked, "site1", ("site2",))
    project = images.here.cloud().project_id
    images.world.sites["site1"].sim.state.images[image]["visibility"] = "shared"
    members = images.world.sites["site1"].sim.state.image_members
    members[image, project] = {"member_id": project, "status": "pending"}
    with pytest.raises(NotFound):
        images.images.create(ADMIN, image, "site1", ("site2",))
    members[image, project]["status"] = "accepted"
    assert images.replicate(image, "site2")[0] is JobState.DONE


def test_a_kernel_is_the_copy_of_the_kernel(images: Images) -> None:
    kernel = images.put(data=b"kernel", name="kernel", disk_format="aki", container_format="aki")
    image = images.put(kernel_id=kernel)
    with pytest.raises(Invalid, match=f"kernel_id {kernel} is not replicated to site2"):
        images.replicate(image, "site2")
    _, first = images.replicate(kernel, "site2")
    _, made = images.replicate(image, "site2")
    assert copied(images, "site2", made)["kernel_id"] == copied(images, "site2", first)["id"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"cinder_encryption_key_id": "k-1"}, "encrypted with a key of its site"),
        ({"status": "deactivated"}, "only an active one"),
        ({"os_hash_value": None, "checksum": None}, "no digest"),
        ({"size": 0, "block_device_mapping": "[{}]"}, "names volume snapshots"),
    ],
)
def test_what_cannot_be_copied_is_refused_with_what_to_do(images: Images, fields: Row, said: str) -> None:
    image = images.put()
    images.world.sites["site1"].sim.state.images[image] |= fields
    with pytest.raises(Invalid, match=said):
        images.replicate(image)


def test_a_name_that_two_have_is_no_identity(images: Images) -> None:
    ids = {images.put(), images.put(data=b"other")}
    with pytest.raises(Invalid, match=r"2 images of site1 are called 'vnf-4.2'") as refused:
        images.replicate("vnf-4.2")
    assert all(id in str(refused.value) for id in ids)


def test_wrong_targets_are_refused(images: Images) -> None:
    image = images.put()
    for targets, said in (
        (("site1",), "is the site the image is in"), (("site2", "site2"), "each site once"), ((), "name one"),
    ):  # fmt: skip
        with pytest.raises(Invalid, match=said):
            images.images.create(ADMIN, image, "site1", targets)


def test_while_it_copies_it_is_not_deleted(images: Images) -> None:
    image = images.put()
    made = images.images.create(ADMIN, image, "site1", ("site2",))
    if images.images.get(ADMIN, made.id).state is ReplicationState.COPYING:
        with pytest.raises(Conflict, match="job cancel"):
            images.images.delete(ADMIN, made.id)
    images.here.rest(made.job_id)
