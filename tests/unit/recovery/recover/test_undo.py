"""Taking back what a recovery made, and nothing else, with the real engine and a simulated target."""

from __future__ import annotations

import pytest

from multisite.clouds.resources import tokens
from multisite.domain.errors import Conflict
from multisite.domain.model import RecoveryState
from multisite.jobs.model import StepState
from tests.unit.recovery.recover_world import OPERATOR, World
from tests.unit.simulated import Sent


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
        assert len(world.target.state.backups) == 8
        assert not [s for s in world.target.changes if s.method == "DELETE" and "backup" in s.path]

    def test_undo_is_done_in_the_right_order(self, world: World) -> None:
        world.point("order", servers=1)
        recovery, _ = world.recovered("order")
        world.target.sent.clear()
        world.undone(recovery)
        kinds = [s.path.split("/")[1] for s in world.target.changes if s.method == "DELETE"]
        assert kinds.index("servers") < min(kinds.index("ports"), kinds.index("volumes"))
        assert max(n for n, k in enumerate(kinds) if k == "ports") < kinds.index("subnets")

    def test_what_cannot_be_removed_is_named_and_tried_again(self, world: World) -> None:
        world.point("stuck", servers=1)
        recovery, _ = world.recovered("stuck")
        network = world.target.named("networks", "plane0")
        world.target.add_port("router", network["id"], device_owner="network:router_interface")
        recovery, job = world.undone(recovery)
        assert recovery.state is RecoveryState.UNDO_FAILED
        assert "router" in (recovery.error or "")
        assert job.step("network-1").state is StepState.UNDO_FAILED
        with pytest.raises(Conflict, match="resume or undo it"):
            world.start("stuck")
        del world.target.state.ports["router"]
        recovery, _ = world.undone(recovery)
        assert recovery.state is RecoveryState.UNDONE
        assert world.target.left() == {}

    def test_a_flavor_others_have_come_to_use_is_kept(self, world: World) -> None:
        world.point("flavor", servers=1)
        recovery, _ = world.recovered("flavor")
        flavor = world.target.named("flavors", "t128")
        world.target.add_server("other", "other", flavor=flavor)
        recovery, job = world.undone(recovery)
        assert recovery.state is RecoveryState.UNDONE
        assert world.target.left() == {"flavors": [flavor["id"]], "servers": ["other"]}
        assert any("is kept: other use it" in entry.message for entry in job.journal)

    def test_a_list_that_still_shows_its_own_deleted_server_keeps_no_flavor(self, world: World) -> None:
        world.point("late-list", servers=1)
        recovery, _ = world.recovered("late-list")
        flavor = world.target.named("flavors", "t128")
        token = {tokens.KEY: f"multisite:{recovery.job_id}:ghost"}
        world.target.add_server("ghost", "late-list-1", flavor=flavor, metadata=token)
        gone = world.target.strike("error", "GET", "^/servers/ghost$", status=404, times=1000)
        recovery, _ = world.undone(recovery)
        assert gone.struck
        assert recovery.state is RecoveryState.UNDONE
        assert world.target.left() == {"servers": ["ghost"]}

    def test_what_appears_after_its_removal_is_no_undone_recovery(self, world: World) -> None:
        world.point("late", servers=1)
        recovery, job = world.recovered("late")
        step = next(step.name for step in job.steps if step.name.startswith("network"))
        tags = [f"multisite:{job.id}:{step}"]

        def appears(sent: Sent) -> None:
            networks = world.target.sim.state.networks
            if "late" not in networks and world.jobs.get(job.id).step(step).state is StepState.UNDONE:
                world.target.add_network("late", name="plane0", tags=tags)

        world.target.before = appears
        recovery, job = world.undone(recovery)
        assert recovery.state is RecoveryState.UNDO_FAILED
        assert "site lyon still has network plane0 (late)" in (recovery.error or "")
        world.target.before = lambda sent: None
        recovery, _ = world.undone(recovery)
        assert recovery.state is RecoveryState.UNDONE
        assert world.target.left() == {}

    def test_a_key_pair_that_became_another_is_not_touched(self, world: World) -> None:
        world.point("key", servers=1)
        recovery, _ = world.recovered("key")
        world.target.named("keypairs", "ops")["public_key"] = "ssh-rsa SOMEBODY"
        recovery, _ = world.undone(recovery)
        assert recovery.state is RecoveryState.UNDONE
        assert world.target.left() == {"keypairs": ["ops"]}
