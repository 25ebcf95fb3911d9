# SPDX-License-Identifier: Apache-2.0
"""The filter: what it answers, in which words, and what it leaves alone."""

import json
import time

import pytest
import webob
from conftest import CONF, PROJECT, eventually
from nova import policy as nova_policy
from paste import deploy

from multisite_nova import filter as quiesce_filter
from multisite_nova import options, policy

ACTION = "/servers/x/action"


@pytest.mark.parametrize(
    ("method", "path", "raw"),
    [
        ("GET", "/servers", b""),
        ("GET", "/servers/x/action", b""),
        ("POST", "/servers", b'{"quiesce": null}'),
        ("POST", ACTION, b'{"reboot": {"type": "SOFT"}}'),
        ("POST", ACTION, b'{"rebuild": {"name": "quiesce"}}'),
        ("POST", ACTION, b"quiesce"),
        ("POST", ACTION, b'["quiesce"]'),
        ("POST", ACTION, b'"quiesce"'),
        ("POST", ACTION, b""),
        ("POST", ACTION, b"\xff\xfequiesce"),
        ("PUT", ACTION, b'{"quiesce": null}'),
        ("POST", "/servers/x/os-multisite-quiesce", b"{}"),
        ("DELETE", "/os-multisite-quiesce", b""),
        ("GET", "/servers/x/os-multisite-quiesce/more", b""),
        ("GET", "/not-hex!/servers/x/os-multisite-quiesce", b""),
    ],
)
def test_all_else_passes_untouched(cloud, method, path, raw):
    assert cloud.call(method, path, raw=raw) == (202, {"from": "nova"})
    assert cloud.passed == [(method, path, raw)]


def test_an_error_of_the_application_is_its_own(cloud):
    def broken(environ, start_response):
        raise KeyError("the application's")

    cloud.filter.application = broken
    with pytest.raises(KeyError):
        cloud.call("GET", "/servers")


def test_an_error_while_looking_at_a_request_passes_it_on(cloud, monkeypatch):
    monkeypatch.setattr(cloud.filter, "_asked", lambda *_: 1 / 0)
    assert cloud.call("POST", ACTION, {"reboot": {}})[0] == 202


def test_an_error_of_ours_is_json(cloud, monkeypatch):
    guest = cloud.boot()
    monkeypatch.setattr(cloud.watcher, "freeze", lambda *_: 1 / 0)
    status, body = cloud.act(guest, "quiesce")
    assert (status, body["computeFault"]["code"]) == (500, 500)
    assert "division" not in body["computeFault"]["message"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"quiesce": 30}, "quiesce"),
        ({"quiesce": []}, "quiesce"),
        ({"quiesce": {"limit": 3}}, "limit"),
        ({"quiesce": {"timeout": "30"}}, "timeout"),
        ({"quiesce": {"timeout": 1.5}}, "timeout"),
        ({"quiesce": {"timeout": True}}, "timeout"),
        ({"quiesce": {"timeout": None}}, "timeout"),
        ({"quiesce": {"timeout": 0}}, "timeout"),
        ({"quiesce": {"timeout": 601}}, "timeout"),
        ({"unquiesce": {"now": True}}, "unquiesce"),
        ({"unquiesce": 1}, "unquiesce"),
        ({"quiesce": None, "reboot": {}}, "quiesce"),
        ({"quiesce": None, "unquiesce": None}, "quiesce"),
    ],
)
def test_a_bad_body_is_answered_with_the_field(cloud, body, field):
    guest = cloud.boot()
    status, answer = cloud.call("POST", f"/servers/{guest.uuid}/action", body)
    assert status == 400
    assert list(answer) == ["badRequest"]
    assert answer["badRequest"]["code"] == 400
    assert f"'{field}'" in answer["badRequest"]["message"]
    assert guest.asked == []


@pytest.mark.parametrize("prefix", ["", f"/{PROJECT}"])
@pytest.mark.parametrize("end", ["", "/"])
def test_the_project_may_be_in_the_address(cloud, prefix, end):
    guest = cloud.boot()
    assert cloud.call("POST", f"{prefix}/servers/{guest.uuid}/action{end}", {"quiesce": {}})[0] == 200
    assert cloud.call("GET", f"{prefix}/servers/{guest.uuid}/os-multisite-quiesce{end}")[0] == 200
    assert cloud.call("GET", f"{prefix}/os-multisite-quiesce{end}")[0] == 200
    assert cloud.passed == []


def test_another_project_in_the_address_is_refused_as_nova_does(cloud):
    guest = cloud.boot()
    status, body = cloud.call("POST", f"/{'a' * 32}/servers/{guest.uuid}/action", {"quiesce": None})
    assert (status, "doesn't match" in body["badRequest"]["message"]) == (400, True)


@pytest.mark.parametrize("server", ["no-uuid", "8f5a2a0a-0000-4000-8000-000000000000"])
@pytest.mark.parametrize(("method", "leaf"), [("POST", "action"), ("GET", "os-multisite-quiesce")])
def test_an_unknown_server_is_not_found(cloud, server, method, leaf):
    status, body = cloud.call(
        method, f"/servers/{server}/{leaf}", {"quiesce": None} if method == "POST" else None
    )
    assert (status, list(body), body["itemNotFound"]["code"]) == (404, ["itemNotFound"], 404)


def test_a_server_of_another_project_is_not_found(cloud):
    guest = cloud.boot()
    cloud.project = "b" * 32
    for roles in (["member"], ["service"]):
        assert cloud.act(guest, "quiesce", roles=roles)[0] == 404
    assert cloud.act(guest, "quiesce", roles=["admin"])[0] == 200


