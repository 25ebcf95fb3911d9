"""The keystoneauth session of a site: it never waits for itself, and asks the fence before every request."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import keystoneauth1.exceptions
import requests
from keystoneauth1.identity.base import BaseIdentityPlugin
from keystoneauth1.session import TCPKeepAliveAdapter

from multisite.clouds.audited import AuditedSession, changes
from multisite.domain import fence

LOG = logging.getLogger(__name__)


class SiteSession(AuditedSession):
    """Never waits for itself.

    A Keystone (or what stands before it) that answers 401 to its version document makes keystoneauth's
    discovery ask again with a token, while the plugin holds the lock under which it gets that token
    (``discover.get_version_data``, ``identity.base.get_access``): the thread would wait for ever.
    """

    _asking = threading.local()
    before_change: Callable[[], None] | None = None
    """Asked before every request that may change something: raises when it must not be sent (``connect.Sites``)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._renewing = threading.Lock()

    def request(self, url: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """As keystoneauth's, but the log shows no bodies: those hold user data, metadata and consoles of guests."""
        if self.before_change is not None and changes(url, method):
            self.before_change()
        answer = super().request(url, method, *args, **kwargs | {"log": False})
        LOG.debug(
            "%s %s: %s %s", method, url, answer.status_code, answer.headers.get("x-openstack-request-id")
        )
        return answer

    def get_auth_headers(self, auth: Any = None, **kwargs: Any) -> Any:
        """As keystoneauth's; DiscoveryFailure when asked while this thread is getting a token already."""
        if getattr(self._asking, "now", False):
            raise keystoneauth1.exceptions.DiscoveryFailure("Keystone asks for a token before it gives one")
        self._asking.now = True
        try:
            headers = super().get_auth_headers(auth, **kwargs)
        finally:
            self._asking.now = False
        self._asking.handed = (self, (headers or {}).get("X-Auth-Token"))
        return headers

    def invalidate(self, auth: Any = None) -> bool:
        """After a 401: log in again, once for all threads whose token is not valid any more.

        keystoneauth only forgets the token.  Of several threads that are refused at the same time the second
        then finds nothing to forget, and takes its 401 for a final one although the credentials are good; a
        third finds no token where it must be one.  So here the old one stays until there is a new one.
        """
        plugin = auth or self.auth
        if not isinstance(plugin, BaseIdentityPlugin):
            return super().invalidate(auth)
        whose, refused = getattr(self._asking, "handed", (None, None))
        with self._renewing:
            known = plugin.auth_ref
            if known is None or whose is not self or known.auth_token == refused:
                self._asking.now = True
                try:
                    plugin.auth_ref = plugin.get_auth_ref(self)
                finally:
                    self._asking.now = False
        return True


class FencedAdapter(TCPKeepAliveAdapter):
    """Every request passes here, right before it is sent: a worker that has lost its job stops."""

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        fence.check()
        return super().send(*args, **kwargs)
