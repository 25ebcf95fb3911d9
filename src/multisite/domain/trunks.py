"""Trunks of an application, as its restore point has them (Networking API v2, trunks)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SubportRecord:
    """A port without a device of its own whose traffic the trunk carries, told apart by its segmentation."""

    port_id: str
    segmentation_type: str
    segmentation_id: int


@dataclass(frozen=True)
class TrunkRecord:
    """``port_id``: its parent, a port of a server."""

    id: str
    name: str
    port_id: str
    subports: tuple[SubportRecord, ...] = ()
    description: str = ""
    enabled: bool = True
    tags: tuple[str, ...] = ()
