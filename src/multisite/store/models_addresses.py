"""Tables of moving addresses and of L3 paths.  See ``models`` for the rules all tables keep to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Integer, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from multisite.store.models import Base


class MovingAddressRow(Base):
    """``members``: a site each, with its port, its floating IP and the epochs it was bound and released at."""

    __tablename__ = "moving_address"
    __table_args__ = (UniqueConstraint("project_id", "name", name="uq_moving_address_name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    address: Mapped[str] = mapped_column(unique=True)
    project_id: Mapped[str] = mapped_column(index=True)
    members: Mapped[list[Any]]
    active_site: Mapped[str]
    epoch: Mapped[int]
    state: Mapped[str]
    probe: Mapped[str]
    job_id: Mapped[str]
    move_job_id: Mapped[str | None]
    requested_by: Mapped[str]
    created_at: Mapped[datetime]
    error: Mapped[str | None] = mapped_column(Text)


class AddressEpochRow(Base):
    """Who raised an address's epoch, when and why.  Rows are only ever added; they go with their address."""

    __tablename__ = "address_epoch"

    address_id: Mapped[str] = mapped_column(
        ForeignKey("moving_address.id", ondelete="CASCADE"), primary_key=True
    )
    epoch: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    site: Mapped[str]
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column("raised_by")
    why: Mapped[str] = mapped_column(Text)
    job_id: Mapped[str]


class PathRow(Base):
    """An L3 path; ``ends``: a site each, with its port, floating IP and security group."""

    __tablename__ = "l3_path"
    __table_args__ = (UniqueConstraint("project_id", "name", name="uq_l3_path_name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    project_id: Mapped[str] = mapped_column(index=True)
    ends: Mapped[list[Any]]
    protocol: Mapped[str]
    port: Mapped[int | None]
    state: Mapped[str]
    job_id: Mapped[str]
    requested_by: Mapped[str]
    created_at: Mapped[datetime]
    error: Mapped[str | None] = mapped_column(Text)
