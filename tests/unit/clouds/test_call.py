"""What a failure becomes, and what is tried again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
import tenacity

from multisite.clouds import call as call_module
from multisite.clouds.call import call, read_all, read_one
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import (
    ConflictInSite,
    LoginRefused,
    NotFoundInSite,
    OverQuota,
    Refused,
    SiteError,
    UnknownOutcome,
    Unreachable,
)

from .conftest import KEYSTONE, FakeCloud


@pytest.fixture(autouse=True)
def _no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda _s: None)


def nova(message: str) -> dict[str, Any]:
    """Nova's and Cinder's shape; the outer name differs with the fault."""
    return {"someFault": {"message": message, "code": 0}}


def neutron(message: str) -> dict[str, Any]:
    return {"NeutronError": {"type": "Some", "message": message, "detail": ""}}


CORES = "Quota exceeded for cores: Requested 1, but already used 20 of 20 cores"
VOLUMES = "VolumeLimitExceeded: Maximum number of volumes allowed (10) exceeded for quota 'volumes'."
BACKUPS = "BackupLimitExceeded: Maximum number of backups allowed (2) exceeded"


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (404, nova("Instance s1 could not be found."), NotFoundInSite, "could not be found"),
        (409, nova("Cannot 'quiesce' while paused"), ConflictInSite, "quiesce"),
        (403, nova(CORES), OverQuota, "cores"),
        (413, nova(VOLUMES), OverQuota, "volumes"),
        (413, nova(BACKUPS), OverQuota, "backups"),
        (409, neutron("Quota exceeded for resources: ['port']."), OverQuota, "port"),
        (413, nova("Request body too large"), Refused, "too large"),
        (403, nova("Policy doesn't allow it to be performed."), Refused, "Policy"),
        (400, neutron("Invalid input for mac_address."), Refused, "mac_address"),
        (400, {"message": "flat one"}, Refused, "flat one"),
    ],
)
def test_answers(
    fake: FakeCloud, site: CloudSite, status: int, body: Any, kind: type[Refused], words: str
) -> None:
    fake.json("POST", "compute", "/servers", body, status, headers={"x-openstack-request-id": "req-7"})
    with pytest.raises(kind, match=words) as caught:
        call(site, "create server db", lambda: site.compute.post("/servers", json={}))
    assert type(caught.value) is kind
    assert caught.value.site_status == status
    assert caught.value.request_id == "req-7"
    assert str(caught.value).startswith("site west: create server db: ")
    assert "req-7" in str(caught.value)
    assert len(fake.sent("POST", "/servers")) == 1


def test_sdk_exception_and_html(fake: FakeCloud, site: CloudSite) -> None:
    fake.json("GET", "compute", "/servers/s1", nova("gone"), 404)
    with pytest.raises(NotFoundInSite, match="gone"):
        call(site, "read server", lambda: site.compute.get_server("s1"))
    fake.mock.get(
        f"{fake.base('compute')}/servers/s2", text="<html><b>Bad\n thing</b></html>", status_code=418
    )
    with pytest.raises(Refused, match="Bad thing"):
        call(site, "read server", lambda: site.compute.get_server("s2"))


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_404_that_says_nothing_of_the_thing_is_no_absence(
    fake: FakeCloud, site: CloudSite, wrapped: bool
) -> None:
    """A Neutron that has just started answers so for things that are there; a moment later it knows them."""
    said = {"type": "HTTPNotFound", "message": "The resource could not be found.", "detail": ""}
    answers = [
        {"status_code": 404, "json": {"NeutronError": said} if wrapped else said},
        {"json": {"port": {"id": "p1"}}},
    ]
    url = f"{fake.base('network')}/ports/p1"
    fake.mock.get(url, answers)
    assert read_one(site, "read port p1", lambda: site.network, "/ports/p1", "port") == {"id": "p1"}
    fake.mock.delete(url, answers[:1])
    with pytest.raises(Unreachable, match="just starting"):
        call(site, "delete port p1", lambda: site.network.delete("/ports/p1"), idempotent=True)
    gone = {"type": "PortNotFound", "message": "Port p1 could not be found.", "detail": ""}
    fake.mock.delete(url, status_code=404, json={"NeutronError": gone})
    with pytest.raises(NotFoundInSite, match="p1 could not be found"):
        call(site, "delete port p1", lambda: site.network.delete("/ports/p1"), idempotent=True)


def test_lazy_lists_are_read_inside_the_call(fake: FakeCloud, site: CloudSite) -> None:
    fake.json("GET", "compute", "/servers/detail", nova("no"), 403)
    with pytest.raises(Refused, match="list servers"):
        call(site, "list servers", lambda: site.compute.servers())
    fake.json("GET", "compute", "/servers/detail", {"servers": [{"id": "a"}]})
    assert [s.id for s in call(site, "list servers", lambda: site.compute.servers())] == ["a"]


def test_login_refused_is_remembered(fake: FakeCloud, site: CloudSite) -> None:
    site.compute.get_endpoint()
    fake.json("GET", "compute", "/servers/s1", {"error": {"message": "no token for you"}}, 401)
    with pytest.raises(LoginRefused, match=r"check the credentials of its clouds\.yaml entry"):
        call(site, "read server", lambda: site.compute.get_server("s1"))
    assert site.login_refused
    assert len(fake.sent("GET", "/servers/s1")) == 2  # keystoneauth tried a fresh token once


def test_a_token_that_ran_out_is_renewed(fake: FakeCloud, site: CloudSite) -> None:
    answers = [
        {"status_code": 401, "json": {}},
        {"status_code": 200, "json": {"server": {"id": "s1", "name": "db"}}},
    ]
    fake.mock.get(f"{fake.base('compute')}/servers/s1", answers)
    assert call(site, "read server", lambda: site.compute.get_server("s1")).name == "db"
    assert len(fake.sent("POST", "/auth/tokens")) == 2


def once_then(failure: dict[str, Any], ok: dict[str, Any]) -> list[dict[str, Any]]:
    return [failure, ok]


READ_TIMEOUT = {"exc": requests.exceptions.ReadTimeout("slow")}
OK = {"status_code": 202, "json": {}}


@pytest.mark.parametrize(
    ("failure", "idempotent", "outcome", "sent"),
    [
        ({"status_code": 500, "json": {}}, False, UnknownOutcome, 1),
        ({"status_code": 500, "json": {}}, True, None, 2),
        ({"status_code": 503, "text": "no server is available"}, False, None, 2),
        (
            {"status_code": 503, "json": {}, "headers": {"x-openstack-request-id": "r"}},
            False,
            UnknownOutcome,
            1,
        ),
        ({"status_code": 502, "text": "bad gateway"}, False, UnknownOutcome, 1),
        ({"status_code": 504, "text": "gateway time-out"}, False, UnknownOutcome, 1),
        ({"status_code": 504, "text": "gateway time-out"}, True, None, 2),
        ({"status_code": 429, "json": {}}, False, None, 2),
        ({"exc": requests.exceptions.ConnectTimeout("no SYN-ACK")}, False, Unreachable, 1),
        (READ_TIMEOUT, False, UnknownOutcome, 1),
        (READ_TIMEOUT, True, Unreachable, 1),
    ],
)
def test_what_is_tried_again(
    fake: FakeCloud, site: CloudSite, failure: dict[str, Any], idempotent: bool, outcome: Any, sent: int
) -> None:
    fake.mock.post(f"{fake.base('compute')}/servers", once_then(failure, OK))

    def act() -> Any:
        return call(site, "create", lambda: site.compute.post("/servers", json={}), idempotent=idempotent)

    if outcome is None:
        assert act().status_code == 202
    else:
        with pytest.raises(outcome):
            act()
    assert len(fake.sent("POST", "/servers")) == sent


def test_reads_are_repeated_and_given_up(fake: FakeCloud, site: CloudSite) -> None:
    fake.json("GET", "compute", "/servers/s1", {}, 500)
    with pytest.raises(Refused):
        call(site, "read server", lambda: site.compute.get_server("s1"))
    assert len(fake.sent("GET", "/servers/s1")) == call_module.ATTEMPTS


def test_a_timeout_while_logging_in_precedes_the_effect(fake: FakeCloud, site: CloudSite) -> None:
    compute = site.compute
    site.conn.session.auth.invalidate()  # the plugin forgets its token; the session would fetch another
    real = requests.Request("POST", f"{KEYSTONE}/v3/auth/tokens").prepare()
    fake.mock.post(f"{KEYSTONE}/v3/auth/tokens", exc=requests.exceptions.ReadTimeout("slow", request=real))
    with pytest.raises(Unreachable):
        call(site, "create server", lambda: compute.post("/servers", json={}))


def test_an_older_failure_being_handled_is_not_mistaken_for_this_one(
    fake: FakeCloud, site: CloudSite
) -> None:
    """A lost answer must stay "unknown" also inside the handler of a refused connection."""
    fake.mock.get(f"{fake.base('compute')}/a", exc=requests.exceptions.ConnectTimeout)
    fake.mock.post(f"{fake.base('compute')}/b", exc=requests.exceptions.ReadTimeout)

    def act() -> None:
        try:
            call(site, "one", lambda: site.compute.get("/a"))
        except Unreachable:
            call(site, "two", lambda: site.compute.post("/b", json={}))

    with pytest.raises(UnknownOutcome):
        act()


@pytest.mark.parametrize("idempotent", [True, False])
def test_bugs_pass_unchanged(site: CloudSite, idempotent: bool) -> None:
    def broken() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        call(site, "x", broken, idempotent=idempotent)


def test_pages_are_followed_by_their_query_only(fake: FakeCloud, site: CloudSite) -> None:
    link = {"rel": "next", "href": "http://10.0.0.1:8774/internal/servers/detail?marker=b&limit=2"}
    pages = [
        {"json": {"servers": [{"id": "a"}, {"id": "b"}], "servers_links": [link]}},
        {"json": {"servers": [{"id": "c"}]}},
    ]
    fake.mock.get(f"{fake.base('compute')}/servers/detail", pages)
    rows = read_all(
        site, "list", lambda: site.compute, "/servers/detail", "servers", microversion="2.79", limit=2
    )
    assert [r["id"] for r in rows] == ["a", "b", "c"]
    second = fake.sent("GET", "/servers/detail")[1]
    assert second.qs == {"marker": ["b"], "limit": ["2"]}
    assert second.headers["OpenStack-API-Version"] == "compute 2.79"


@pytest.mark.parametrize("text", ["<html>welcome</html>", "[]", '{"servers": {}}', '{"other": []}'])
def test_an_answer_that_is_somebody_elses(fake: FakeCloud, site: CloudSite, text: str) -> None:
    fake.mock.get(f"{fake.base('compute')}/servers", text=text)
    with pytest.raises(SiteError, match="something else in between"):
        read_all(site, "list servers", lambda: site.compute, "/servers", "servers")


@contextmanager
def server_that(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    behave(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        host, port = server.getsockname()
        yield f"http://{host}:{port}"


def hang_up_after_request(connection: socket.socket) -> None:
    connection.recv(65536)


@pytest.mark.parametrize(
    ("method", "idempotent", "kind"),
    [("POST", False, UnknownOutcome), ("POST", True, Unreachable), ("GET", False, Unreachable)],
)
def test_a_lost_connection_after_sending(
    fake: FakeCloud, site: CloudSite, method: str, idempotent: bool, kind: type[SiteError]
) -> None:
    with server_that(hang_up_after_request) as url:
        fake.mock.register_uri(method, f"{url}/thing", real_http=True)
        with pytest.raises(kind, match="connection lost"):
            call(site, "act", lambda: site.compute.request(f"{url}/thing", method), idempotent=idempotent)
