"""The commands for when the old site comes back."""

from __future__ import annotations

from osc.cloud import Cloud
from osc.conftest import Openstack


def test_stop_reprotect_and_commit(openstack: Openstack, cloud: Cloud) -> None:
    id = cloud.services.of("current recoveries").id
    assert openstack("application", "show", "mme", "-f", "json").json["old_copy"] is None, "not looked at"
    assert openstack("recovery", "reprotect", id).code == 1, "the old copy is active"
    told = openstack("application", "show", "mme")
    assert f"recovery stop-source {id} --yes-stop mme" in told.out
    assert openstack("recovery", "stop-source", id, "--yes-stop", "hss").code == 1
    stopped = openstack("recovery", "stop-source", id, "--yes-stop", "mme", "-f", "json")
    assert (stopped.code, stopped.json["old_copy"]["state"]) == (0, "off")
    assert openstack("recovery", "reprotect", id, "-f", "json").json["reprotected_at"]
    assert openstack("application", "show", "mme", "-f", "json").json["site"] == "lyon"
    assert openstack("recovery", "reprotect", id, "--undo", "-f", "json").json["reprotected_at"] is None
    assert openstack("application", "show", "mme", "-f", "json").json["site"] == "paris"
    shown = openstack("recovery", "commit", id, "--remove-source")
    assert shown.code == 2
    assert "delete: server vnf-1" in shown.out
    assert openstack("recovery", "commit", id, "--yes-remove", "mme").code == 1, "confirms nothing"
    assert openstack("recovery", "show", id, "-f", "json").json["committed_at"] is None
    done = openstack("recovery", "commit", id, "--remove-source", "--yes-remove", "mme", "-f", "json")
    assert (done.code, bool(done.json["committed_at"])) == (0, True)
    assert "vnf-1" not in {s.name for s in cloud.services.world.sites["paris"].sim.state.servers.values()}
    assert openstack("recovery", "commit", id).code == 1, "once"
