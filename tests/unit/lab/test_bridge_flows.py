"""What OVS prints becomes what the agent put up: without counters, and without what the switch learned."""

from __future__ import annotations

from multisite_lab import flows

# as printed by ovs-ofctl 3.1 on a host with one remote port
DUMP = """\
 cookie=0x9d1, duration=31.4s, table=22, n_packets=3, n_bytes=126, idle_age=9, priority=1,dl_vlan=2 actions=strip_vlan,load:0x1389->NXM_NX_TUN_ID[],output:"vxlan-ac1f090c"
 cookie=0x9d1, duration=31.4s, table=20, n_packets=0, n_bytes=0, priority=2,dl_vlan=2,dl_dst=fa:16:3e:00:00:02 actions=strip_vlan,load:0x1389->NXM_NX_TUN_ID[],output:"vxlan-ac1f090c"
 cookie=0x9d1, duration=3.1s, table=20, n_packets=1, n_bytes=42, hard_timeout=300, idle_age=3, hard_age=2, priority=1,vlan_tci=0x0002/0x0fff,dl_dst=fa:16:3e:00:00:09 actions=load:0->NXM_OF_VLAN_TCI[],output:"vxlan-ac1f090c"
 cookie=0x9d1, duration=99.0s, table=10, n_packets=0, n_bytes=0, priority=1 actions=learn(table=20,hard_timeout=300,priority=1,cookie=0x9d1,NXM_OF_VLAN_TCI[0..11]),output:"patch-int"
"""  # noqa: E501
TUNNELS = (
    '{"data":[[["map",[["df_default","true"],["remote_ip","172.31.9.12"]]]],[["map",[["remote_ip","172.31.9.11"]]]]],'
    '"headings":["options"]}'
)


def test_learned_flows_and_counters_are_left_out() -> None:
    found = flows.parse(DUMP)
    assert [flow.split(",")[0] for flow in found] == ["table=10", "table=20", "table=22"]
    assert not [flow for flow in found if "n_packets" in flow or "duration" in flow or "00:00:09" in flow]


def test_a_flow_that_learns_is_not_a_learned_one() -> None:
    assert any("actions=learn(table=20,hard_timeout=300" in flow for flow in flows.parse(DUMP))


def test_the_same_flows_of_a_restarted_agent_are_equal() -> None:
    assert flows.parse(DUMP) == flows.parse(DUMP.replace("0x9d1", "0x77").replace("31.4s", "2s"))


def test_a_flow_more_is_seen() -> None:
    more = DUMP + DUMP.splitlines()[1].replace("00:00:02", "00:00:03") + "\n"
    assert len(flows.parse(more)) == len(flows.parse(DUMP)) + 1


def test_tunnels() -> None:
    assert flows.parse_tunnels(TUNNELS) == ["172.31.9.11", "172.31.9.12"]
    assert flows.parse_tunnels('{"data":[],"headings":["options"]}') == []
