# SPDX-License-Identifier: Apache-2.0
"""tunneling_ip as it is read: by whom, of which ports, and at what price."""

from neutron_case import HOST, HOST_2, REMOTE, VTEP, VTEP_2, RemotePortCase
from neutron_lib import context

AGENTS = "FROM agents"


class TestReading(RemotePortCase):
    def test_of_bound_unbound_and_remote_ports(self):
        ports = [
            self.ordinary(HOST),
            self.ordinary(HOST_2),
            self.ordinary(None),
            self.ordinary("no-agent"),
            self.remote(),
        ]
        expected = [VTEP, VTEP_2, None, None, REMOTE]
        self.assertEqual(
            expected, [self.send("GET", f"ports/{p['id']}")[1]["port"]["tunneling_ip"] for p in ports]
        )
        listed = {p["id"]: p["tunneling_ip"] for p in self.send("GET", "ports")[1]["ports"]}
        self.assertEqual(expected, [listed[p["id"]] for p in ports])
        some = self.send("GET", "ports", params="fields=id&fields=tunneling_ip")[1]["ports"]
        self.assertEqual(listed, {p["id"]: p["tunneling_ip"] for p in some})
        self.assertEqual({"name"}, set(self.send("GET", "ports", params="fields=name")[1]["ports"][0]))

    def test_members_do_not_see_it(self):
        port = self.ordinary()
        for role, seen in (("admin", True), ("member", False)):
            shown = self.send("GET", f"ports/{port['id']}", role=role)[1]["port"]
            (listed,) = self.send("GET", "ports", role=role)[1]["ports"]
            self.assertEqual((seen, seen), ("tunneling_ip" in shown, "tunneling_ip" in listed), role)

    def test_services_see_and_set_it(self):
        status, answer = self.send("POST", "ports", self.wanted(project_id=...), "service")
        self.assertEqual((201, REMOTE), (status, answer["port"]["tunneling_ip"]))
        shown = self.send("GET", f"ports/{answer['port']['id']}", role="service")
        self.assertEqual((200, REMOTE), (shown[0], shown[1].get("port", {}).get("tunneling_ip")))

    def test_a_list_costs_the_same_number_of_queries_whatever_its_length(self):
        def price(**values):
            self.admin = context.get_admin_context()
            with self.queries() as seen:
                found = self.ml2.get_ports(self.admin, **values)
            return len(found), len(seen), sum(AGENTS in statement for statement in seen)

        self.ordinary(HOST), self.remote(50)
        few = price()
        for number in range(51, 59):
            self.ordinary((HOST, HOST_2)[number % 2])
            self.remote(number, f"172.31.0.{number}")
        many = price()
        self.assertEqual((2, 18), (few[0], many[0]))
        self.assertEqual((1, 1), (few[2], many[2]), "queries of the agents table")
        self.assertEqual(few[1], many[1])
        self.assertEqual(
            (9, 0), (lambda p: (p[0], p[2]))(price(filters={"device_owner": ["multisite:remote_port"]}))
        )
        self.assertEqual((18, 0), (lambda p: (p[0], p[2]))(price(fields=["id"])))

    def test_agents_that_report_nonsense_have_no_endpoint(self):
        from neutron.db.models import agent as agent_model
        from neutron_lib.db import api as db_api

        port = self.ordinary()
        for nonsense in (
            '{"tunneling_ip": "x"}',
            '{"tunneling_ip": ""}',
            '{"tunneling_ip": 5.5}',
            '["tunneling_ip"]',
            "tunneling_ip{",
        ):
            with db_api.CONTEXT_WRITER.using(self.admin):
                agents = self.admin.session.query(agent_model.Agent).filter_by(host=HOST)
                agents.update({"configurations": nonsense})
            found = self.ml2.get_ports(context.get_admin_context(), filters={"id": [port["id"]]})
            self.assertEqual([None], [p["tunneling_ip"] for p in found], nonsense)
