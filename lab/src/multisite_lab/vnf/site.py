"""Connections to a site, and waiting."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

import openstack

from multisite_lab import paths
from multisite_lab.model import LabError

Progress = Callable[[str], None]
T = TypeVar("T")


def silent(line: str) -> None:
    """The default progress: nobody listens."""


def connect(cloud: str) -> Any:
    """A connection to an entry of the lab's clouds.yaml."""
    os.environ.setdefault("OS_CLIENT_CONFIG_FILE", str(paths.state() / "clouds.yaml"))
    return openstack.connect(cloud=cloud)


def site_of(cloud: str) -> str:
    """The site an entry of clouds.yaml leads to: ``site1-admin`` is another user of ``site1``."""
    return cloud.partition("-")[0]


def until(answer: Callable[[], T | None], what: str, timeout: float, pause: float = 0.5) -> T:
    """Ask again and again; return the first answer that is not None, or fail once the time is over."""
    end = time.monotonic() + timeout
    while True:
        found = answer()
        if found is not None:
            return found
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {timeout:.0f} s")
        time.sleep(pause)
