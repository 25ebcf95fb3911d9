"""The programs of a site, in the order in which they should get the processors."""

from __future__ import annotations

import os
import sys

from multisite_lab import form, lean, paths, uwsgi
from multisite_lab.mariadb import server_command
from multisite_lab.model import PORTS, Host, Machine, Site
from multisite_lab.program import FIRST, Service, base_environment, lab_environment
from multisite_lab.star.programs import programs


def services(machine: Machine) -> list[Service]:
    """Every program of a machine, in the order in which they should get the processors.

    The order is how long each takes until others can use it; only volumes, compute and backup wait for
    Ceph, whose first start is the longest chain.
    """
    if isinstance(machine, Host):
        return _further_host(machine)
    site = machine
    whole = [*_storage(site), *_foundations(site), *_control(site), *_workers(site)]
    if form.lean(site):
        return [service for service in whole if service.name in lean.SERVICES]
    if not form.shared():
        return whole
    kept = [service for service in whole if service.name != "keystone"] if form.whole(site) else []
    return [*programs(site), *kept]


def _storage(site: Site) -> list[Service]:
    environment = base_environment(site)
    common = ("-f", "-c", "/etc/ceph/ceph.conf", "--setuser", "root", "--setgroup", "root")
    return [
        Service(
            "ceph-mon",
            (*FIRST, "/usr/bin/ceph-mon", "-i", "a", *common),
            ("ceph-format",),
            f"tcp:{site.management}:3300",
            environment,
            "deb:ceph-mon",
        ),
        Service(
            "ceph-osd",
            (*FIRST, "/usr/bin/ceph-osd", "-i", "0", *common),
            ("ceph-disk",),
            "",
            environment,
            "deb:ceph-osd",
        ),
        Service(
            "ceph-mgr",
            ("/usr/bin/ceph-mgr", "-i", "x", *common),
            ("ceph-mon",),
            "",
            environment,
            "deb:ceph-mgr",
        ),
        *_mirror(site),
    ]


def _mirror(site: Site) -> list[Service]:
    if not form.current().replication:
        return []
    command = ("/usr/bin/rbd-mirror", "-f", "-c", "/etc/ceph/ceph.conf", "--id", "rbd-mirror.a")
    user = ("--setuser", "root", "--setgroup", "root", "--log-file", f"{site.log}/rbd-mirror.log")
    return [
        Service("rbd-mirror", (*command, *user), ("ceph-pool",), "", base_environment(site), "deb:rbd-mirror")
    ]


def _foundations(site: Site) -> list[Service]:
    environment = base_environment(site)
    return [
        Service(
            "mariadb",
            FIRST + server_command(site.var / "mysql", site.run, site.log / "mariadb.log"),
            (),
            "tcp:127.0.0.1:3306",
            environment,
            "deb:mariadb-server",
        ),
        Service(
            "rabbitmq",
            (*FIRST, "/usr/lib/rabbitmq/bin/rabbitmq-server"),
            (),
            f"tcp:{form.queue_address(site)}:5672",
            environment | _rabbit(site),
            "deb:rabbitmq-server",
        ),
        *_compute_host(site),
    ]


def _compute_host(site: Machine) -> list[Service]:
    environment = base_environment(site)
    # Guests move from host to host over the management network.
    listen = ("--listen",) if form.current().compute_hosts > 1 else ()
    return [
        *_switch(site),
        Service(
            "libvirtd",
            (
                "/usr/sbin/libvirtd",
                "--config",
                "/etc/libvirt/libvirtd.conf",
                "--pid-file",
                f"{site.run}/libvirtd.pid",
                *listen,
            ),
            (),
            "unix:/run/libvirt/libvirt-sock",
            environment,
            "deb:libvirt-daemon",
        ),
        Service("tap-guard", (sys.executable, "-m", "multisite_lab.tapguard"), (), "", lab_environment(site)),
    ]


def _switch(site: Machine) -> list[Service]:
    environment = base_environment(site)
    quiet = ("-vsyslog:off", "-vconsole:off", "--log-file", "--pidfile")
    return [
        Service(
            "ovsdb-server",
            (
                "/usr/sbin/ovsdb-server",
                "/etc/openvswitch/conf.db",
                "--remote=punix:/run/openvswitch/db.sock",
                "--remote=ptcp:6640:127.0.0.1",
                *quiet,
            ),
            ("ovs-database",),
            "unix:/run/openvswitch/db.sock",
            environment,
            "deb:openvswitch-switch",
        ),
        Service(
            "ovs-vswitchd",
            ("/usr/sbin/ovs-vswitchd", "unix:/run/openvswitch/db.sock", *quiet),
            ("ovsdb-server",),
            "",
            environment,
            "deb:openvswitch-switch",
        ),
    ]


