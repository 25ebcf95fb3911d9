# SPDX-License-Identifier: Apache-2.0
"""A remote port's life, and what l2population tells the agents of it; with both orders of drivers."""

from neutron_case import FLOOD, HOST, REMOTE, REMOTE_2, VTEP, RemotePortCase
from neutron_lib.db import api as db_api
from neutron_lib.plugins import directory

from multisite_neutron import names


class TestRemotePort(RemotePortCase):
    def entry(self, number=50):
        return (f"fa:16:3e:00:00:{number:02x}", f"10.99.0.{number}")

    def test_is_active_and_announced_at_once(self):
        port = self.remote()
        self.assertEqual("ACTIVE", self.send("GET", f"ports/{port['id']}")[1]["port"]["status"])
        self.assertEqual("other", port["binding:vif_type"])
        self.assertEqual("remote-vtep-" + REMOTE, port["binding:host_id"])
        self.assertEqual(REMOTE, port["tunneling_ip"])
        self.assertEqual([FLOOD, self.entry()], self.told("add_fdb_entries"))
        (agent,) = self.agents().values()
        self.assertEqual(("neutron-remote-port", True), (agent["binary"], agent["alive"]))

    def test_an_agent_whose_first_port_comes_up_is_told_of_remote_ports(self):
        self.remote()
        local = self.ordinary()
        self.forget()
        self.callbacks_up(local)
        told = [entries[self.network]["ports"][REMOTE] for _, entries, host in self.fdb if host == HOST]
        self.assertTrue(told)
        for entries in told:
            self.assertEqual([FLOOD, self.entry()], [tuple(entry) for entry in entries])

    def callbacks_up(self, port):
        from neutron.plugins.ml2 import managers, rpc

        handler = rpc.RpcCallbacks(rpc.AgentNotifierApi("agent"), managers.TypeManager())
        handler.update_device_up(self.admin, agent_id=HOST, device="tap" + port["id"], host=HOST)

    def test_delete_withdraws_the_port_and_with_the_last_the_flooding(self):
        first, second = self.remote(50), self.remote(51)
        self.forget()
        self.assertEqual(204, self.send("DELETE", f"ports/{first['id']}")[0])
        self.assertEqual([self.entry(50)], self.told("remove_fdb_entries"))
        self.forget()
        self.assertEqual(204, self.send("DELETE", f"ports/{second['id']}")[0])
        self.assertEqual([FLOOD, self.entry(51)], self.told("remove_fdb_entries"))

    def test_delete_withdraws_the_port_though_somebody_deleted_the_shadow_agent(self):
        port = self.remote()
        self.delete_agent()
        self.forget()
        self.assertEqual(204, self.send("DELETE", f"ports/{port['id']}")[0])
        self.assertEqual([FLOOD, self.entry()], self.told("remove_fdb_entries"))

    def test_another_endpoint_withdraws_here_and_announces_there(self):
        port = self.remote()
        for deleted in (False, True):
            old, new = (REMOTE_2, REMOTE) if deleted else (REMOTE, REMOTE_2)
            if deleted:
                self.delete_agent(old)
            self.forget()
            status, answer = self.send("PUT", f"ports/{port['id']}", {"port": {"tunneling_ip": new}})
            self.assertEqual((200, new), (status, answer["port"]["tunneling_ip"]))
            self.assertEqual("remote-vtep-" + new, answer["port"]["binding:host_id"])
            self.assertEqual([FLOOD, self.entry()], self.told("remove_fdb_entries", old))
            self.assertEqual([FLOOD, self.entry()], self.told("add_fdb_entries", new))
            shown = self.send("GET", f"ports/{port['id']}")[1]["port"]
            self.assertEqual(
                ("ACTIVE", new, "other"), (shown["status"], shown["tunneling_ip"], shown["binding:vif_type"])
            )

    def test_another_address_is_told_though_somebody_deleted_the_shadow_agent(self):
        port = self.remote()
        self.delete_agent()
        self.forget()
        moved = {"port": {"fixed_ips": [{"subnet_id": self.subnet_id, "ip_address": "10.99.0.77"}]}}
        self.assertEqual(200, self.send("PUT", f"ports/{port['id']}", moved)[0])
        ((_, entries, _),) = [m for m in self.fdb if m[0] == "update_fdb_entries"]
        changed = entries["chg_ip"][self.network][REMOTE]
        self.assertEqual([self.entry()], [tuple(e) for e in changed["before"]])
        self.assertEqual([(self.entry()[0], "10.99.0.77")], [tuple(e) for e in changed["after"]])

    def test_an_update_of_something_else_moves_nothing(self):
        port = self.remote()
        self.forget()
        changes = {"name": "lyon/x", "tunneling_ip": REMOTE, "binding:host_id": "remote-vtep-" + REMOTE}
        status, answer = self.send("PUT", f"ports/{port['id']}", {"port": changes})
        self.assertEqual(
            (200, "ACTIVE", "lyon/x"), (status, answer["port"]["status"], answer["port"]["name"])
        )
        self.assertEqual([], self.fdb)

    def test_several_in_one_request(self):
        body = {"ports": [self.wanted(n)["port"] for n in (50, 51, 52)]}
        status, answer = self.send("POST", "ports", body)
        self.assertEqual(201, status, answer)
        self.assertEqual({REMOTE}, {p["tunneling_ip"] for p in answer["ports"]})
        self.assertEqual({"remote-vtep-" + REMOTE}, {p["binding:host_id"] for p in answer["ports"]})
        self.assertEqual({self.entry(n) for n in (50, 51, 52)}, set(self.told("add_fdb_entries")) - {FLOOD})
        self.assertEqual(
            {"ACTIVE"}, {p["status"] for p in self.send("GET", "ports")[1]["ports"] if p["name"]}
        )

    def test_port_security_and_groups_are_as_asked(self):
        off = self.remote(50, port_security_enabled=False)
        self.assertEqual((False, []), (off["port_security_enabled"], off["security_groups"]))
        on = self.remote(51)
        self.assertEqual(1, len(on["security_groups"]))

    def test_the_same_addresses_in_two_networks(self):
        first = self.network
        self.remote()
        self.network, self.subnet_id = self.vxlan(5002)
        self.remote(vtep=REMOTE_2)
        self.assertEqual([FLOOD, self.entry()], self.told("add_fdb_entries", REMOTE_2))
        self.network = first
        self.assertEqual([FLOOD, self.entry()], self.told("add_fdb_entries"))

    def test_a_dhcp_agent_of_the_network_does_not_hold_the_port_down(self):
        from neutron.tests.common import helpers

        agent = helpers.register_dhcp_agent(host="here-dhcp")
        directory.get_plugin().add_network_to_dhcp_agent(self.admin, agent.id, self.network)
        port = self.remote()
        self.assertEqual("ACTIVE", self.send("GET", f"ports/{port['id']}")[1]["port"]["status"])
        self.assertIn(self.entry(), self.told("add_fdb_entries"))

    def test_ordinary_ports_are_bound_by_openvswitch_as_ever(self):
        port = self.ordinary()
        self.assertEqual(("ovs", HOST), (port["binding:vif_type"], port["binding:host_id"]))
        self.assertEqual(VTEP, self.send("GET", f"ports/{port['id']}")[1]["port"]["tunneling_ip"])

    def test_alias_is_listed(self):
        self.assertIn(names.ALIAS, self.ml2.supported_extension_aliases)
        self.assertTrue(db_api.get_context_manager())


class TestRemotePortDriverFirst(TestRemotePort):
    """The same with the opposite order of both lists."""

    _mechanism_drivers = ["remote_port", "l2population", "openvswitch"]
    _extension_drivers = ["remote_port", "port_security"]
