"""Neutron's notifications wake the reconciler, so that it need not wait for its next pass.

A notification is a reason to read and nothing else: what has changed is read from the site, so a lost, late,
doubled or forged one does no harm.  Sites need ``[oslo_messaging_notifications] driver = messagingv2``; we listen in a
pool of our own, so that telemetry does not take ours nor we its.  A bus that cannot be reached is tried again by
oslo.messaging itself; until then polling does it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from oslo_config import cfg

from multisite.domain.errors import Invalid

LOG = logging.getLogger(__name__)

POOL = "multisite"
TOPIC = "notifications"
PORTS = re.compile(r"^port\.(create|update|delete)\.end$")


class Endpoint:
    """What oslo.messaging calls for each notification of priority "info"."""

    def __init__(self, site: str, wake: Callable[[], None]) -> None:
        from oslo_messaging import NotificationFilter

        self.filter_rule = NotificationFilter(event_type=PORTS.pattern)
        self._site, self._wake = site, wake

    def info(self, ctxt: Any, publisher_id: str, event_type: str, payload: Any, metadata: Any) -> None:  # noqa: ARG002
        if PORTS.match(event_type) and not _remote(payload):
            LOG.debug("site %s: %s", self._site, event_type)
            self._wake()


def _remote(payload: Any) -> bool:
    """Whether it tells of a remote port: those are made by the reconciler, which need not wake itself."""
    port = payload.get("port") if isinstance(payload, dict) else None
    return isinstance(port, dict) and port.get("device_owner") == "multisite:remote_port"


def parsed(lines: Sequence[str]) -> dict[str, str]:
    """``site1 rabbit://user:password@host:5672/vhost``, one per site.  Invalid never shows the URL."""
    found: dict[str, str] = {}
    for line in lines:
        site, _, url = line.strip().partition(" ")
        if not site or urlsplit(url.strip()).scheme not in ("rabbit", "kombu", "kafka", "fake"):
            raise Invalid(
                f"[networks] notifications: the entry of {site!r} must be <site> rabbit://user:password@host/"
            )
        if site in found:
            raise Invalid(f"[networks] notifications: {site!r} has two entries")
        found[site] = url.strip()
    return found


class Listeners:
    """One listener per site with a bus."""

    def __init__(self, urls: Mapping[str, str], wake: Callable[[], None]) -> None:
        self._urls, self._wake = urls, wake
        self._running: list[Any] = []

    def start(self) -> None:
        """Never fails for a bus that is away: that site is polled only."""
        if not self._urls:
            return
        import oslo_messaging

        for site, url in self._urls.items():
            try:
                transport = oslo_messaging.get_notification_transport(_conf(), url=url)
                listener = oslo_messaging.get_notification_listener(
                    transport, [oslo_messaging.Target(topic=TOPIC)], [Endpoint(site, self._wake)],
                    executor="threading", pool=POOL,
                )  # fmt: skip
                listener.start()
            except Exception as error:  # the URL holds a password: never the text of what oslo.messaging says
                LOG.warning(
                    "site %s: its notifications are not heard (%s): polling only", site, type(error).__name__
                )
                continue
            LOG.info("site %s: its notifications are heard", site)
            self._running.append(listener)

    def stop(self) -> None:
        for listener in self._running:
            try:
                listener.stop()
                listener.wait()
            except Exception:
                LOG.warning("a listener for notifications did not end", exc_info=True)
        self._running.clear()


def _conf() -> cfg.ConfigOpts:
    """oslo.messaging's own options with their defaults."""
    conf = cfg.ConfigOpts()
    conf([], project="multisite", default_config_files=[], default_config_dirs=[])
    return conf
