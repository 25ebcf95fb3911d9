"""Waiting for a database that is away, full or read-only: what was done is written down as soon as it can be."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from multisite.store.failures import describe, is_transient

log = logging.getLogger("multisite.jobs")

T = TypeVar("T")
PAUSE = (0.1, 2.0)
TELL_SECONDS = 30.0


def retry_until_database_available(
    go_on: Callable[[], None], call: Callable[..., T], *args: Any, **kwargs: Any
) -> T:
    """Call it until the database lets it through; ``go_on`` raises when that is not wanted any more.

    ``call`` may have been committed although it failed (the answer was lost), so doing it twice is harmless.
    Other errors pass.
    """
    pause, told = PAUSE[0], 0.0
    while True:
        try:
            return call(*args, **kwargs)
        except Exception as error:
            if not is_transient(error):
                raise
            if not told or time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                log.warning("the database cannot be used now, jobs wait for it: %s", describe(error))
        go_on()
        time.sleep(pause)
        pause = min(pause * 2, PAUSE[1])