def _control(site: Site) -> list[Service]:
    etc, log = site.etc, site.log
    queue = ("rabbitmq", "database")
    # APIs ask for the queue at their first call only: their long imports fill the time it takes to come up.
    early = ("database",)
    drivers = _with_plugins(site) if form.current().networks else {}
    return [
        _api(site, "keystone", "keystone.wsgi.api", early, {"OS_KEYSTONE_CONFIG_DIR": f"{etc}/keystone"}),
        _api(site, "placement", "placement.wsgi.api", early, {"OS_PLACEMENT_CONFIG_DIR": f"{etc}/placement"}),
        _api(site, "glance", "glance.wsgi.api", early, {"OS_GLANCE_CONFIG_DIR": f"{etc}/glance"}),
        _daemon(site, "nova-conductor", f"{etc}/nova/nova.conf", queue),
        _daemon(site, "neutron-rpc-server", f"{etc}/neutron/neutron.conf", queue, True, drivers),
        _api(
            site,
            "neutron",
            "neutron.wsgi.api",
            early,
            {"OS_NEUTRON_CONFIG_DIR": f"{etc}/neutron", "OS_NEUTRON_CONFIG_FILES": "neutron.conf"} | drivers,
            f"--config-file {etc}/neutron/neutron.conf --log-file {log}/neutron-api.log",
        ),
        _daemon(
            site, "neutron-openvswitch-agent", f"{etc}/neutron/agent.conf", ("rabbitmq", "ovs-bridges"), True
        ),
        # The plugin's watchdog lives in threads of this process: threads, and an application loaded late.
        _api(
            site,
            "nova",
            "nova.wsgi.osapi_compute",
            early,
            {"OS_NOVA_CONFIG_DIR": f"{etc}/nova"} | _with_plugins(site),
            f"--log-file {log}/nova-api.log",
        ),
        _api(
            site,
            "cinder",
            "cinder.wsgi.api",
            early,
            {},
            f"--config-file {etc}/cinder/cinder.conf --log-file {log}/cinder-api.log",
        ),
    ]


def _workers(site: Site) -> list[Service]:
    etc = site.etc
    queue = ("rabbitmq", "database")
    stored = (*queue, "ceph-pool")
    drivers = _with_plugins(site) if form.current().networks else {}
    return [
        _daemon(site, "nova-compute", f"{etc}/nova/nova-compute.conf", (*stored, "libvirtd", "ovs-bridges")),
        _daemon(site, "cinder-volume", f"{etc}/cinder/cinder.conf", stored),
        _daemon(
            site, "neutron-dhcp-agent", f"{etc}/neutron/agent.conf", (*queue, "ovs-bridges"), logged=True
        ),
        *_router_agent(site, (*queue, "ovs-bridges")),
        _daemon(site, "nova-scheduler", f"{etc}/nova/nova.conf", queue),
        _daemon(site, "cinder-scheduler", f"{etc}/cinder/cinder.conf", queue),
        _daemon(site, "cinder-backup", f"{etc}/cinder/cinder.conf", stored),
        _daemon(site, "neutron-periodic-workers", f"{etc}/neutron/neutron.conf", queue, True, drivers),
    ]


def _further_host(host: Host) -> list[Service]:
    """What runs at a compute host without a control plane; its queue and databases are its site's."""
    agents, needs = f"{host.etc}/neutron/agent.conf", ("control-plane", "ovs-bridges")
    return [
        *_compute_host(host),
        _daemon(host, "neutron-openvswitch-agent", agents, needs, logged=True),
        _daemon(host, "nova-compute", f"{host.etc}/nova/nova-compute.conf", (*needs, "libvirtd")),
        _daemon(host, "neutron-dhcp-agent", agents, needs, logged=True),
        *_router_agent(host, needs),
    ]


def _router_agent(machine: Machine, needs: tuple[str, ...]) -> list[Service]:
    if not form.current().l3:
        return []
    return [_daemon(machine, "neutron-l3-agent", f"{machine.etc}/neutron/agent.conf", needs, logged=True)]


def _with_plugins(site: Site) -> dict[str, str]:
    """Import path of a service that loads the project's plugins."""
    return {"PYTHONPATH": os.pathsep.join((base_environment(site)["PYTHONPATH"], f"{paths.state()}/plugins"))}


def _api(
    site: Site,
    name: str,
    module: str,
    needs: tuple[str, ...],
    environment: dict[str, str],
    arguments: str = "",
) -> Service:
    address = f"{site.management}:{PORTS[name]}"
    package = {"placement": "openstack-placement"}.get(name, name)
    suffix = "" if name in ("keystone", "placement", "glance") else "-api"
    return Service(
        f"{name}{suffix}",
        uwsgi.command(name, module, address, arguments),
        needs,
        f"tcp:{address}",
        base_environment(site) | environment,
        package,
    )


def _daemon(
    site: Machine,
    name: str,
    config: str,
    needs: tuple[str, ...],
    logged: bool = False,
    environment: dict[str, str] | None = None,
) -> Service:
    command = [f"{paths.openstack_venv()}/bin/{name}", "--config-file", config]
    if logged:
        # Neutron names its log after the program only when told.
        command += ["--log-file", f"{site.log}/{name}.log"]
    variables = base_environment(site) | (environment or {})
    return Service(name, tuple(command), needs, "", variables, name.partition("-")[0])


def _rabbit(site: Site) -> dict[str, str]:
    etc, home = site.etc / "rabbitmq", site.var / "rabbitmq"
    return {
        "HOME": str(home),
        "RABBITMQ_NODENAME": "lab@localhost",
        "RABBITMQ_CONFIG_FILE": f"{etc}/rabbitmq",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_ADVANCED_CONFIG_FILE": f"{etc}/advanced.config",
        "RABBITMQ_ENABLED_PLUGINS_FILE": f"{etc}/enabled_plugins",
        "RABBITMQ_MNESIA_BASE": f"{home}/mnesia",
        "RABBITMQ_LOG_BASE": f"{site.log}/rabbitmq",
        "RABBITMQ_PID_FILE": f"{site.run}/rabbitmq.pid",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": "5672",
        "RABBITMQ_NODE_IP_ADDRESS": form.queue_address(site),
        # One scheduler that does not spin: the defaults would burn the lab's two cores while idle.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none"
        ),
    }
