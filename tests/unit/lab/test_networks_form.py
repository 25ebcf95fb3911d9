"""The form with two compute hosts, routers and a lean third site: as data, without anything that runs."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest
from click.testing import CliRunner

from multisite_lab import boot, cli, form, lean, netns, paths, plugins, ready, render, segments
from multisite_lab.form import Form, Identity
from multisite_lab.model import ALL_SITES, HOSTS, SITES, LabError, machine_named, machines_of, site_named
from multisite_lab.passwords import Passwords
from multisite_lab.provision import external_pool
from multisite_lab.services import services
from multisite_lab.sites import kill_host

NETWORKS = Form(compute_hosts=2, l3=True, third=True)
IDENTITY = "00000000-0000-0000-0000-000000000001"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    venv = tmp_path / "venv"
    (venv / "etc/nova").mkdir(parents=True)
    (venv / "etc/nova/api-paste.ini").write_text(
        "keystone = authtoken keystonecontext osapi_compute_app_v21\n"
    )
    monkeypatch.setenv("MULTISITE_LAB_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(paths, "openstack_venv", lambda: venv)
    return tmp_path / "state"


def option(path: Path, section: str, name: str) -> str:
    parser = configparser.RawConfigParser(strict=True, allow_no_value=True)
    parser.read_string(path.read_text(), str(path))
    return parser[section][name]


def render_all() -> None:
    passwords = Passwords.generate()
    for site in form.sites().values():
        render.render_site(site, passwords, IDENTITY)
        for host in form.hosts(site):
            render.render_host(host, passwords, IDENTITY)


def test_what_up_is_told_is_remembered_and_said_again() -> None:
    form.choose(NETWORKS)
    assert form.current() == NETWORKS
    assert str(NETWORKS) == "--identity own --compute-hosts 2 --l3 --third"
    assert list(form.sites()) == ["site1", "site2", "site3"]
    assert [m.name for m in form.machines(site_named("site2"))] == ["site2", "site2-c2"]
    assert [m.name for m in form.machines(site_named("site3"))] == ["site3"]


def test_without_options_nothing_of_it_is_there(root: Path) -> None:
    form.choose(Form())
    assert form.sites() == SITES
    assert [form.machines(site) for site in SITES.values()] == [[site] for site in SITES.values()]
    render_all()
    text = "".join(file.read_text() for file in (root / "site1/etc").rglob("*") if file.is_file())
    for word in (
        "remote_port",
        "l3-agent",
        "libvirtd.pid --listen",
        "live_migration",
        "bin/ssh",
        "site1-c2",
        "multisite_neutron",
    ):
        assert word not in text
    assert option(root / "site1/etc/neutron/agent.conf", "ovs", "bridge_mappings") == "ext:br-ex"
    assert "listeners.tcp.1 = 127.0.0.1:5672" in (root / "site1/etc/rabbitmq/rabbitmq.conf").read_text()


@pytest.mark.parametrize(
    "wanted", [Form(Identity.STAR, compute_hosts=2), Form(Identity.STAR, l3=True), Form(compute_hosts=3)]
)
def test_forms_that_do_not_fit_are_refused(wanted: Form) -> None:
    with pytest.raises(LabError, match="--compute-hosts"):
        form.choose(wanted)


def test_names_and_addresses_are_all_different_and_fit_a_device() -> None:
    machines = [machine for site in ALL_SITES.values() for machine in machines_of(site)]
    for attribute in ("name", "namespace", "management", "vtep", "root", "supervisor_socket"):
        assert len({getattr(machine, attribute) for machine in machines}) == len(machines)
    # IFNAMSIZ: 15 letters
    assert all(len(netns._plug("m", machine, True)) <= 15 for machine in machines)
    assert len(netns.switch_of(site_named("site3"), "m")) <= 15


def test_a_host_is_found_by_both_of_its_names() -> None:
    form.choose(NETWORKS)
    site = site_named("site1")
    for name, machine in (("", site), ("c1", site), ("site1", site), ("c2", HOSTS["site1-c2"])):
        assert form.machine(site, name) == machine
    assert machine_named("site1-c2") == form.machine(site, "site1-c2")
    with pytest.raises(LabError, match=r"no compute host 'c3'.*site1, site1-c2"):
        form.machine(site, "c3")
    with pytest.raises(LabError, match="no compute host"):
        form.machine(site, "site2-c2")


def test_the_control_plane_is_not_lost_by_mistake() -> None:
    form.choose(NETWORKS)
    with pytest.raises(LabError, match="multisite-lab kill site1"):
        kill_host("site1", "c1")


def test_everything_a_boot_needs_is_there_in_every_machine() -> None:
    form.choose(NETWORKS)
    for site in form.sites().values():
        for machine in form.machines(site):
            nodes = [*boot.tasks(machine), *services(machine)]
            names = [node.name for node in nodes]
            assert len(set(names)) == len(names)
            assert {need for node in nodes for need in node.needs} <= set(names)
            assert set(ready.agents(machine)) <= set(names)


def test_who_runs_what() -> None:
    form.choose(NETWORKS)
    runs = {
        machine.name: {service.name for service in services(machine)}
        for site in form.sites().values()
        for machine in form.machines(site)
    }
    assert {"neutron-l3-agent", "neutron-dhcp-agent", "nova-compute", "libvirtd"} <= runs["site1"] & runs[
        "site1-c2"
    ]
    assert not {"mariadb", "rabbitmq", "nova-api", "neutron-api", "cinder-volume"} & runs["site1-c2"]
    assert runs["site3"] == set(lean.SERVICES)


def test_hosts_are_told_apart_and_find_their_site(root: Path) -> None:
    form.choose(NETWORKS)
    render_all()
    main, host = root / "site1/etc", root / "site1/hosts/c2/etc"
    for file, section, name, there in (
        ("nova/nova-compute.conf", "DEFAULT", "host", "site1-c2"),
        ("nova/nova-compute.conf", "DEFAULT", "my_ip", "192.168.251.21"),
        ("nova/nova-compute.conf", "libvirt", "live_migration_inbound_addr", "192.168.251.21"),
        ("neutron/agent.conf", "ovs", "local_ip", "172.31.9.21"),
    ):
        assert option(host / file, section, name) == there
        assert option(main / file, section, name) != there
    for name in ("transport_url", "instances_path"):
        shared = [option(etc / "nova/nova-compute.conf", "DEFAULT", name) for etc in (main, host)]
        assert shared[0] == shared[1]
    assert option(host / "nova/nova-compute.conf", "DEFAULT", "state_path") != option(
        main / "nova/nova-compute.conf", "DEFAULT", "state_path"
    )
    assert "listeners.tcp.1 = 192.168.251.11:5672" in (main / "rabbitmq/rabbitmq.conf").read_text()
    uuids = [(etc / "libvirt/libvirtd.conf").read_text().partition("host_uuid")[2] for etc in (main, host)]
    assert uuids[0] != uuids[1]
    assert (host / "bin/ssh").stat().st_mode & 0o777 == 0o700


def test_the_lean_site_has_neutron_without_nova(root: Path) -> None:
    form.choose(NETWORKS)
    render_all()
    etc = root / "site3/etc"
    assert option(etc / "neutron/neutron.conf", "DEFAULT", "notify_nova_on_port_status_changes") == "false"
    assert option(etc / "neutron/neutron.conf", "ml2_type_vxlan", "vni_ranges") == "3000:3999"
    assert not (etc / "nova").exists()
    assert not (etc / "ceph").exists()


@pytest.mark.parametrize("available", [True, False])
def test_neutron_loads_the_drivers_when_the_plugin_has_them(
    root: Path, monkeypatch: pytest.MonkeyPatch, available: bool
) -> None:
    form.choose(NETWORKS)
    monkeypatch.setattr(plugins, "driver_available", lambda: available)
    render_all()
    for site in form.sites():
        file = root / site / "etc/neutron/neutron.conf"
        assert option(file, "ml2", "mechanism_drivers").endswith(",remote_port") is available
        assert option(file, "ml2", "extension_drivers").endswith(",remote_port") is available
        assert ("allowed_vteps = 172.31.9.0/24" in file.read_text()) is available


def test_a_plugin_counts_only_with_both_of_its_drivers(root: Path) -> None:
    info = root / "plugins" / "multisite_neutron-0.1.0.dist-info"
    info.mkdir(parents=True)
    entry = "[neutron.ml2.{}_drivers]\nremote_port = multisite_neutron.x:Y\n"
    assert not plugins.driver_available()
    (info / "entry_points.txt").write_text(entry.format("mechanism"))
    assert not plugins.driver_available()
    (info / "entry_points.txt").write_text(entry.format("mechanism") + entry.format("extension"))
    assert plugins.driver_available()


def test_each_site_has_its_own_part_of_the_external_segment() -> None:
    assert [external_pool(site) for site in ALL_SITES.values()] == [
        ("203.0.113.50", "203.0.113.89"),
        ("203.0.113.100", "203.0.113.139"),
        ("203.0.113.150", "203.0.113.189"),
    ]


def test_the_command_says_which_hosts_there_may_be() -> None:
    done = CliRunner().invoke(cli.main, ["up", "--compute-hosts", "3"])
    assert done.exit_code == 2
    assert "1<=x<=2" in done.output


@pytest.mark.parametrize("asked", [{}, {"port": 22, "icmp": True}])
def test_a_probe_asks_one_thing(asked: dict[str, object]) -> None:
    with pytest.raises(LabError, match="either a TCP port or icmp=True"):
        segments.probe_from_core("192.0.2.1", **asked)  # type: ignore[arg-type]


def test_an_unknown_segment_is_named_with_those_there_are() -> None:
    with pytest.raises(LabError, match="underlay, external"), segments.sniff("overlay"):
        pass
