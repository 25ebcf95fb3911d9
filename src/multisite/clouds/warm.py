"""Connecting beforehand, for work that must not wait for a connection or a login."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from keystoneauth1.identity.base import BaseIdentityPlugin

from multisite.clouds.administrator import QUIESCE, administrator
from multisite.clouds.call import call
from multisite.clouds.connect import CloudSite


def warm(site: CloudSite, pool: ThreadPoolExecutor, threads: int, seconds: float) -> None:
    """Make sure that nothing is connected or logged in anew within the next ``seconds``.

    One connection per thread of ``pool`` to Cinder, one to Nova for each account (who freezes is an administrator), and
    tokens that last.  Raises what ``call`` raises.
    """
    admin = administrator(site, QUIESCE)
    for one in {site, admin}:
        _keep_token(one, seconds)
    query = {"limit": "1"}

    def touch(_: int) -> None:
        call(site, "connect to Cinder", lambda: site.volume.get("/snapshots", params=query))

    list(pool.map(touch, range(threads)))
    for one in {site, admin}:
        call(one, "connect to Nova", lambda one=one: one.compute.get("/servers", params=query))


def _keep_token(site: CloudSite, seconds: float) -> None:
    session = site.conn.session
    auth = session.auth
    if isinstance(auth, BaseIdentityPlugin) and auth.get_access(session).will_expire_soon(int(seconds)):
        auth.invalidate()  # whoever asks next logs in, whichever token this thread was handed
