"""The tables of stretched networks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from multisite.domain.stretched import StretchedNetwork
from multisite.store.models.base import Base


class StretchedRow(Base, of=StretchedNetwork):
    __tablename__ = "stretched_network"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    project_id: Mapped[str] = mapped_column(index=True)
    state: Mapped[str]
    error: Mapped[str | None] = mapped_column(Text)


class SitePortsRow(Base):
    """The ports a site had when it was last read, and the last try.  A cache: sites are the truth."""

    __tablename__ = "site_ports"

    network_id: Mapped[str] = mapped_column(
        ForeignKey("stretched_network.id", ondelete="CASCADE"), primary_key=True
    )
    site: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime | None]
    tried_at: Mapped[datetime]
    error: Mapped[str | None] = mapped_column(Text)
    ports: Mapped[dict[str, Any]]
