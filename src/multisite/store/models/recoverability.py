"""The table of the newest look at each protection."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from multisite.domain.recoverability import Recoverability
from multisite.store.models.base import Base


class RecoverabilityRow(Base, of=Recoverability):
    __tablename__ = "recoverability"

    id: Mapped[str] = mapped_column(ForeignKey("protection.id", ondelete="CASCADE"), primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
