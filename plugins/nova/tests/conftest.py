# SPDX-License-Identifier: Apache-2.0
"""A small real Nova: its configuration, objects, two cells in SQLite files, and RPC to a fake compute host.

Only the hypervisor is made up: `Guest` behaves as libvirt and the guest agent were measured to behave, above
all that a freeze nobody waits for any more still happens when a hung agent comes back.
"""

# ruff: noqa: E402 - Nova wants its threading mode chosen before anything else is imported

import os

os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "1"
from nova import monkey_patch

monkey_patch.patch(backend="threading")

import json
import threading
import time
import types
import uuid as uuids

import oslo_messaging as messaging
import pytest
import sqlalchemy
import webob
from nova import config, exception, objects, policy, rpc
from nova import context as nova_context
from nova.compute import api as compute_api
from nova.db.api import models as api_models
from nova.db.main import models as main_models
from nova.objects import base as objects_base
from oslo_config import cfg

from multisite_nova import filter as quiesce_filter
from multisite_nova import options, records, thaw

CONF = cfg.CONF
PROJECT = uuids.uuid4().hex
AGENT_JOB_WAIT = 1.0  # libvirt waits 30 s for a busy agent


@sqlalchemy.event.listens_for(sqlalchemy.Engine, "before_cursor_execute", retval=True)
def _write_lock(_conn, _cursor, statement, parameters, _context, _many):
    """Give SQLite the row lock it lacks, a coarser one."""
    return ("BEGIN IMMEDIATE" if statement == "BEGIN" else statement), parameters


class Guest:
    """A guest, its agent, and libvirt's way with them."""

    def __init__(self):
        self.frozen = False
        self.agent = "ok"
        self.supported = True
        self.freezes, self.thaws, self.asked = [], [], []
        self._job = threading.Lock()
        self.awake = threading.Event()
        self.awake.set()

    def hang(self):
        self.awake.clear()

    def wake(self):
        self.awake.set()

    def command(self, name):
        self.asked.append(name)
        if not self.supported:
            raise exception.QemuGuestAgentNotEnabled()
        if self.agent == "dead":
            raise exception.InstanceQuiesceFailed(reason="the agent is not connected")
        if not self._job.acquire(timeout=AGENT_JOB_WAIT):
            raise exception.InternalError("cannot acquire state change lock")
        try:
            self.awake.wait()  # without a limit, as Nova sets none
            if name == "freeze":
                if self.frozen:
                    raise exception.InternalError("the agent is in frozen state")
                self.freezes.append(time.time())
            else:
                self.thaws.append(time.time())
            self.frozen = name == "freeze"
        finally:
            self._job.release()


class ComputeHost:
    """The two methods of nova-compute's manager, with its decorator."""

    target = messaging.Target(version="6.5")
    expected = messaging.expected_exceptions(exception.NovaException, NotImplementedError)

    def __init__(self):
        self.guests = {}
        self.contexts = []
        self.stalled = threading.Event()
        self.stalled.set()

    @expected
    def quiesce_instance(self, context, instance):
        self.contexts.append(context)
        self.stalled.wait()
        self.guests[instance.uuid].command("freeze")

    @expected
    def unquiesce_instance(self, context, instance, mapping=None):
        self.contexts.append(context)
        self.guests[instance.uuid].command("thaw")


@pytest.fixture(scope="session")
def nova(tmp_path_factory):
    """Configure Nova, make its databases, start the compute host."""
    where = tmp_path_factory.mktemp("nova")
    (where / "policy.yaml").write_text("")
    urls = {name: f"sqlite:///{where}/{name}.db" for name in ("api", "cell0", "cell1", "cell2")}
    (where / "nova.conf").write_text(
        f"[DEFAULT]\ntransport_url = fake:/\nhost = here\n[database]\nconnection = {urls['cell0']}\n"
        f"[api_database]\nconnection = {urls['api']}\n[oslo_policy]\npolicy_file = {where}/policy.yaml\n"
    )
    config.parse_args(["nova-api"], default_config_files=[str(where / "nova.conf")])
    objects.register_all()
    options.register(CONF)
    for name, url in urls.items():
        base = api_models.BASE if name == "api" else main_models.BASE
        base.metadata.create_all(sqlalchemy.create_engine(url))
    context = nova_context.get_admin_context()
    cells = {}
    for name in ("cell0", "cell1", "cell2"):
        uuid = objects.CellMapping.CELL0_UUID if name == "cell0" else str(uuids.uuid4())
        cells[name] = objects.CellMapping(
            context, uuid=uuid, name=name, transport_url="fake:/", database_connection=urls[name]
        )
        cells[name].create()
    host = ComputeHost()
    serializer = objects_base.NovaObjectSerializer()
    server = rpc.get_server(messaging.Target(topic="compute", server="host"), [host], serializer)
    server.start()
    yield types.SimpleNamespace(cells=cells, host=host, where=where, urls=urls)
    server.stop()


