# SPDX-License-Identifier: Apache-2.0
"""Remote ports on real servers: what counts are the flows of the compute host's switch.

As root, from the repository's root, after `make env` and `.venv/bin/python -m multisite_lab.install`:

    unshare --net --mount --pid --fork --kill-child --mount-proc \
        .venv/bin/pytest -s -c plugins/neutron/pytest.ini -m real plugins/neutron/tests/real
"""

import tempfile
import time
from pathlib import Path

import pytest
from stage import DOWN_TIME, HOST, PATIENCE, VTEP, Stage, until

pytestmark = pytest.mark.real
HERE, THERE, ELSEWHERE = VTEP, "172.31.0.21", "172.31.0.22"


@pytest.fixture(scope="module")
def stage():
    with tempfile.TemporaryDirectory(prefix="ms-neutron-") as folder:
        made = Stage(Path(folder))
        try:
            made.up()
            yield made
        except BaseException:
            for log in sorted(made.log.iterdir()):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}")
            raise
        finally:
            made.end()


@pytest.fixture(scope="module")
def network(stage):
    """A stretched network with one ordinary port, wired on the host."""
    asked = {"name": "stretched", "provider:network_type": "vxlan", "provider:segmentation_id": 5001}
    made = stage.ask("POST", "networks", {"network": asked})["network"]["id"]
    subnet = {"network_id": made, "ip_version": 4, "cidr": "10.99.0.0/22", "enable_dhcp": False}
    stage.ask("POST", "subnets", {"subnet": subnet})
    local = {"network_id": made, "binding:host_id": HOST, "device_owner": "compute:x"}
    port = stage.ask("POST", "ports", {"port": local})["port"]
    stage.plug(port)
    until(lambda: stage.ask("GET", f"ports/{port['id']}")["port"]["status"] == "ACTIVE", "the ordinary port")
    assert stage.ask("GET", f"ports/{port['id']}")["port"]["tunneling_ip"] == HERE
    stage.say("the ordinary port is ACTIVE")
    return made


def wanted(network, number, vtep=THERE):
    return {
        "network_id": network,
        "name": f"there/{number}",
        "device_owner": "multisite:remote_port",
        "device_id": f"real-{number}",
        "mac_address": f"fa:16:3e:00:{number >> 8:02x}:{number & 255:02x}",
        "fixed_ips": [{"ip_address": f"10.99.{1 + (number >> 8)}.{number & 255}"}],
        "tunneling_ip": vtep,
    }


@pytest.fixture
def remote(stage, network):
    port = stage.ask("POST", "ports", {"port": wanted(network, 1)})["port"]
    until(lambda: stage.flows(port["mac_address"]), "the flow")
    yield port
    stage.ask("DELETE", f"ports/{port['id']}")
    until(lambda: not stage.flows(port["mac_address"]), "no flow")


def test_created_and_deleted(stage, network):
    body = wanted(network, 9)
    assert not stage.flows(body["mac_address"])
    begun = time.monotonic()
    port = stage.ask("POST", "ports", {"port": body})["port"]
    post = time.monotonic() - begun
    assert (port["status"], port["binding:vif_type"], port["tunneling_ip"]) == ("ACTIVE", "other", THERE)
    _, after = until(lambda: stage.flows(body["mac_address"]), "the flow")
    assert stage.tunnels() == {THERE}
    begun = time.monotonic()
    stage.ask("DELETE", f"ports/{port['id']}")
    delete = time.monotonic() - begun
    _, gone = until(
        lambda: not stage.flows(body["mac_address"]) and not stage.tunnels(), "no flow and no tunnel"
    )
    print(
        f"\nPOST {post:.2f} s, flow {after:.2f} s later; DELETE {delete:.2f} s, flow and tunnel gone {gone:.2f} s later"
    )


def test_another_endpoint(stage, remote):
    before = stage.flows(remote["mac_address"])
    begun = time.monotonic()
    stage.ask("PUT", f"ports/{remote['id']}", {"port": {"tunneling_ip": ELSEWHERE}})
    put = time.monotonic() - begun
    until(lambda: stage.tunnels() == {ELSEWHERE}, "the tunnel to the other endpoint, and no other")
    (flow,), after = until(lambda: stage.flows(remote["mac_address"]), "the flow")
    assert flow.split("actions=")[1] != before[0].split("actions=")[1]
    print(f"\nPUT {put:.2f} s, flow to the other endpoint {after:.2f} s later")


def test_agent_killed_and_its_flows_lost(stage, remote):
    stage.kill("agent")
    stage.run("ovs-vsctl", "del-br", "br-tun")
    assert not stage.flows(remote["mac_address"])
    stage.agent()
    _, after = until(lambda: stage.flows(remote["mac_address"]), "the flow")
    print(f"\nflow back {after:.1f} s after the agent's start")


