"""The table of what the database says of itself: one row."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from multisite.domain.installation import Installation
from multisite.store.models.base import Base


class InstallationRow(Base, of=Installation):
    __tablename__ = "installation"

    id: Mapped[str] = mapped_column(primary_key=True)
