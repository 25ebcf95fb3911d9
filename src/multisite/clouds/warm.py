"""Connecting beforehand, for work that must not wait for a connection or a login."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from keystoneauth1.identity.base import BaseIdentityPlugin

from multisite.clouds.call import call
from multisite.clouds.connect import CloudSite


def warm(site: CloudSite, pool: ThreadPoolExecutor, threads: int, seconds: float) -> None:
    """Make sure that nothing is connected or logged in anew within the next ``seconds``.

    One connection per thread of ``pool`` to Cinder, one to Nova, and a token that lasts.  Raises what ``call`` raises.
    """
    session = site.conn.session
    auth = session.auth
    if isinstance(auth, BaseIdentityPlugin) and auth.get_access(session).will_expire_soon(int(seconds)):
        auth.invalidate()  # whoever asks next logs in, whichever token this thread was handed
    query = {"limit": "1"}

    def touch(_: int) -> None:
        call(site, "connect to Cinder", lambda: site.volume.get("/snapshots", params=query))

    list(pool.map(touch, range(threads)))
    call(site, "connect to Nova", lambda: site.compute.get("/servers", params=query))
