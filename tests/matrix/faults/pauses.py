"""The service in a hurry: its pauses a tenth, its patience seconds, so that a case takes one or two.

Simulated sites do in milliseconds what real ones do in seconds; the order of things stays as it is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import tenacity.nap

from multisite.clouds import call, connect, restore, waiting
from multisite.clouds.resources import lifecycle
from multisite.recovery.methods.cinder_backups import making, payload
from multisite.recovery.methods.cinder_backups import restore as restore_steps
from multisite.recovery.methods.consistent_backup import capture, window
from multisite.recovery.methods.instance_snapshot import images
from multisite.recovery.methods.volume_replication import copies
from multisite.recovery.methods.volume_replication import run as replication
from multisite.recovery.recover import readiness
from multisite.recovery.recover import steps as recover_steps
from multisite.recovery.recover.dns import steps as names

SHARE = 0.1
"""Of each pause."""
ANSWER_SECONDS = 4.0
"""A site's answer may take so long; ``slow`` ones take longer."""
PATIENCE = 20.0
"""What may take minutes in a real site."""

_SLEEPERS: tuple[Any, ...] = (
    lifecycle,
    capture,
    copies,
    replication,
    names,
    images,
    making,
    window,
    restore,
    waiting,
    tenacity.nap,
)
_LIMITS: tuple[tuple[Any, str, float], ...] = (
    (call, "RETRY_SECONDS", call.RETRY_SECONDS * SHARE),
    (connect, "PROBE_SECONDS", ANSWER_SECONDS),
    (images, "IMAGE_SECONDS", PATIENCE),
    (images, "IMAGE_SECONDS_PER_GIB", 0.0),
    (payload, "BACKUP_SECONDS", PATIENCE),
    (payload, "BACKUP_SECONDS_PER_GIB", 0.0),
    (capture, "SNAPSHOT_SECONDS", PATIENCE),
    (capture, "THAW_SECONDS", PATIENCE),
    (restore_steps, "IMPORT_SECONDS", PATIENCE),
    (restore_steps, "RESTORE_SECONDS", PATIENCE),
    (restore_steps, "RESTORE_SECONDS_PER_GIB", 0.0),
    (restore_steps, "UNDO_SECONDS", PATIENCE),
    (recover_steps, "UNDO_SECONDS", PATIENCE),
)


def _nap(seconds: float) -> None:
    time.sleep(seconds * SHARE)


@contextmanager
def hurried() -> Iterator[None]:
    """For as long as the block runs, in this process."""
    clock = SimpleNamespace(sleep=_nap, monotonic=time.monotonic, time=time.time)
    with ExitStack() as patches:
        for module in _SLEEPERS:
            patches.enter_context(patch.object(module, "time", clock))
        for module, name, seconds in _LIMITS:
            patches.enter_context(patch.object(module, name, seconds))
        defaults = {**(readiness.wait_ready.__kwdefaults__ or {}), "pause": _nap}
        patches.enter_context(patch.object(readiness.wait_ready, "__kwdefaults__", defaults))
        yield
