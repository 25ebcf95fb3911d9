"""Earlier copies of a recovered application, for people: their state, and what to do when they are active."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multisite_client.osc import findings


def told(copy: Mapping[str, Any]) -> str:
    """A line, and one for each finding."""
    looked = f", looked at {copy['looked_at']}" if copy["looked_at"] else ""
    return "\n".join([f"{copy['state']}{looked}", *map(findings.line, copy["findings"])])
