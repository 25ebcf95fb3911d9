"""Tables of moving addresses and of L3 paths.  Members and ends are JSON, one object per site."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Integer, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from multisite.domain.l3_path import L3Path
from multisite.domain.moving_address import EpochRecord, MovingAddress
from multisite.store.models.base import Base


class MovingAddressRow(Base, of=MovingAddress):
    __tablename__ = "moving_address"
    __table_args__ = (
        UniqueConstraint("project_id", "name", name="uq_moving_address_name"),
        UniqueConstraint("project_id", "address", name="uq_moving_address_project_address"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    address: Mapped[str]
    project_id: Mapped[str] = mapped_column(index=True)
    error: Mapped[str | None] = mapped_column(Text)


class AddressEpochRow(Base, of=EpochRecord):
    """Who raised an address's epoch, when and why.  Rows are only ever added; they go with their address."""

    __tablename__ = "address_epoch"

    address_id: Mapped[str] = mapped_column(
        ForeignKey("moving_address.id", ondelete="CASCADE"), primary_key=True
    )
    epoch: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    by: Mapped[str] = mapped_column("raised_by")
    why: Mapped[str] = mapped_column(Text)


class PathRow(Base, of=L3Path):
    __tablename__ = "l3_path"
    __table_args__ = (UniqueConstraint("project_id", "name", name="uq_l3_path_name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    project_id: Mapped[str] = mapped_column(index=True)
    error: Mapped[str | None] = mapped_column(Text)
