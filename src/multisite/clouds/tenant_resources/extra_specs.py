"""Extra specs of a flavor or a volume type: Nova and Cinder have the same two requests for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from multisite.clouds.call import call, post
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import NotFoundInSite


def set_specs(
    admin: CloudSite,
    proxy: Callable[[], Any],
    path: str,
    there: Collection[str],
    wanted: Mapping[str, str],
    *,
    microversion: str,
) -> None:
    """Those below ``path``, of which the keys ``there`` are looked after, become ``wanted``; others stay.

    ``proxy`` as for ``call.post``.  Raises what ``call`` raises.
    """
    if wanted:
        body = {"extra_specs": dict(wanted)}
        post(admin, f"set {path}", proxy, path, body, microversion=microversion, idempotent=True)
    for key in sorted(set(there) - set(wanted)):
        with suppress(NotFoundInSite):
            remove = partial(_remove, proxy, f"{path}/{key}", microversion)
            call(admin, f"remove {path}/{key}", remove, idempotent=True)


def _remove(proxy: Callable[[], Any], path: str, microversion: str) -> Any:
    return proxy().delete(path, microversion=microversion)