class Cloud:
    """What a test works with: servers, and a client of the filter."""

    def __init__(self, nova):
        self.nova, self.host = nova, nova.host
        self.watcher = thaw.Watcher()
        self.passed = []
        self.roles, self.project = ["admin"], PROJECT
        self.actions = object.__new__(quiesce_filter.Actions)
        from multisite_nova import guest
        from multisite_nova import policy as our_policy

        self.actions.__dict__.update(
            limits=CONF.multisite_quiesce, servers=compute_api.API(), watcher=self.watcher,
            guest=guest, policy=our_policy, records=records, thaw=thaw,
        )  # fmt: skip
        self.filter = quiesce_filter.QuiesceFilter(self._downstream, self.actions)
        self.watcher.start()

    def _downstream(self, environ, start_response):
        self.passed.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["wsgi.input"].read()))
        return webob.Response(json_body={"from": "nova"}, status=202)(environ, start_response)

    def context(self, **values):
        roles = values.pop("roles", self.roles)
        return nova_context.RequestContext(
            user_id="u",
            project_id=self.project,
            roles=roles,
            is_admin="admin" in roles,
            overwrite=False,
            **values,
        )

    def boot(self, cell="cell1", **values):
        """Make an active server and its guest."""
        context = nova_context.get_admin_context()
        uuid = str(uuids.uuid4())
        objects.InstanceMapping(
            context, instance_uuid=uuid, cell_mapping=self.nova.cells[cell], project_id=PROJECT
        ).create()
        with nova_context.target_cell(context, self.nova.cells[cell]) as cctxt:
            flavor = objects.Flavor(
                id=1, name="f", memory_mb=1, vcpus=1, root_gb=0, ephemeral_gb=0, flavorid="1", swap=0,
                rxtx_factor=1.0, vcpu_weight=1, disabled=False, is_public=True, extra_specs={}, projects=[],
                description=None, created_at=None, updated_at=None, deleted_at=None, deleted=False,
            )  # fmt: skip
            fields = {"host": "host", "vm_state": "active", "task_state": None, **values}
            objects.Instance(
                cctxt, uuid=uuid, project_id=PROJECT, user_id="u",
                flavor=flavor, new_flavor=None, old_flavor=None,
                system_metadata={"image_hw_qemu_guest_agent": "yes"}, **fields,
            ).create()  # fmt: skip
        guest = self.host.guests[uuid] = Guest()
        guest.uuid = uuid
        return guest

    def call(self, method, path, body=None, raw=None, **values):
        """Send a request through the filter; return status and JSON."""
        request = webob.Request.blank(path, method=method)
        if body is not None or raw is not None:
            request.body = raw if raw is not None else json.dumps(body).encode()
            request.content_type = "application/json"
        request.environ["nova.context"] = self.context(**values)
        response = request.get_response(self.filter)
        return response.status_int, response.json

    def act(self, guest, action, argument=None, **values):
        return self.call("POST", f"/servers/{guest.uuid}/action", {action: argument}, **values)

    def state(self, guest):
        return self.call("GET", f"/servers/{guest.uuid}/os-multisite-quiesce")[1]["quiesce"]

    def cell(self, guest, name="cell1"):
        context = nova_context.get_admin_context()
        nova_context.set_target_cell(context, self.nova.cells[name])
        return context

    def kill(self):
        """Take this process's memory away, as kill -9 does; what is written down stays."""
        self.watcher._reset()

    def restart(self):
        """Start a new nova-api process."""
        self.kill()
        self.watcher = self.actions.watcher = thaw.Watcher()
        self.watcher.start()


def eventually(condition, limit=20.0):
    """Wait until something is so."""
    end = time.time() + limit
    while time.time() < end:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


@pytest.fixture
def cloud(nova, monkeypatch):
    """Give a fresh process of nova-api, with short times."""
    monkeypatch.setattr(records, "RETRY", 0.2)
    monkeypatch.setattr(records, "GRACE", 0.5)
    monkeypatch.setattr(thaw, "TICK", 0.1)
    times = {"freeze_timeout": 1, "thaw_timeout": 3, "late_period": 3, "scan_interval": 1, "max_timeout": 600}
    for name, value in times.items():
        CONF.set_override(name, value, "multisite_quiesce")
    policy.reset()
    nova_context.CELLS = []
    made = Cloud(nova)
    yield made
    nova.host.stalled.set()
    for guest in nova.host.guests.values():
        guest.wake()
    made.kill()
    time.sleep(0.2)
    for name in ("cell1", "cell2"):
        with sqlalchemy.create_engine(nova.urls[name]).begin() as connection:
            connection.execute(
                sqlalchemy.text("DELETE FROM instance_system_metadata WHERE key='multisite_quiesce'")
            )
    nova.host.guests.clear()
    nova.host.contexts.clear()
