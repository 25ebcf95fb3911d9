"""Waiting for something in a site: never for ever, and saying what was last seen when it did not come.

A site that cannot be reached for a while does not end a wait: the work in it may well go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any, TypeVar, cast

from multisite.clouds.call import read_all
from multisite.clouds.connect import CloudSite
from multisite.clouds.errors import (
    Cancelled,
    Failed,
    NotFoundInSite,
    Refused,
    SiteError,
    TimedOut,
    Unreachable,
)

T = TypeVar("T")
SLOWEST_POLL = 2.0
"""Long waits are asked about less often, at most this many seconds apart."""


def wait_until(
    read: Callable[[], T],
    *,
    done: Collection[str] | Callable[[T], object],
    failed: Collection[str] | Callable[[T], object],
    timeout: float,
    what: str,
    poll: float = 0.3,
    on_poll: Callable[[T], object] | None = None,
    cancelled: Callable[[], bool] | None = None,
    site: str = "",
    explain: Callable[[T], str] | None = None,
) -> T:
    """Call ``read`` until what it returns is ``done``, and return that.

    ``done`` and ``failed`` are predicates or sets of states (``status``, compared without case).
    ``timeout`` and ``poll`` are seconds; ``what`` names the thing ("volume db-root").  ``on_poll`` sees
    every value (progress).  ``explain`` gives the reason of a failure; without it, or when it has none,
    it is what the thing itself tells (``fault_of``).

    Raises Failed, TimedOut (both name the thing, its last state and the seconds), Cancelled when ``cancelled()``, and
    whatever ``read`` raises except Unreachable and server errors, which are borne until the time is up.
    """
    begun = time.monotonic()
    seen: str | None = None
    while True:
        value, trouble = _try_read(read)
        if trouble is None:
            value, seen = cast("T", value), state_of(value)
            if on_poll is not None:
                on_poll(value)
            if _holds(done, value):
                return value
            if _holds(failed, value):
                reason = (explain(value) if explain else "") or fault_of(value)
                raise _failure(site, what, seen, time.monotonic() - begun, reason)
        if cancelled is not None and cancelled():
            raise Cancelled(site, what, f"stopped waiting on request; it was {seen or 'not seen yet'}")
        _pause(begun, timeout, poll, site=site, what=what, seen=seen, trouble=trouble)


def wait_gone(
    read: Callable[[], T],
    *,
    timeout: float,
    what: str,
    failed: Collection[str] | Callable[[T], object] = ("error", "error_deleting"),
    site: str = "",
) -> None:
    """Wait until ``read`` raises NotFoundInSite or returns None (or a server shows as DELETED).

    Raises as ``wait_until`` does.
    """

    def read_or_none() -> T | None:
        try:
            return read()
        except NotFoundInSite:
            return None

    def is_gone(value: T | None) -> bool:
        return value is None or (state_of(value) or "").lower() in ("deleted", "soft_deleted")

    def is_stuck(value: T | None) -> bool:
        return value is not None and _holds(failed, value)

    wait_until(read_or_none, done=is_gone, failed=is_stuck, timeout=timeout, what=what, site=site)


def state_of(value: object) -> str | None:
    """``status`` of an SDK resource or a mapping, with Nova's task state when there is one."""
    status = _field(value, "status")
    task = _field(value, "task_state") or _field(value, "OS-EXT-STS:task_state")
    return f"{status} ({task})" if status and task else (str(status) if status else None)


def fault_of(value: object) -> str:
    """The reason a thing gives for its own failure: Nova's ``fault``, a backup's ``fail_reason``; "" for none."""
    fault = _field(value, "fault")
    if isinstance(fault, dict) and fault.get("message"):
        return str(fault["message"])
    return str(_field(value, "fail_reason") or "")


def volume_messages(site: CloudSite, resource_id: str) -> str:
    """What Cinder tells users about a volume, snapshot or backup that failed (``GET /messages``, 3.5); "" for nothing.

    Never raises: it explains another failure.
    """
    what = f"read messages about {resource_id}"
    try:
        found = read_all(
            site, what, lambda: site.volume, "/messages", "messages", microversion="3.5", resource_uuid=resource_id
        )  # fmt: skip
    except SiteError:
        return ""
    return "; ".join(dict.fromkeys(str(m["user_message"]) for m in found))


def _try_read(read: Callable[[], T]) -> tuple[T | None, SiteError | None]:
    """The value, or why it could not be read just now."""
    try:
        return read(), None
    except (Unreachable, Refused) as error:
        if isinstance(error, Refused) and error.site_status < 500:
            raise
        return None, error


def _failure(site: str, what: str, seen: str | None, seconds: float, reason: str) -> Failed:
    said = f"ended as {seen} after {seconds:.1f} s: {reason or 'no reason given'}"
    return Failed(site, what, said, state=seen, seconds=seconds)


def _holds(test: Collection[str] | Callable[[Any], object], value: object) -> bool:
    if callable(test):
        return bool(test(value))
    status = _field(value, "status")
    return status is not None and str(status).lower() in {s.lower() for s in test}


def _field(value: object, name: str) -> Any:
    if isinstance(value, dict):
        return value.get(name)
    return getattr(value, name, None)


def _pause(
    begun: float,
    timeout: float,
    poll: float,
    *,
    site: str,
    what: str,
    seen: str | None,
    trouble: SiteError | None,
) -> None:
    """Sleep until the next read; raises TimedOut when there is no time for one."""
    elapsed = time.monotonic() - begun
    left = timeout - elapsed
    if left <= 0:
        said = f"not ready after {elapsed:.1f} s; last seen as {seen or 'nothing'}"
        if trouble is not None:
            said += f"; then {trouble.message}"
        raise TimedOut(site, what, said, state=seen, seconds=elapsed) from trouble
    slower = min(poll * (1 + elapsed / 30), max(poll, SLOWEST_POLL))
    time.sleep(min(slower, left))