class TestPolicy:
    """Who may do it."""

    @pytest.mark.parametrize(
        ("role", "status"), [("admin", 200), ("service", 200), ("member", 403), ("reader", 403)]
    )
    def test_by_default_admins_and_services(self, cloud, role, status):
        guest = cloud.boot()
        for action in ("quiesce", "unquiesce"):
            got, body = cloud.act(guest, action, roles=[role])
            assert got == status
            if status == 403:
                assert list(body) == ["forbidden"]
                assert f"os_compute_api:multisite:{action}" in body["forbidden"]["message"]
        assert cloud.call("GET", f"/servers/{guest.uuid}/os-multisite-quiesce", roles=[role])[0] == status
        assert (guest.asked == []) is (status == 403)

    def test_the_file_overrides_it_also_while_nova_runs(self, cloud, nova):
        guest, path = cloud.boot(), nova.where / "policy.yaml"
        assert cloud.act(guest, "unquiesce", roles=["member"])[0] == 403
        try:
            path.write_text('"os_compute_api:multisite:unquiesce": "rule:project_member_or_admin"\n')
            assert eventually(lambda: cloud.act(guest, "unquiesce", roles=["member"])[0] == 200)
            assert cloud.act(guest, "quiesce", roles=["member"])[0] == 403
        finally:
            path.write_text("")
            nova_policy.reset()

    def test_the_rules_are_documented(self):
        assert [rule.name for rule in policy.list_rules()] == [
            f"os_compute_api:multisite:{action}" for action in ("quiesce", "unquiesce", "show")
        ]
        assert all(rule.description and rule.operations for rule in policy.list_rules())


def test_the_discovery_document_is_for_everybody(cloud):
    status, body = cloud.call("GET", "/os-multisite-quiesce", roles=["reader"])
    assert status == 200
    assert body == {
        "multisite_quiesce": {
            "version": "1.0",
            "supported": True,
            "default_timeout": 30,
            "max_timeout": 600,
            "freeze_timeout": 1,
        }
    }


class TestOutOfOrder:
    """The filter cannot work."""

    def test_without_a_service_only_ours_is_refused(self, cloud):
        guest = cloud.boot()
        cloud.filter.actions = None
        status, body = cloud.act(guest, "quiesce")
        assert (status, list(body)) == (503, ["serviceUnavailable"])
        assert cloud.call("GET", "/os-multisite-quiesce")[0] == 503
        assert cloud.call("GET", "/servers")[0] == 202

    def test_before_the_authentication(self, cloud):
        request = webob.Request.blank("/os-multisite-quiesce")
        assert request.get_response(cloud.filter).status_int == 503

    def test_a_watcher_that_stands_still_freezes_nothing_but_thaws(self, cloud, monkeypatch):
        guest = cloud.boot()
        monkeypatch.setattr(cloud.watcher, "_tick", lambda: time.sleep(2))
        cloud.watcher._ticked = time.monotonic() - 100
        status, body = cloud.act(guest, "quiesce")
        assert (status, list(body)) == (503, ["serviceUnavailable"])
        assert cloud.call("GET", "/os-multisite-quiesce")[1]["multisite_quiesce"]["supported"] is False
        guest.command("freeze")
        assert cloud.act(guest, "unquiesce")[0] == 200
        assert not guest.frozen

    def test_the_factory_never_fails(self, nova, monkeypatch):
        monkeypatch.setattr(quiesce_filter, "_actions", [])
        monkeypatch.setattr(quiesce_filter.Actions, "__init__", lambda _self: 1 / 0)
        made = quiesce_filter.factory({})(
            lambda environ, start_response: webob.Response("x")(environ, start_response)
        )
        assert webob.Request.blank("/servers").get_response(made).status_int == 200

    def test_under_eventlet_it_declines(self, nova, monkeypatch):
        monkeypatch.setattr("nova.monkey_patch.is_patched", lambda: True)
        with pytest.raises(RuntimeError, match="eventlet"):
            quiesce_filter.Actions()


def test_paste_loads_it_and_the_watcher_starts_without_a_request(nova, monkeypatch, cloud):
    """Two pipelines, one watcher, and an orphan of an earlier process thawed before any request."""
    monkeypatch.setattr(quiesce_filter, "_actions", [])
    guest = cloud.boot()
    cloud.act(guest, "quiesce", {"timeout": 1})
    cloud.kill()
    paste = nova.where / "api-paste.ini"
    paste.write_text(
        "[composite:main]\nuse = call:nova.api.openstack.urlmap:urlmap_factory\n/v2: one\n/v2.1: two\n"
        "[pipeline:one]\npipeline = quiesce app\n[pipeline:two]\npipeline = quiesce app\n"
        "[filter:quiesce]\npaste.filter_factory = multisite_nova.filter:factory\n"
        "[app:app]\npaste.app_factory = nova.api.openstack.compute.versions:VersionsV2.factory\n"
    )
    app = deploy.loadapp(f"config:{paste}", name="main")
    (actions,) = quiesce_filter._actions
    try:
        assert eventually(lambda: not guest.frozen, 4)
        for version in ("/v2", "/v2.1"):
            request = webob.Request.blank(f"{version}/{PROJECT}/servers/{guest.uuid}/os-multisite-quiesce")
            request.environ["nova.context"] = cloud.context()
            body = json.loads(request.get_response(app).body)
            assert (body["quiesce"]["state"], body["quiesce"]["expired"]) == ("thawed", True)
    finally:
        actions.watcher._reset()


def test_the_options_are_documented():
    ((group, opts),) = options.list_opts()
    assert group == "multisite_quiesce"
    assert all(opt.help for opt in opts)
    assert CONF.multisite_quiesce.default_timeout == 30
