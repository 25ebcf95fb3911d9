"""The table of applications' planes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from multisite.domain.planes import PlaneRecord
from multisite.store.models.base import Base


class PlaneRow(Base, of=PlaneRecord):
    """``stretched_network_id`` is no foreign key: the network may be taken apart by its own commands, and then the
    plane is described only.  An application with realized planes cannot be deleted (``store.applications``).
    """

    __tablename__ = "application_plane"
    __table_args__ = (UniqueConstraint("application_id", "name", name="uq_application_plane_name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("application.id"), index=True)
    name: Mapped[str]
    why: Mapped[str] = mapped_column(Text)
    state: Mapped[str]
    stretched_network_id: Mapped[str | None]
    error: Mapped[str | None] = mapped_column(Text)
    left: Mapped[list[Any]]
