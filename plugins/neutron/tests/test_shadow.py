# SPDX-License-Identifier: Apache-2.0
"""The worker: shadow agents beat, come back when deleted, and are collected when unused."""

import datetime
from unittest import mock

from neutron.db.models import agent as agent_model
from neutron.worker import PeriodicWorker
from neutron_case import FLOOD, HOST, REMOTE, REMOTE_2, RemotePortCase
from neutron_lib import context
from neutron_lib.db import api as db_api
from oslo_config import cfg
from oslo_db import exception as db_exc
from oslo_utils import timeutils

from multisite_neutron import names, shadow, worker

ENTRY = ("fa:16:3e:00:00:32", "10.99.0.50")


class TestWorker(RemotePortCase):
    def age(self, seconds):
        """Let all shadow agents have beaten so long ago."""
        then = timeutils.utcnow() - datetime.timedelta(seconds=seconds)
        with db_api.CONTEXT_WRITER.using(self.admin):
            rows = self.admin.session.query(agent_model.Agent).filter_by(agent_type=names.AGENT_TYPE)
            rows.update({"heartbeat_timestamp": then})

    def test_is_given_to_neutron_once_and_beats_three_times_per_agent_down_time(self):
        cfg.CONF.set_override("agent_down_time", 60)
        (made,) = [w for w in self.ml2.mechanism_manager.get_workers() if "VTEP" in (w.desc or "")]
        self.assertIsInstance(made, PeriodicWorker)
        self.assertEqual(20, made._interval)

    def test_agents_in_use_stay_alive(self):
        self.remote()
        self.age(1000)
        self.assertFalse(self.agents()[names.host_of(REMOTE)]["alive"])
        worker.beat()
        self.assertTrue(self.agents()[names.host_of(REMOTE)]["alive"])

    def test_agents_in_use_are_never_collected(self):
        self.remote()
        self.age(1000)
        self.assertEqual(0, shadow.collect(self.admin))

    def test_unused_agents_are_collected_after_agent_down_time_only(self):
        first, _ = self.remote(), self.remote(51, REMOTE_2)
        self.send("DELETE", f"ports/{first['id']}")
        worker.beat()
        self.assertEqual({names.host_of(REMOTE), names.host_of(REMOTE_2)}, set(self.agents()))
        self.age(cfg.CONF.agent_down_time - 5)
        worker.beat()
        self.assertEqual(2, len(self.agents()))
        self.age(cfg.CONF.agent_down_time + 1)
        worker.beat()
        self.assertEqual({names.host_of(REMOTE_2)}, set(self.agents()))
        others = [a for a in self.send("GET", "agents")[1]["agents"] if a["host"].startswith("here-")]
        self.assertEqual(2, len(others))

    def test_a_deleted_agent_comes_back_and_its_ports_are_announced(self):
        self.remote()
        self.delete_agent()
        self.assertEqual({}, self.agents())
        self.forget()
        worker.beat()
        self.assertTrue(self.agents()[names.host_of(REMOTE)]["alive"])
        self.assertEqual({FLOOD, ENTRY}, set(self.told("add_fdb_entries")))
        self.forget()
        worker.beat()
        self.assertEqual([], self.fdb)

    def test_a_new_port_keeps_an_agent_from_being_collected(self):
        port = self.remote()
        self.send("DELETE", f"ports/{port['id']}")
        self.age(1000)
        self.remote()
        self.assertTrue(self.agents()[names.host_of(REMOTE)]["alive"])
        self.assertEqual(0, shadow.collect(self.admin))

    def test_a_lively_agent_is_only_read(self):
        self.remote()
        with self.queries() as seen:
            self.assertFalse(shadow.ensure(context.get_admin_context(), REMOTE))
        self.assertEqual(["SELECT"], [statement.split()[0] for statement in seen])

    def test_a_beat_for_many_endpoints_costs_as_much_as_for_one(self):
        def price():
            with self.queries() as seen:
                worker.beat()
            return len(seen)

        self.remote()
        one = price()
        for number in range(60, 70):
            self.remote(number, f"172.31.0.{number}")
        self.assertEqual(one, price())

    def test_goes_on_after_errors(self):
        self.remote()
        self.age(1000)
        for error in (db_exc.DBConnectionError(), ValueError("bug")):
            # Neutron's own retries of database errors would take two minutes
            with mock.patch.object(shadow, "used", side_effect=error), mock.patch("oslo_db.api.time.sleep"):
                worker.beat()
        self.delete_agent()
        with mock.patch.object(worker, "announce", side_effect=RuntimeError("no bus")):
            worker.beat()
        self.assertEqual(1, len(self.agents()))

    def test_two_controllers_at_once(self):
        self.remote()
        self.delete_agent()
        with mock.patch.object(shadow, "existing", return_value=set()):
            worker.beat()
            worker.beat()
        self.assertEqual(1, len(self.agents()))

    def test_ordinary_bindings_are_no_endpoints(self):
        self.ordinary(HOST)
        self.assertEqual(set(), shadow.used(self.admin))
        worker.beat()
        self.assertEqual({}, self.agents())
