"""The tables of sites, applications, protections, restore points and recoveries.

Restore points and recoveries keep names and ids of things without foreign keys: they outlive applications,
protections and even this database (a restore point is found again in the backup store).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from multisite.domain.drill import Drill
from multisite.domain.model import (
    Application,
    Member,
    ProjectGrant,
    Protection,
    Recovery,
    RestorePoint,
    Site,
)
from multisite.domain.old_copy import OldCopy
from multisite.domain.recovery_plan import RecoveryPlan
from multisite.store.models.base import Base


class SiteRow(Base, of=Site):
    __tablename__ = "site"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    auth_url: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)


class ProjectGrantRow(Base, of=ProjectGrant):
    """No two projects of ours are ever the same project of a site; a site that is forgotten takes its grants along.

    At most one of a project's is the default in a site.
    """

    __tablename__ = "project_grant"
    __table_args__ = (
        UniqueConstraint("site", "site_project_id", name="uq_project_grant_target"),
        Index(
            "uq_project_grant_default", "site", "project_id", unique=True, sqlite_where=text("is_default"),
            postgresql_where=text("is_default"),
        ),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str]
    site: Mapped[str] = mapped_column(ForeignKey("site.name", ondelete="CASCADE"))
    site_project_id: Mapped[str]
    site_project_name: Mapped[str]
    is_default: Mapped[bool]


class ApplicationRow(Base, of=Application):
    __tablename__ = "application"
    __table_args__ = (UniqueConstraint("project_id", "name", name="uq_application_name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    project_id: Mapped[str]
    site: Mapped[str] = mapped_column(ForeignKey("site.name"))
    epoch: Mapped[int]
    members: Mapped[list[MemberRow]] = relationship(
        cascade="all, delete-orphan", order_by="MemberRow.order", lazy="selectin"
    )


class MemberRow(Base, of=Member):
    __tablename__ = "application_member"

    application_id: Mapped[str] = mapped_column(
        ForeignKey("application.id", ondelete="CASCADE"), primary_key=True
    )
    server_id: Mapped[str] = mapped_column(primary_key=True)
    order: Mapped[int] = mapped_column("boot_order")


class ProtectionRow(Base, of=Protection):
    __tablename__ = "protection"

    id: Mapped[str] = mapped_column(primary_key=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("application.id"), index=True)
    application: Mapped[str]
    project_id: Mapped[str] = mapped_column(index=True)
    target_site: Mapped[str | None]
    other_target_sites: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime]
    policy_id: Mapped[str | None] = mapped_column(ForeignKey("policy.id"), index=True)


class RestorePointRow(Base, of=RestorePoint):
    __tablename__ = "restore_point"

    id: Mapped[str] = mapped_column(primary_key=True)
    application_id: Mapped[str] = mapped_column(index=True)
    application: Mapped[str]
    project_id: Mapped[str] = mapped_column(index=True)
    protection_id: Mapped[str | None]
    state: Mapped[str]
    created_at: Mapped[datetime]
    error: Mapped[str | None] = mapped_column(Text)
    carried_bytes: Mapped[int | None] = mapped_column(BigInteger)


class RecoveryRow(Base, of=Recovery):
    __tablename__ = "recovery"

    id: Mapped[str] = mapped_column(primary_key=True)
    application_id: Mapped[str] = mapped_column(index=True)
    application: Mapped[str]
    project_id: Mapped[str] = mapped_column(index=True)
    restore_point_id: Mapped[str] = mapped_column(index=True)
    state: Mapped[str]
    purpose: Mapped[str]
    job_id: Mapped[str] = mapped_column(index=True)
    created_at: Mapped[datetime]
    error: Mapped[str | None] = mapped_column(Text)


class RecoveryPlanRow(Base, of=RecoveryPlan):
    __tablename__ = "recovery_plan"
    __table_args__ = (UniqueConstraint("project_id", "name", name="uq_recovery_plan_name"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    project_id: Mapped[str]
    application_id: Mapped[str]
    description: Mapped[str] = mapped_column(Text)


class OldCopyRow(Base, of=OldCopy):
    __tablename__ = "old_copy"

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(index=True)


class DrillRow(Base, of=Drill):
    __tablename__ = "drill"

    id: Mapped[str] = mapped_column(primary_key=True)
    report: Mapped[str | None] = mapped_column(Text)
