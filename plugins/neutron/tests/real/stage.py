# SPDX-License-Identifier: Apache-2.0
"""A real Neutron with one compute host: MariaDB, RabbitMQ, Open vSwitch in user space, three servers, the OVS agent.

Everything runs in the namespaces the tests were started in (test_real.py says how) and ends with them.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import requests

from multisite_lab import golden, install, paths
from multisite_lab.mariadb import execute, server_command

PLUGIN = Path(__file__).parents[2]
API = "http://127.0.0.1:9696/v2.0"
HOST, VTEP = "here", "172.31.0.11"
DOWN_TIME = 15
PATIENCE = float(os.environ.get("MULTISITE_PATIENCE", "120"))
"""Seconds to wait for a program to come up; more on a busy machine."""

NEUTRON = """
[DEFAULT]
core_plugin = ml2
service_plugins =
auth_strategy = noauth
api_paste_config = {venv}/etc/neutron/api-paste.ini
transport_url = rabbit://lab:lab@127.0.0.1:5672/
state_path = {root}/state
host = {host}
global_physnet_mtu = 1550
rpc_workers = 1
rpc_state_report_workers = 0
agent_down_time = {down}
rpc_response_timeout = 30
notify_nova_on_port_status_changes = false
notify_nova_on_port_data_changes = false
use_stderr = true
[database]
connection = mysql+pymysql://lab:{password}@127.0.0.1:3306/neutron?charset=utf8mb4
[oslo_concurrency]
lock_path = {root}/lock
[oslo_messaging_rabbit]
heartbeat_in_pthread = false
[ml2]
type_drivers = flat,vxlan
tenant_network_types = vxlan
mechanism_drivers = {mechanisms}
extension_drivers = port_security,remote_port
[ml2_type_vxlan]
vni_ranges = 1000:1999
[remote_port]
allowed_vteps = 172.31.0.0/16
"""
AGENT = """
[DEFAULT]
host = {host}
transport_url = rabbit://lab:lab@127.0.0.1:5672/
state_path = {root}/agent
use_stderr = true
rpc_response_timeout = 30
[agent]
report_interval = 5
root_helper = sudo
tunnel_types = vxlan
l2_population = true
arp_responder = true
[ovs]
local_ip = {vtep}
datapath_type = netdev
ovsdb_connection = tcp:127.0.0.1:6640
[securitygroup]
firewall_driver = openvswitch
[oslo_concurrency]
lock_path = {root}/lock
[oslo_messaging_rabbit]
heartbeat_in_pthread = false
"""
RABBIT = {
    "RABBITMQ_NODENAME": "lab@localhost",
    "RABBITMQ_CONF_ENV_FILE": "/dev/null",
    "ERL_EPMD_ADDRESS": "127.0.0.1",
    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
        "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none"
    ),
}


def until(condition, what, seconds=None):
    """Wait for it; return its value and after how many seconds it was there."""
    begun = time.monotonic()
    while not (value := condition()):
        assert time.monotonic() - begun < (seconds or PATIENCE), f"{what} did not happen in time"
        time.sleep(0.1)
    return value, time.monotonic() - begun


class Stage:
    def __init__(self, root, mechanisms="openvswitch,l2population,remote_port"):
        names = {name for _, name in socket.if_nameindex()}  # not /sys: that is of where it was mounted
        assert names <= {"lo", "ovs-netdev", "br-phy", "br-int", "br-tun"}, (
            "start these in a network of their own"
        )
        self.root, self.log = root, root / "log"
        self.venv = paths.openstack_venv()
        for name in ("log", "bin", "run", "state", "agent", "lock", "rabbit", "home"):
            (root / name).mkdir()
        self.password = json.loads((golden.location() / "passwords.json").read_text())["service"]
        values = {"root": root, "venv": self.venv, "host": HOST, "vtep": VTEP, "down": DOWN_TIME}
        values |= {"password": self.password, "mechanisms": mechanisms}
        (root / "neutron.conf").write_text(NEUTRON.format(**values))
        (root / "agent.conf").write_text(AGENT.format(**values))
        (root / "bin/sudo").write_text('#!/bin/bash\nwhile [[ "$1" == -* ]]; do shift; done\nexec "$@"\n')
        (root / "bin/sudo").chmod(0o755)
        self.environment = os.environ | {
            "PATH": f"{root}/bin:{self.venv}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": f"{root}/plugin",
            "PYTHONWARNINGS": "ignore",
            "HOME": str(root / "home"),
            "XDG_CACHE_HOME": str(root / "home"),
        }
        self.running = {}
        self.begun = time.monotonic()

    def say(self, text):
        print(f"{time.monotonic() - self.begun:7.1f} s  {text}", flush=True)

    def run(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def start(self, name, *command, **environment):
        with (self.log / name).open("a") as log:
            self.running[name] = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.environment | environment,
                start_new_session=True,
            )  # fmt: skip

    def kill(self, name):
        """As by kill -9, with its children."""
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def end(self):
        for name in list(self.running):
            self.kill(name)

    # the parts

    def up(self):
        self._machine()
        self._plugin()
        self.start(
            "mariadb", *server_command(self.root / "mysql", self.root / "run", self.log / "mariadb.err")
        )
        folder = self.root / "rabbit"
        (folder / "enabled").write_text("[].")
        (folder / "rabbitmq.conf").write_text("listeners.tcp.1 = 127.0.0.1:5672\nloopback_users = none\n")
        rabbit = RABBIT | {
            "HOME": str(folder), "RABBITMQ_MNESIA_BASE": str(folder), "RABBITMQ_LOG_BASE": str(self.log),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"), "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
        }  # fmt: skip
        self.start("rabbitmq", "/usr/lib/rabbitmq/bin/rabbitmq-server", **rabbit)
        self._switch()
        until(lambda: (self.root / "run/mysql.sock").is_socket(), "MariaDB")
        self.say("MariaDB is up")
        self.environment |= rabbit
        until(lambda: not subprocess.run(
            ["/usr/lib/rabbitmq/bin/rabbitmqctl", "-q", "await_startup", "--timeout", "20"],
            env=self.environment, capture_output=True,
        ).returncode, "RabbitMQ")  # fmt: skip
        for command in (("add_user", "lab", "lab"), ("set_permissions", "lab", ".*", ".*", ".*")):
            self.run("/usr/lib/rabbitmq/bin/rabbitmqctl", "-q", *command)
        self.environment["HOME"] = str(self.root / "home")
        self.say("RabbitMQ is up")
        self.servers()
        self.agent()
        until(lambda: self._get("extensions"), "Neutron's API")
        self.say("Neutron's API is up")
        until(lambda: any(a["host"] == HOST and a["alive"] for a in self.get("agents")), "the agent")
        self.say("the agent is up")

    def servers(self):
        conf = str(self.root / "neutron.conf")
        flags = "--processes 1 --threads 4 --enable-threads --lazy-apps --need-app --die-on-term --buffer-size 65535"
        self.start(
            "api", f"{self.venv}/bin/uwsgi", "--http-socket", "127.0.0.1:9696", "--module",
            "neutron.wsgi.api:application", *flags.split(), "--set", "start-time=%t",
            "--pyargv", f"--config-file {conf}",
            OS_NEUTRON_CONFIG_DIR=str(self.root), OS_NEUTRON_CONFIG_FILES="neutron.conf",
        )  # fmt: skip
        self.start("rpc", f"{self.venv}/bin/neutron-rpc-server", "--config-file", conf)
        self.periodic()

    def periodic(self):
        self.start(
            "periodic",
            f"{self.venv}/bin/neutron-periodic-workers",
            "--config-file",
            f"{self.root}/neutron.conf",
        )

    def agent(self):
        self.start(
            "agent", f"{self.venv}/bin/neutron-openvswitch-agent", "--config-file", f"{self.root}/agent.conf"
        )

    def _machine(self):
        self.run("ip", "link", "set", "lo", "up")
        for name in ("/run/openvswitch", "/etc/openvswitch", "/var/log/openvswitch", "/run/netns"):
            Path(name).mkdir(exist_ok=True)
            self.run("mount", "-t", "tmpfs", "tmpfs", name)
        self.run("cp", "-a", str(golden.location() / "mysql"), str(self.root / "mysql"))

    def _plugin(self):
        """Install it as an operator does, entry points and all."""
        source = self.root / "source"
        shutil.copytree(PLUGIN, source, ignore=shutil.ignore_patterns("__pycache__", "tests"))
        self.run(
            str(install.uv()), "pip", "install", "--quiet", "--no-deps", "--target", str(self.root / "plugin"),
            "--python", str(self.venv / "bin/python"), str(source),
        )  # fmt: skip
        self.say("plugin installed")

    def _switch(self):
        quiet = ("-vsyslog:off", "-vconsole:off", "--pidfile")
        database = "/etc/openvswitch/conf.db"
        self.run("ovsdb-tool", "create", database, "/usr/share/openvswitch/vswitch.ovsschema")
        remotes = ("--remote=punix:/run/openvswitch/db.sock", "--remote=ptcp:6640:127.0.0.1")
        self.start("ovsdb", "/usr/sbin/ovsdb-server", database, *remotes, *quiet)
        until(lambda: Path("/run/openvswitch/db.sock").is_socket(), "ovsdb-server")
        self.run("ovs-vsctl", "--no-wait", "init")
        self.start("vswitchd", "/usr/sbin/ovs-vswitchd", "unix:/run/openvswitch/db.sock", *quiet)
        bridge = ("add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev")
        self.run(
            "ovs-vsctl", "--timeout=120", *bridge, "--", "br-set-external-id", "br-phy", "bridge-id", "br-phy"
        )
        self.run("ip", "addr", "add", f"{VTEP}/16", "dev", "br-phy")
        self.run("ip", "link", "set", "br-phy", "up", "mtu", "1600")
        self.say("Open vSwitch is up")

    # asking Neutron

    def _get(self, path):
        try:
            return requests.get(f"{API}/{path}", timeout=60).ok
        except requests.RequestException:
            return False

    def ask(self, method, path, body=None, expected=(200, 201, 204)):
        answer = requests.request(method, f"{API}/{path}", json=body, timeout=180)
        assert answer.status_code in expected, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else {}

    def get(self, kind, query=""):
        return self.ask("GET", f"{kind}{query}")[kind]

    def shadow_agents(self):
        return {a["host"]: a for a in self.get("agents") if a["agent_type"] == "Remote VTEP"}

    # asking the switch

    def plug(self, port):
        """Give the host a port of br-int, as Nova does."""
        tap = "tap" + port["id"][:11]
        ids = (f"external-ids:iface-id={port['id']}", f"external-ids:attached-mac={port['mac_address']}")
        self.run("ovs-vsctl", "add-port", "br-int", tap, "--", "set", "Interface", tap, "type=internal", *ids)

    def flows(self, mac):
        """Forwarding entries for a MAC address; those learned from traffic do not count."""
        lines = subprocess.run(
            ["ovs-ofctl", "dump-flows", "br-tun"], capture_output=True, text=True
        ).stdout.splitlines()
        return [line for line in lines if mac in line and "hard_timeout" not in line and "dl_dst" in line]

    def tunnels(self):
        """Endpoints there is a tunnel to."""
        found = subprocess.run(
            ["ovs-vsctl", "list-ports", "br-tun"], capture_output=True, text=True
        ).stdout.split()
        return {".".join(str(b) for b in bytes.fromhex(n[6:])) for n in found if n.startswith("vxlan-")}

    def sql(self, text):
        return execute(self.root / "run", text)
