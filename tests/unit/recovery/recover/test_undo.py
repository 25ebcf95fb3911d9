"""Taking back what a recovery made, and nothing else, with the real engine and a target in memory."""

from __future__ import annotations

import pytest

from multisite.clouds.resources import tokens
from multisite.domain.errors import Conflict
from multisite.domain.model import RecoveryState
from multisite.jobs.model import StepState
from tests.unit.recovery.recover_fakes import HttpError
from tests.unit.recovery.recover_world import OPERATOR, World, row


class TestUndo:
    def test_leaves_nothing_but_the_backup_records(self, world: World) -> None:
        world.point("undo", planes=2)
        recovery, _ = world.recovered("undo")
        assert len(world.target.left()) == 9
        assert world.service.undo(OPERATOR, recovery.id).state is RecoveryState.UNDOING
        recovery, _ = world.wait(recovery)
        assert recovery.state is RecoveryState.UNDONE
        assert recovery.servers == ()
        assert world.target.left() == {}
        assert len(world.target.rows["backups"]) == 8
        assert not [c for c in world.target.calls if c[0] == "DELETE" and "backup" in c[1]]

    def test_undo_is_done_in_the_right_order(self, world: World) -> None:
        world.point("order", servers=1)
        recovery, _ = world.recovered("order")
        world.target.calls.clear()
        world.service.undo(OPERATOR, recovery.id)
        world.wait(recovery)
        kinds = [path.split("/")[1] for method, path in world.target.calls if method == "DELETE"]
        assert kinds.index("servers") < min(kinds.index("ports"), kinds.index("volumes"))
        assert max(n for n, k in enumerate(kinds) if k == "ports") < kinds.index("subnets")

    def test_what_cannot_be_removed_is_named_and_tried_again(self, world: World) -> None:
        world.point("stuck", servers=1)
        recovery, _ = world.recovered("stuck")
        network = row(world.target, "networks", "plane0")
        world.target.rows["ports"]["router"] = {
            "id": "router", "network_id": network["id"], "tags": [], "fixed_ips": [], "mac_address": "x",
        }  # fmt: skip
        world.service.undo(OPERATOR, recovery.id)
        recovery, job = world.wait(recovery)
        assert recovery.state is RecoveryState.UNDO_FAILED
        assert "router" in (recovery.error or "")
        assert job.step("network-1").state is StepState.UNDO_FAILED
        with pytest.raises(Conflict, match="resume or undo it"):
            world.start("stuck")
        del world.target.rows["ports"]["router"]
        world.service.undo(OPERATOR, recovery.id)
        recovery, _ = world.wait(recovery)
        assert recovery.state is RecoveryState.UNDONE
        assert world.target.left() == {}

    def test_a_flavor_others_have_come_to_use_is_kept(self, world: World) -> None:
        world.point("flavor", servers=1)
        recovery, _ = world.recovered("flavor")
        flavor = row(world.target, "flavors", "t128")["id"]
        world.target.rows["servers"]["other"] = {
            "id": "other", "name": "other", "flavor": {"id": flavor}, "metadata": {}, "status": "ACTIVE",
        }  # fmt: skip
        world.service.undo(OPERATOR, recovery.id)
        recovery, job = world.wait(recovery)
        assert recovery.state is RecoveryState.UNDONE
        assert world.target.left() == {"flavors": [flavor], "servers": ["other"]}
        assert any("is kept: other use it" in entry.message for entry in job.journal)

    def test_a_list_that_still_shows_its_own_deleted_server_keeps_no_flavor(self, world: World) -> None:
        world.point("late-list", servers=1)
        recovery, _ = world.recovered("late-list")
        flavor = row(world.target, "flavors", "t128")["id"]
        world.target.rows["servers"]["ghost"] = {
            "id": "ghost", "name": "late-list-1", "flavor": {"id": flavor}, "status": "ACTIVE",
            "metadata": {tokens.KEY: f"multisite:{recovery.job_id}:ghost"},
        }  # fmt: skip

        def gone(method: str, path: str) -> None:
            if path == "/servers/ghost":
                raise HttpError(404, "Instance ghost could not be found.")

        world.target.before = gone
        world.service.undo(OPERATOR, recovery.id)
        recovery, _ = world.wait(recovery)
        assert recovery.state is RecoveryState.UNDONE
        assert world.target.left() == {"servers": ["ghost"]}

    def test_what_appears_after_its_removal_is_no_undone_recovery(self, world: World) -> None:
        world.point("late", servers=1)
        recovery, job = world.recovered("late")
        step = next(step.name for step in job.steps if step.name.startswith("network"))
        late = {"id": "late", "name": "plane0", "tags": [f"multisite:{job.id}:{step}"], "description": ""}

        def appears(method: str, path: str) -> None:
            if world.jobs.get(job.id).step(step).state is StepState.UNDONE:
                world.target.rows["networks"].setdefault("late", dict(late))

        world.target.before = appears
        world.service.undo(OPERATOR, recovery.id)
        recovery, job = world.wait(recovery)
        assert recovery.state is RecoveryState.UNDO_FAILED
        assert "site lyon still has network plane0 (late)" in (recovery.error or "")
        world.target.before = lambda method, path: None
        world.service.undo(OPERATOR, recovery.id)
        recovery, _ = world.wait(recovery)
        assert recovery.state is RecoveryState.UNDONE
        assert world.target.left() == {}

    def test_a_key_pair_that_became_another_is_not_touched(self, world: World) -> None:
        world.point("key", servers=1)
        recovery, _ = world.recovered("key")
        world.target.rows["keypairs"]["ops"]["public_key"] = "ssh-rsa SOMEBODY"
        world.service.undo(OPERATOR, recovery.id)
        recovery, _ = world.wait(recovery)
        assert recovery.state is RecoveryState.UNDONE
        assert world.target.left() == {"keypairs": ["ops"]}