def test_shadow_agent_deleted(stage, remote):
    """An agent that starts while it is missing knows nothing of the port; the next beat tells it."""
    (agent,) = [a for h, a in stage.shadow_agents().items() if h.endswith(THERE)]
    stage.kill("periodic")  # nobody to repair it meanwhile
    stage.ask("DELETE", f"agents/{agent['id']}")
    stage.kill("agent")
    stage.run("ovs-vsctl", "del-br", "br-tun")
    stage.agent()
    mine = lambda: next(a for a in stage.get("agents") if a["host"] == HOST)  # noqa: E731
    started = mine()["started_at"]
    until(lambda: mine()["started_at"] != started, "the agent's start")
    until(lambda: "table=22" in stage.run("ovs-ofctl", "dump-flows", "br-tun"), "the agent's own flows")
    time.sleep(10)
    assert not stage.flows(remote["mac_address"]), (
        "negative control: without the shadow agent there is no flow"
    )
    stage.periodic()
    _, after = until(lambda: stage.flows(remote["mac_address"]), "the flow")
    assert stage.shadow_agents()["remote-vtep-" + THERE]["alive"]
    print(f"\nflow back {after:.1f} s after the start of the periodic workers")


def test_deleted_with_its_shadow_agent_gone(stage, network):
    """Withdrawn all the same: Neutron alone would leave the flow behind."""
    body = wanted(network, 8, ELSEWHERE)
    port = stage.ask("POST", "ports", {"port": body})["port"]
    until(lambda: stage.flows(body["mac_address"]), "the flow")
    stage.ask("DELETE", f"agents/{stage.shadow_agents()['remote-vtep-' + ELSEWHERE]['id']}")
    stage.ask("DELETE", f"ports/{port['id']}")
    _, gone = until(lambda: not stage.flows(body["mac_address"]), "no flow", 30)
    print(f"\nflow gone {gone:.2f} s after the DELETE")


def test_unused_shadow_agents_are_collected(stage, remote):
    _, after = until(
        lambda: set(stage.shadow_agents()) == {"remote-vtep-" + THERE}, "collected", PATIENCE + 2 * DOWN_TIME
    )
    time.sleep(DOWN_TIME)
    assert stage.shadow_agents()["remote-vtep-" + THERE]["alive"], "the used one beats"
    print(f"\nunused shadow agents were gone after {after:.1f} s")


def test_refused(stage, network):
    for change, word in (
        ({"tunneling_ip": HERE}, HOST),
        ({"tunneling_ip": "192.0.2.1"}, "allowed_vteps"),
        ({"tunneling_ip": None}, "needs it"),
    ):
        answer = stage.ask("POST", "ports", {"port": wanted(network, 7) | change}, expected=(400, 409))
        assert word in answer["NeutronError"]["message"]


def test_list_of_200_ports(stage, network):
    """Statements of the database connection that reads the list."""

    def price(query=""):
        stage.sql("SET GLOBAL log_output='TABLE'; TRUNCATE mysql.general_log; SET GLOBAL general_log=1;")
        begun = time.monotonic()
        found = len(stage.get("ports", query))
        took = time.monotonic() - begun
        stage.sql("SET GLOBAL general_log=0;")
        reader = "SELECT thread_id FROM mysql.general_log WHERE argument LIKE '%FROM ports%'"
        of_reader = f"FROM mysql.general_log WHERE argument LIKE 'SELECT%' AND thread_id IN ({reader})"
        counted = f"SELECT count(*), sum(argument LIKE '%FROM agents%') {of_reader};"
        return found, stage.sql(counted).split(), took

    def more(numbers):
        body = {"ports": [wanted(network, n, f"172.31.1.{n % 20 + 1}") for n in numbers]}
        return stage.ask("POST", "ports", body)["ports"]

    stage.get("ports")  # the first request of a kind loads things
    made = more(range(10, 20))
    few = price()
    begun = time.monotonic()
    for first in range(20, 210, 10):
        made += more(range(first, first + 10))
    took = time.monotonic() - begun
    last = made[-1]["mac_address"]
    _, after = until(lambda: stage.flows(last), "the last flow")
    many = price()
    print(
        f"\n{few[0]} ports: {few[1]} SELECTs (of agents), {few[2]:.2f} s; {many[0]}: {many[1]}, {many[2]:.2f} s"
    )
    print(f"190 ports made in {took:.1f} s, last flow {after:.2f} s later, {len(stage.tunnels())} tunnels")
    assert few[1] == many[1]
    begun = time.monotonic()
    for port in made:
        stage.ask("DELETE", f"ports/{port['id']}")
    took = time.monotonic() - begun
    until(lambda: not stage.tunnels(), "no tunnel left")
    print(f"{len(made)} ports deleted in {took:.1f} s, no flow or tunnel left")
    assert not any(stage.flows(port["mac_address"]) for port in made)
