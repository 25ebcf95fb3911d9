# SPDX-License-Identifier: Apache-2.0
"""Hostile and mistaken requests: refused with the field, what is wrong and what to do; nothing is left behind."""

from neutron_case import MAC, REMOTE, REMOTE_2, VTEP_2, RemotePortCase
from oslo_config import cfg


class TestRefused(RemotePortCase):
    def post(self, role="admin", **values):
        return self.send("POST", "ports", self.wanted(**values), role)

    def nothing_left(self):
        self.assertEqual([], self.send("GET", "ports")[1]["ports"])
        self.assertEqual({}, self.agents())
        self.assertEqual([], self.fdb)

    def test_endpoints_that_are_none(self):
        self.refused(*self.post(vtep=...), "tunneling_ip", "needs it", "give the address")
        self.refused(*self.post(vtep=None), "tunneling_ip", "needs it")
        for bad in (
            "",
            "10.0.0.300",
            "host-1",
            "10.0.0.0/24",
            "1",
            "0x0a000001",
            5,
            ["10.0.0.1"],
            {"a": 1},
            True,
        ):
            self.refused(*self.post(vtep=bad), "tunneling_ip")
        for bad in ("0.0.0.0", "127.0.0.1", "224.0.0.5", "255.255.255.255", "169.254.1.1", "240.0.0.1"):
            self.refused(*self.post(vtep=bad), "tunneling_ip", bad, "give the address other hosts reach")
        for bad in ("2001:db8::1", "::ffff:172.31.0.21", "::1", "fe80::1"):
            self.refused(*self.post(vtep=bad), "tunneling_ip")
        self.nothing_left()

    def test_endpoint_of_a_host_of_this_neutron(self):
        self.refused(*self.post(vtep=VTEP_2), "tunneling_ip", VTEP_2, "here-2", code=409)
        port = self.remote()
        moved = self.send("PUT", f"ports/{port['id']}", {"port": {"tunneling_ip": VTEP_2}})
        self.refused(*moved, "tunneling_ip", "here-2", code=409)
        self.assertEqual(REMOTE, self.send("GET", f"ports/{port['id']}")[1]["port"]["tunneling_ip"])

    def test_a_local_endpoint_written_in_another_way(self):
        from neutron.tests.common import helpers

        cfg.CONF.set_override("overlay_ip_version", 6, group="ml2")
        helpers.register_ovs_agent(host="here-6", tunneling_ip="2001:DB8:0::6")
        self.refused(*self.post(vtep="2001:db8::6"), "tunneling_ip", "here-6", code=409)
        port = self.remote(vtep="2001:DB8:0::7")
        self.assertEqual(
            ("2001:db8::7", "remote-vtep-2001:db8::7"), (port["tunneling_ip"], port["binding:host_id"])
        )
        same = self.send("PUT", f"ports/{port['id']}", {"port": {"tunneling_ip": "2001:0db8::0007"}})
        self.assertEqual((200, "2001:db8::7"), (same[0], same[1]["port"]["tunneling_ip"]))

    def test_allow_list(self):
        def allow(value):
            cfg.CONF.set_override("allowed_vteps", value, group="remote_port")

        allow(["10.0.0.0/8", "172.31.0.0/24"])
        self.refused(
            *self.post(vtep="172.30.0.1"), "tunneling_ip", "172.30.0.1", "172.31.0.0/24", "allowed_vteps"
        )
        port = self.remote()
        moved = self.send("PUT", f"ports/{port['id']}", {"port": {"tunneling_ip": "172.31.1.22"}})
        self.refused(*moved, "tunneling_ip", "172.31.1.22")
        allow([])
        self.refused(*self.post(number=51), "tunneling_ip", "none")
        unchanged = {"port": {"tunneling_ip": REMOTE, "name": "still"}}
        self.assertEqual(200, self.send("PUT", f"ports/{port['id']}", unchanged)[0])
        for wrong in (["172.31.0.0/24", "nonsense"], ["172.31.0.1/24"]):
            allow(wrong)
            self.refused(*self.post(number=51), "allowed_vteps is wrong", wrong[-1], "the operator")
        self.assertEqual(204, self.send("DELETE", f"ports/{port['id']}")[0])

    def test_duplicate_mac_in_the_network(self):
        local = self.ordinary(mac_address=MAC)
        self.refused(*self.post(mac_address=MAC), MAC, "in use", code=409)
        self.assertEqual({}, self.agents())
        self.assertEqual([local["id"]], [p["id"] for p in self.send("GET", "ports")[1]["ports"]])

    def test_network_that_is_not_vxlan(self):
        self.network, self.subnet_id = self.vxlan(7, "vlan")
        self.refused(*self.post(), "network_id", "not of type vxlan", "use one")
        self.nothing_left()

    def test_host_of_a_remote_port_cannot_be_given(self):
        host = {"binding:host_id": "here-1"}
        self.refused(*self.post(**host), "binding:host_id", "follows its tunneling_ip", "leave it out")
        port = self.remote()
        self.refused(*self.send("PUT", f"ports/{port['id']}", {"port": host}), "binding:host_id")

    def test_a_remote_port_keeps_owner_mac_and_endpoint(self):
        port = self.remote()
        path = f"ports/{port['id']}"
        self.forget()
        for owner in ("", "compute:nova", "network:router_interface"):
            self.refused(
                *self.send("PUT", path, {"port": {"device_owner": owner}}), "device_owner", "delete it"
            )
        self.assertEqual(409, self.send("PUT", path, {"port": {"mac_address": "fa:16:3e:99:99:99"}})[0])
        self.refused(*self.send("PUT", path, {"port": {"tunneling_ip": None}}), "tunneling_ip", "needs it")
        self.refused(*self.send("PUT", path, {"port": {"tunneling_ip": "nonsense"}}), "tunneling_ip")
        self.assertEqual([], self.fdb)
        self.assertEqual("ACTIVE", self.send("GET", path)[1]["port"]["status"])

    def test_ordinary_ports_have_no_endpoint_of_their_own(self):
        body = {"network_id": self.network, "project_id": self._project_id}
        self.refused(
            *self.send("POST", "ports", {"port": body | {"tunneling_ip": REMOTE}}),
            "tunneling_ip",
            "leave it out",
        )
        host = {"binding:host_id": "remote-vtep-" + REMOTE}
        self.refused(*self.send("POST", "ports", {"port": body | host}), "binding:host_id", "device_owner")
        port = self.ordinary()
        path = f"ports/{port['id']}"
        self.refused(
            *self.send("PUT", path, {"port": {"tunneling_ip": REMOTE}}), "tunneling_ip", "cannot be set"
        )
        self.refused(*self.send("PUT", path, {"port": host}), "binding:host_id")
        owner = {"device_owner": "multisite:remote_port", "tunneling_ip": REMOTE}
        self.refused(*self.send("PUT", path, {"port": owner}), "device_owner", "create another one")
        self.assertEqual(200, self.send("PUT", path, {"port": {"tunneling_ip": port["tunneling_ip"]}})[0])

    def test_whole_ports_may_be_written_back_as_neutron_does(self):
        for port in (self.ordinary(), self.ordinary(host=None), self.remote()):
            whole = self.ml2.get_port(self.admin, port["id"])
            written = self.ml2.update_port(self.admin, port["id"], {"port": whole | {"device_id": "other"}})
            self.assertEqual("other", written["device_id"])

    def test_members_may_not(self):
        status, answer = self.post("member")
        self.assertEqual(403, status)
        self.assertIn("create_port:tunneling_ip", answer["NeutronError"]["message"])
        self.refused(*self.post("member", vtep=...), "tunneling_ip")
        port = self.remote()
        status, answer = self.send(
            "PUT", f"ports/{port['id']}", {"port": {"tunneling_ip": REMOTE_2}}, "member"
        )
        self.assertEqual(403, status)
        self.assertIn("update_port:tunneling_ip", answer["NeutronError"]["message"])


class TestWithoutL2population(RemotePortCase):
    _mechanism_drivers = ["openvswitch", "remote_port"]

    def test_says_what_is_missing(self):
        answer = self.send("POST", "ports", self.wanted())
        self.refused(*answer, "device_owner", "without l2population", "mechanism_drivers", code=409)


class TestWithoutMechanismDriver(RemotePortCase):
    _mechanism_drivers = ["openvswitch", "l2population"]

    def test_says_what_is_missing(self):
        answer = self.send("POST", "ports", self.wanted())
        self.refused(*answer, "device_owner", "without remote_port", "mechanism_drivers", code=409)
