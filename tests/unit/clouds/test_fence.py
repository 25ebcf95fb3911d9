"""Behind a fence: nothing is sent without the right to act, and whoever watches sees what is waited for."""

from __future__ import annotations

from typing import Any

import pytest
from keystoneauth1.session import TCPKeepAliveAdapter

from multisite.clouds.call import call
from multisite.clouds.connect import CloudSite
from multisite.domain import fence
from multisite.domain.fence import FencedThreads

from .conftest import FakeCloud


class Lost(BaseException):
    """As the engine's: no Exception, so that no step takes it for a failure."""


class Guard:
    def __init__(self) -> None:
        self.open = True
        self.told: list[str] = []

    def check(self) -> None:
        if not self.open:
            raise Lost

    def waits(self, why: str) -> None:
        self.told.append(why)


def test_a_request_is_not_sent_without_the_right(site: CloudSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request of a site goes through its adapters (requests-mock would stand in their place)."""
    sent: list[Any] = []
    monkeypatch.setattr(TCPKeepAliveAdapter, "send", lambda self, request: sent.append(request))
    adapters: list[Any] = [site.conn.session.session.adapters[scheme] for scheme in ("http://", "https://")]
    guard = Guard()
    for adapter in adapters:
        guard.open = True
        sent.clear()
        with fence.around(guard):
            adapter.send("first")
            guard.open = False
            with pytest.raises(Lost):
                adapter.send("second")
            with pytest.raises(Lost), FencedThreads(1) as pool:  # also in threads that work for the step
                pool.submit(adapter.send, "third").result()
        adapter.send("fourth")  # who is behind no fence may act
        assert sent == ["first", "fourth"]


def test_a_repeated_call_tells_what_it_waits_for(fake: FakeCloud, site: CloudSite) -> None:
    site.compute  # noqa: B018 - log in first
    answers: list[dict[str, Any]] = [{"status_code": 503}, {"json": {"server": {"id": "s1"}}}]
    fake.mock.get("http://west.example/compute/v2.1/servers/s1", answers)
    guard = Guard()
    with fence.around(guard):
        call(site, "read server", lambda: site.compute.get_server("s1"))
    assert len(guard.told) == 2
    assert guard.told[0].startswith("attempt 2: ")
    assert "503" in guard.told[0]
    assert guard.told[1] == ""
