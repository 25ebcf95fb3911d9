"""Raw requests to a site's services, real or simulated."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import openstack.config

T = TypeVar("T")
COMPUTE, VOLUME, NETWORK, IMAGE = "compute", "block-storage", "network", "image"
NEWEST = {COMPUTE: "latest", VOLUME: "latest"}
"""Rows with everything a service knows."""


class Api:
    """One account of a site: an entry of clouds.yaml, an administrator in the application's project."""

    def __init__(self, clouds: Path, cloud: str) -> None:
        config = openstack.config.OpenStackConfig(config_files=[str(clouds)], load_envvars=False)
        region = config.get_one(cloud)
        self.cloud = cloud
        self._session = region.get_session()
        self._region = region.get_region_name()
        self.project = str(self._session.get_project_id())
        self.user = str(self._session.get_user_id())
        self._aliases: set[str] | None = None

    def __call__(self, service: str, method: str, path: str, body: Any = None, version: str = "") -> Any:
        """What it answered, or an AssertionError with its words."""
        answer = self._request(service, method, path, body, version)
        assert answer.status_code < 400, (
            f"{self.cloud}: {method} {path}: {answer.status_code} {answer.text[:500]}"
        )
        return answer.json() if answer.content else None

    def find(self, service: str, path: str) -> Any:
        """The same for what may not be there: None."""
        answer = self._request(service, "GET", path, None, "")
        if answer.status_code == 404:
            return None
        assert answer.status_code < 400, f"{self.cloud}: GET {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def permitted(self, service: str, method: str, path: str, body: Any) -> bool:
        """Done, or False where the site's policies leave it to others."""
        answer = self._request(service, method, path, body, "")
        done = answer.status_code < 400
        assert done or answer.status_code == 403, f"{self.cloud}: {method} {path}: {answer.text[:500]}"
        return done

    def has(self, alias: str) -> bool:
        """Whether Neutron has loaded an extension."""
        if self._aliases is None:
            found = self(NETWORK, "GET", "/v2.0/extensions")["extensions"]
            self._aliases = {row["alias"] for row in found}
        return alias in self._aliases

    def _request(self, service: str, method: str, path: str, body: Any, version: str) -> Any:
        place = {"service_type": service, "region_name": self._region, "interface": "public"}
        return self._session.request(
            path,
            method,
            json=body,
            endpoint_filter=place,
            microversion=version or NEWEST.get(service),
            headers={"Accept": "application/json"},
            raise_exc=False,
        )


def until(seen: Callable[[], T | None], what: str, seconds: float, pause: float = 0.2) -> T:
    """The first answer that is neither None nor False."""
    deadline = time.monotonic() + seconds
    while True:
        if found := seen():
            return found
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(pause)
