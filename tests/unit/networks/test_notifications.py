"""What wakes the reconciler."""

from __future__ import annotations

import threading
from typing import Any

import oslo_messaging
import pytest
from oslo_config import cfg

from multisite.domain.errors import Invalid
from multisite.networks.stretch.notifications import TOPIC, Endpoint, Listeners, parsed

URL = "rabbit://neutron:very-secret@192.0.2.1:5672/a"


def test_entries() -> None:
    assert parsed([f"site1 {URL}", "site2  fake:///"]) == {"site1": URL, "site2": "fake:///"}
    for bad in (["site1"], ["site1 http://neutron:very-secret@x/"], [f"site1 {URL}", f"site1 {URL}"]):
        with pytest.raises(Invalid, match=r"\[networks\] notifications: ") as refused:
            parsed(bad)
        assert "very-secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("event", "payload", "wakes"),
    [
        ("port.create.end", {"port": {"device_owner": "compute:nova"}}, True),
        ("port.delete.end", {"port_id": "1"}, True),
        ("port.update.end", None, True),
        ("port.update.end", {"port": {"device_owner": "multisite:remote_port"}}, False),
        ("port.create.start", {}, False),
        ("network.create.end", {}, False),
    ],
)
def test_which_events_wake(event: str, payload: Any, wakes: bool) -> None:
    woken: list[int] = []
    Endpoint("site1", lambda: woken.append(1)).info({}, "network.ctl", event, payload, {})
    assert bool(woken) is wakes


def test_a_notification_over_a_bus_wakes() -> None:
    woken = threading.Event()
    listeners = Listeners({"site1": "fake:///"}, woken.set)
    listeners.start()
    try:
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[], default_config_dirs=[])
        transport = oslo_messaging.get_notification_transport(conf, url="fake:///")
        teller = oslo_messaging.Notifier(transport, "network.ctl", driver="messagingv2", topics=[TOPIC])
        teller.info({}, "network.update.end", {})
        assert not woken.wait(0.5)
        teller.info({}, "port.update.end", {"port": {"device_owner": "compute:nova"}})
        assert woken.wait(10)
    finally:
        listeners.stop()


def test_a_bus_that_is_away_costs_its_own_site_only(caplog: pytest.LogCaptureFixture) -> None:
    listeners = Listeners({"site1": "nonsense://neutron:very-secret@h/", "site2": "fake:///"}, lambda: None)
    with caplog.at_level("INFO"):
        listeners.start()
    listeners.stop()
    told = [(r.levelname, r.getMessage()) for r in caplog.records if r.name.startswith("multisite.")]
    assert [level for level, _ in told] == ["WARNING", "INFO"]
    assert told[0][1].startswith("site site1: its notifications are not heard (")
    assert told[1][1] == "site site2: its notifications are heard"
    assert "very-secret" not in caplog.text
