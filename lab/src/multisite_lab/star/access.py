"""Who asked a site's Keystone what: its access log, read back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from multisite_lab.model import ALL_SITES, Site


@dataclass(frozen=True)
class Request:
    """``at``: seconds since the epoch; ``client``: the address that asked first, in front of any proxy."""

    at: int
    client: str
    method: str
    path: str
    status: int
    agent: str

    @property
    def is_validation(self) -> bool:
        """Whether a service asked about somebody's token."""
        return self.method in ("GET", "HEAD") and self.path.partition("?")[0] == "/v3/auth/tokens"

    @property
    def client_site(self) -> str:
        """Name of the site that asked, or `core` for anybody else."""
        names = {site.management: site.name for site in ALL_SITES.values()}
        return names.get(self.client, "core")


def log_file(site: Site) -> Path:
    """Where the site's Keystone notes each request."""
    return site.log / "keystone-access.log"


def mark(site: Site) -> int:
    """How long the log is now, for `since`."""
    path = log_file(site)
    return path.stat().st_size if path.exists() else 0


def since(site: Site, mark: int = 0) -> list[Request]:
    """Every request noted after a mark, oldest first."""
    with log_file(site).open("rb") as file:
        file.seek(mark)
        lines = file.read().decode(errors="replace").splitlines()
    return [_request(json.loads(line)) for line in lines if line.startswith("{") and line.endswith("}")]


def _request(row: dict[str, str]) -> Request:
    forwarded = row["for"] if row["for"] not in ("-", "") else row["peer"]
    client = forwarded.partition(",")[0].strip()
    return Request(int(row["at"]), client, row["method"], row["path"], int(row["status"]), row["agent"])
