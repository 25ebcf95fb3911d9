# SPDX-License-Identifier: Apache-2.0
"""A plugin that misbehaves: ordinary ports never notice, remote ports fail loudly."""

from unittest import mock

from neutron_case import REMOTE, VTEP, RemotePortCase
from neutron_lib import context
from oslo_db import exception as db_exc

from multisite_neutron import endpoints, remote, shadow, vteps

BUG = RuntimeError("a bug of ours")


class TestOrdinaryPorts(RemotePortCase):
    def whole_life(self):
        port = self.ordinary()
        path = f"ports/{port['id']}"
        self.assertEqual("ovs", port["binding:vif_type"])
        self.assertEqual(200, self.send("PUT", path, {"port": {"name": "x"}})[0])
        self.assertEqual("x", self.send("GET", path)[1]["port"]["name"])
        (listed,) = self.send("GET", "ports")[1]["ports"]
        self.assertEqual(204, self.send("DELETE", path)[0])
        return listed

    def test_survive_every_bug_of_the_plugin(self):
        for where, what in (
            (remote, "refuse_on_ordinary"),
            (endpoints, "asked_for"),
            (vteps, "bound_host"),
            (vteps, "of_host"),
            (vteps, "resolve"),
            (vteps, "_reported"),
            (shadow, "ensure"),
        ):
            with mock.patch.object(where, what, side_effect=BUG):
                listed = self.whole_life()
            self.assertIn(listed["tunneling_ip"], (None, VTEP), what)

    def test_an_unresolved_endpoint_never_leaves_a_list(self):
        self.ordinary()
        with mock.patch.object(vteps, "_reported", side_effect=BUG):
            (listed,) = self.send("GET", "ports")[1]["ports"]
        self.assertIsNone(listed["tunneling_ip"])

    def test_a_failing_database_is_neutrons_to_handle(self):
        self.ordinary()
        calls = [db_exc.DBConnectionError(), {}]

        def once(*_):
            answer = calls.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        with mock.patch.object(vteps, "_reported", side_effect=once):
            self.assertEqual(1, len(self.ml2.get_ports(context.get_admin_context())))
        self.assertEqual([], calls)

    def test_a_remote_port_is_not_made_by_halves(self):
        with mock.patch.object(shadow, "ensure", side_effect=BUG):
            self.assertEqual(500, self.send("POST", "ports", self.wanted())[0])
        self.assertEqual([], self.send("GET", "ports")[1]["ports"])
        self.assertEqual(REMOTE, self.remote()["tunneling_ip"])
