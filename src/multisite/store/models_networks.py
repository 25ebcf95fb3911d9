"""The tables of stretched networks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from multisite.store.models import Base


class StretchedRow(Base):
    """``members``: one object per site, as ``domain.stretched.Member``."""

    __tablename__ = "stretched_network"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    project_id: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    state: Mapped[str]
    cidr: Mapped[str]
    members: Mapped[list[Any]]
    segmentation_id: Mapped[int | None]
    mtu: Mapped[int | None]
    gateway: Mapped[str]
    gateway_site: Mapped[str | None]
    dhcp: Mapped[str]
    remote_groups: Mapped[str]
    port_security: Mapped[bool]
    job_id: Mapped[str | None]
    requested_by: Mapped[str]
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]


class LookRow(Base):
    """What a site's part looked like when it was last seen, and the last try.  A cache: sites are the truth."""

    __tablename__ = "stretched_look"

    network_id: Mapped[str] = mapped_column(
        ForeignKey("stretched_network.id", ondelete="CASCADE"), primary_key=True
    )
    site: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime | None]
    tried_at: Mapped[datetime]
    error: Mapped[str | None] = mapped_column(Text)
    look: Mapped[dict[str, Any]]


class LeaseRow(Base):
    """Who may act on a thing until when, for work that is no job (a job has its worker's lease)."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    expires_at: Mapped[datetime]
