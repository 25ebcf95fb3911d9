"""Passwords of a site: made once at random, kept readable by root only."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, repr=False)
class Passwords:
    """One password per kind of user; `service` is that of all OpenStack services, database and queue."""

    service: str
    admin: str
    operator: str
    member: str
    other: str
    multisite: str

    @classmethod
    def generate(cls) -> Passwords:
        """New random passwords, safe in URLs and INI files."""
        return cls(*(secrets.token_urlsafe(18) for _ in cls.__dataclass_fields__))

    @classmethod
    def load(cls, path: Path) -> Passwords:
        """Read back what `save` wrote."""
        return cls(**json.loads(path.read_text()))

    def save(self, path: Path) -> None:
        """Write with mode 0600."""
        write_private(path, json.dumps(asdict(self), indent=1) + "\n")


def write_private(path: Path, text: str, mode: int = 0o600) -> bool:
    """Replace a file as a whole, never readable by others in between; False when it already says that."""
    if path.is_file() and path.read_text() == text and path.stat().st_mode & 0o777 == mode:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
    fresh.rename(path)
    return True
