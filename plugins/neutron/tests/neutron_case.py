# SPDX-License-Identifier: Apache-2.0
"""A real Neutron (ML2, its API, SQLite) with this plugin, on Neutron's own test base.

Only the message bus is cut off: what l2population would send to the agents is recorded (`fdb`).
"""

import contextlib
from unittest import mock

import sqlalchemy
from neutron.tests.common import helpers
from neutron.tests.unit.plugins.ml2 import test_plugin
from neutron_lib import constants, context
from neutron_lib.api.definitions import portbindings, provider_net
from neutron_lib.db import api as db_api
from neutron_lib.plugins import directory
from oslo_config import cfg

from multisite_neutron import names, options

HOST, VTEP = "here-1", "20.0.0.1"
HOST_2, VTEP_2 = "here-2", "20.0.0.2"
REMOTE, REMOTE_2 = "172.31.0.21", "172.31.0.22"
MAC = "fa:16:3e:00:00:01"
L2POP = "neutron.plugins.ml2.drivers.l2pop.rpc.L2populationAgentNotifyAPI."
FLOOD = ("00:00:00:00:00:00", "0.0.0.0")


class RemotePortCase(test_plugin.Ml2PluginV2TestCase):
    _mechanism_drivers = ["openvswitch", "l2population", "remote_port"]
    _extension_drivers = ["port_security", "remote_port"]

    def setUp(self):
        cfg.CONF.set_override("extension_drivers", self._extension_drivers, group="ml2")
        super().setUp()
        options.register(cfg.CONF)
        mock.patch("neutron.plugins.ml2.rpc.AgentNotifierApi").start()
        self.fdb = []
        mock.patch(L2POP + "_notification_fanout", side_effect=self._fanout).start()
        mock.patch(L2POP + "_notification_host", side_effect=self._to_host).start()
        mock.patch("neutron.plugins.ml2.drivers.l2pop.db.get_agent_uptime", return_value=190).start()
        self.admin = context.get_admin_context()
        helpers.register_ovs_agent(host=HOST, tunneling_ip=VTEP)
        helpers.register_ovs_agent(host=HOST_2, tunneling_ip=VTEP_2)
        self.ml2 = directory.get_plugin()
        self.network, self.subnet_id = self.vxlan(5001)

    def _fanout(self, _context, method, entries):
        self.fdb.append((method, entries, None))

    def _to_host(self, _context, method, entries, host):
        self.fdb.append((method, entries, host))

    def vxlan(self, vni, kind="vxlan"):
        asked = {provider_net.NETWORK_TYPE: kind, provider_net.SEGMENTATION_ID: str(vni)}
        if kind == "vlan":
            asked[provider_net.PHYSICAL_NETWORK] = "physnet1"
        made = self._make_network(self.fmt, f"n{vni}", True, as_admin=True, arg_list=tuple(asked), **asked)
        # as in a stretched network: remote ports have addresses this site gives to nobody
        pool = [{"start": "10.99.0.100", "end": "10.99.0.250"}]
        subnet = self._make_subnet(
            self.fmt, made, "10.99.0.1", "10.99.0.0/24", allocation_pools=pool, as_admin=True
        )
        return made["network"]["id"], subnet["subnet"]["id"]

    # requests

    def send(self, method, path, body=None, role="admin", params=None):
        """Send a request as a user of a role; return status and answer."""
        kind, _, ident = path.partition("/")
        ask = {"admin": self._admin_req, "service": self._service_req, "member": self._member_req}[role]
        response = ask(method, kind, body, id=ident or None, params=params).get_response(self.api)
        return response.status_int, (response.json if response.body else {})

    def wanted(self, number=50, vtep=REMOTE, **values):
        port = {
            "network_id": self.network,
            "project_id": self._project_id,
            "name": f"paris/{number}",
            "device_owner": names.DEVICE_OWNER,
            "device_id": f"real-{number}",
            "mac_address": f"fa:16:3e:00:00:{number:02x}",
            "fixed_ips": [{"subnet_id": self.subnet_id, "ip_address": f"10.99.0.{number}"}],
            "tunneling_ip": vtep,
        }
        return {"port": {k: v for k, v in (port | values).items() if v is not ...}}

    def remote(self, number=50, vtep=REMOTE, **values):
        status, answer = self.send("POST", "ports", self.wanted(number, vtep, **values))
        self.assertEqual(201, status, answer)
        return answer["port"]

    def ordinary(self, host=HOST, **values):
        body = {"network_id": self.network, "project_id": self._project_id, "device_owner": "compute:x"}
        body |= {portbindings.HOST_ID: host} if host else {}
        status, answer = self.send("POST", "ports", {"port": body | values})
        self.assertEqual(201, status, answer)
        return answer["port"]

    def up(self, port):
        """The agent of an ordinary port's host says that the port is wired."""
        self.ml2.update_port_status(self.admin, port["id"], constants.PORT_STATUS_ACTIVE)

    def refused(self, status, answer, *words, code=400):
        self.assertEqual(code, status, answer)
        message = answer["NeutronError"]["message"]
        for word in words:
            self.assertIn(word, message)

    def agents(self):
        listed = self.send("GET", "agents")[1]["agents"]
        return {a["host"]: a for a in listed if a["agent_type"] == names.AGENT_TYPE}

    def delete_agent(self, vtep=REMOTE):
        status, _ = self.send("DELETE", f"agents/{self.agents()[names.host_of(vtep)]['id']}")
        self.assertEqual(204, status)

    # what agents were told

    def told(self, method, vtep=REMOTE):
        """Entries of an endpoint in messages to all agents, in order."""
        return [
            tuple(entry)
            for name, entries, host in self.fdb
            if name == method and host is None and self.network in entries
            for entry in entries[self.network]["ports"].get(vtep, [])
        ]

    def forget(self):
        self.fdb.clear()

    @contextlib.contextmanager
    def queries(self):
        """Statements sent to the database meanwhile."""
        seen = []

        def note(_connection, _cursor, statement, *_rest):
            if statement != "BEGIN":
                seen.append(statement)

        engine = db_api.get_context_manager().writer.get_engine()
        sqlalchemy.event.listen(engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            sqlalchemy.event.remove(engine, "before_cursor_execute", note)
