# SPDX-License-Identifier: Apache-2.0
"""multisite-neutron-check: every rule finds its fault, and finds none where there is none."""

import pytest

from multisite_neutron import check

NEUTRON = """
[DEFAULT]
core_plugin = ml2
service_plugins = router
"""
ML2 = """
[ml2]
type_drivers = flat,vxlan
mechanism_drivers = openvswitch,l2population,remote_port
extension_drivers = port_security,remote_port
[ml2_type_vxlan]
vni_ranges = 1000:1999,3000:3100
[remote_port]
allowed_vteps = 172.31.0.0/24, 10.9.0.0/16
"""
AGENT = """
[ovs]
local_ip = 172.31.0.11
[agent]
tunnel_types = vxlan
l2_population = true
arp_responder = true
"""


@pytest.fixture
def site(tmp_path, capsys):
    """Gives a function that writes the files with some changes, runs the program, and returns status and output."""

    def run(*more, policy="{}", neutron=NEUTRON, ml2=ML2, agent=AGENT, **replaced):
        files = {"neutron.conf": neutron, "ml2_conf.ini": ml2, "ovs.ini": agent}
        for name, text in files.items():
            for old, new in replaced.get("change", ()):
                text = text.replace(old, new)
            if text is not None:
                (tmp_path / name).write_text(text)
        (tmp_path / "policy.yaml").write_text(policy)
        server = [
            "--config-file",
            str(tmp_path / "neutron.conf"),
            "--config-file",
            str(tmp_path / "ml2_conf.ini"),
        ]
        status = check.main([*server, "--agent-config", str(tmp_path / "ovs.ini"), *more])
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return run


def test_nothing_wrong(site):
    status, out = site()
    assert (status, out.splitlines()[-1]) == (0, "0 errors, 0 warnings"), out
    assert site("--quiet") == (0, "0 errors, 0 warnings\n")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("core_plugin = ml2", "core_plugin = other", "[DEFAULT] core_plugin: is other"),
        ("openvswitch,l2population", "openvswitch", "[ml2] mechanism_drivers: without l2population"),
        ("l2population,remote_port", "l2population", "[ml2] mechanism_drivers: without remote_port"),
        ("openvswitch,", "", "[ml2] mechanism_drivers: without openvswitch"),
        ("port_security,remote_port", "port_security", "[ml2] extension_drivers: without remote_port"),
        ("flat,vxlan", "flat,vlan", "[ml2] type_drivers: without vxlan"),
        ("3000:3100", "5500:6000", "[ml2_type_vxlan] vni_ranges: 5500:6000 holds VNIs 5500 to 5999"),
        ("3000:3100", "1:16777215", "holds VNIs 5000 to 5999"),
        ("3000:3100", "nonsense", "'nonsense' is no range of VNIs"),
        ("10.9.0.0/16", "10.9.0.1/16", "[remote_port] allowed_vteps: 10.9.0.1/16 has host bits set"),
        ("172.31.0.0/24, 10.9.0.0/16", "", "[remote_port] allowed_vteps: empty"),
        ("l2_population = true", "l2_population = false", "ovs.ini [agent] l2_population: off"),
        ("l2_population = true", "", "ovs.ini [agent] l2_population: off"),
        ("tunnel_types = vxlan", "tunnel_types = gre", "ovs.ini [agent] tunnel_types: without vxlan"),
        ("local_ip = 172.31.0.11", "", "ovs.ini [ovs] local_ip: is unset"),
        ("local_ip = 172.31.0.11", "local_ip = 2001:db8::1", "is not IPv4"),
    ],
)
def test_errors(site, old, new, expected):
    status, out = site(change=[(old, new)])
    assert status == 1
    assert any(line.startswith("error") and expected in line for line in out.splitlines()), out


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("openvswitch,l2population,remote_port", "openvswitch,remote_port,l2population", "is not the last"),
        ("port_security,remote_port", "remote_port", "without port_security"),
        ("service_plugins = router", "service_plugins = router,network_segment_range", "its ranges count"),
        ("allowed_vteps = 172.31.0.0/24, 10.9.0.0/16", "", "unset: any address is accepted"),
        ("10.9.0.0/16", "0.0.0.0/0", "0.0.0.0/0 allows any address"),
        ("10.9.0.0/16", "2001:db8::/64", "2001:db8::/64 is of no use"),
        ("arp_responder = true", "", "[agent] arp_responder: off"),
        ("arp_responder = true", "arp_responder = true\nvxlan_udp_port = 8472", "the same in all sites"),
    ],
)
def test_warnings(site, old, new, expected):
    status, out = site(change=[(old, new)])
    assert status == 0
    assert any(line.startswith("warning") and expected in line for line in out.splitlines()), out


@pytest.mark.parametrize(
    ("policy", "status", "expected"),
    [
        (
            '"get_port:tunneling_ip": ""',
            1,
            "error   policy get_port:tunneling_ip: lets members of a project do it",
        ),
        ('"create_port:tunneling_ip": "rule:admin_or_owner"', 1, "create_port:tunneling_ip: lets members"),
        ('"admin_only": "role:nobody"', 1, "policy update_port:tunneling_ip: keeps the role admin from it"),
        (
            '"get_port:tunneling_ip": "rule:admin_only"',
            0,
            "warning policy get_port:tunneling_ip: keeps the role service",
        ),
        ("[not: yaml", 1, "cannot be read"),
        ('"get_port:name": "rule:admin_only"', 0, "tunneling_ip is for admins and services"),
    ],
)
def test_policy(site, policy, status, expected):
    found, out = site(policy=policy)
    assert (found, expected in out) == (status, True), out


def test_called_wrongly(site, capsys, tmp_path):
    assert site("--stretched-vnis", "7")[0] == 2
    assert site(ml2="this is no ini file")[0] == 2
    assert check.main(["--config-file", str(tmp_path / "missing.conf")]) == 2
    assert "missing.conf" in capsys.readouterr().err


def test_other_vnis_of_stretched_networks(site):
    assert site("--stretched-vnis", "1500:1600")[0] == 1
    assert site("--stretched-vnis", "2000:2999,4000:4000")[0] == 0


def test_agents_that_nobody_looked_at(site, tmp_path, capsys):
    site()
    check.main(
        ["--config-file", str(tmp_path / "neutron.conf"), "--config-file", str(tmp_path / "ml2_conf.ini")]
    )
    assert "warning agents: no agent's file was read" in capsys.readouterr().out
