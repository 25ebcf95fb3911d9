"""Verbs of the service for openstacksdk.  Refusals raise kinds of ``openstack.exceptions.HttpException``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from openstack import exceptions

from multisite_client.images import ImageVerbs
from multisite_client.networks import NetworkVerbs
from multisite_client.planes import PlaneVerbs
from multisite_client.quotas import QuotaVerbs
from multisite_client.resource_syncs import ResourceSyncVerbs
from multisite_client.resources import (
    Address,
    Application,
    AuditRecord,
    Drill,
    Job,
    Json,
    Path,
    Policy,
    ProjectGrant,
    Protection,
    Recovery,
    RecoveryPlan,
    RestorePoint,
    Site,
)
from multisite_client.urls import url


class Proxy(NetworkVerbs, PlaneVerbs, ImageVerbs, ResourceSyncVerbs, QuotaVerbs):
    """``conn.multisite``.  Every list takes ``limit`` and ``marker`` too (``pages``)."""

    skip_discovery = True  # one version, and its URL is what the catalog holds

    # Sites

    def sites(self, **query: Any) -> Iterator[Site]:
        """The registered sites."""
        return self.pages(Site, **query)

    def get_site(self, name: str) -> Site:
        return self.fetch(Site, name)

    def register_site(self, name: str, cloud: str, description: str = "") -> Site:
        """Register a site by its entry in the service's clouds.yaml."""
        return self._create(Site, name=name, cloud=cloud, description=description)

    def unregister_site(self, name: str) -> None:
        self.delete_one(Site, name)

    def check_site(self, name: str) -> Json:
        """What a site can do now."""
        return self.act(url("sites", name, "check"))

    # Project grants

    def project_grants(self, **query: Any) -> Iterator[ProjectGrant]:
        """Which projects of a site are for which of ours."""
        return self.pages(ProjectGrant, **query)

    def get_project_grant(self, id: str) -> ProjectGrant:
        return self.fetch(ProjectGrant, id)

    def create_project_grant(
        self, project_id: str, site: str, site_project_id: str, *, is_default: bool = False
    ) -> ProjectGrant:
        """Say which project of a site is for one of the service's Keystone; the first is the default."""
        wanted = {"project_id": project_id, "site": site, "site_project_id": site_project_id}
        return self._create(ProjectGrant, **wanted, is_default=is_default)

    def set_default_project_grant(self, id: str) -> Json:
        """Make it the default of its project in its site."""
        return self.act(url("project-grants", id, "set-default"))

    def delete_project_grant(self, id: str) -> None:
        self.delete_one(ProjectGrant, id)

    # Applications

    def applications(self, **query: Any) -> Iterator[Application]:
        """The project's applications."""
        return self.pages(Application, **query)

    def get_application(self, id: str) -> Application:
        return self.fetch(Application, id)

    def create_application(self, **attrs: Any) -> Application:
        """``name``, ``site``, and ``servers`` or ``metadata_tag``."""
        return self._create(Application, **attrs)

    def delete_application(self, id: str) -> None:
        self.delete_one(Application, id)

    # Protections and restore points

    def protections(self, **query: Any) -> Iterator[Protection]:
        """The project's protections."""
        return self.pages(Protection, **query)

    def get_protection(self, id: str) -> Protection:
        return self.fetch(Protection, id)

    def create_protection(self, **attrs: Any) -> Protection:
        """``application``, ``target_site`` or ``target_sites``, ``method`` (else one is chosen), its ``options``."""
        return self._create(Protection, **attrs)

    def preview_protection(self, **attrs: Any) -> Json:
        """What each method would give: ``application``, ``target_site``, ``options``, ``policy``; changes nothing."""
        return self.act("/protections/preview", attrs)

    def update_protection(self, id: str, changes: Mapping[str, Any]) -> Json:
        """``policy`` (name or id, None: without), ``target_sites`` (the preferred one first), ``paused``."""
        return self.change(url("protections", id), changes)

    def protection_rpo(self, id: str, hours: int = 24) -> Json:
        """If the site died now: how old the data would be, and how it was in so many hours."""
        return self.read(f"{url('protections', id, 'rpo')}?hours={hours}")

    def protection_recoverability(self, id: str, *, check: bool = False) -> Json:
        """Whether it could be recovered now: as the newest look found, or with ``check`` by a look now."""
        path = url("protections", id, "recoverability")
        return self.act(path, {}) if check else self.read(path)

    def protection_retention(self, id: str) -> Json:
        """What its policy would delete now, and why; changes nothing."""
        return self.read(url("protections", id, "retention"))

    def delete_protection(self, id: str) -> None:
        self.delete_one(Protection, id)

    def run_protection(self, id: str, incremental: bool | None = None) -> str:
        """Protect now; returns the id of the job."""
        return str(self.act(url("protections", id, "run"), {"incremental": incremental})["job_id"])

    def policies(self, **query: Any) -> Iterator[Policy]:
        """The project's protection policies."""
        return self.pages(Policy, **query)

    def get_policy(self, id: str) -> Policy:
        return self.fetch(Policy, id)

    def create_policy(self, **attrs: Any) -> Policy:
        """``name``, ``schedules``, ``jitter_seconds``, ``retention``, ``rpo_seconds`` (see the OpenAPI document)."""
        return self._create(Policy, **attrs)

    def update_policy(self, id: str, changes: Mapping[str, Any]) -> Json:
        """What is not in ``changes`` stays as it is."""
        return self.change(url("policies", id), changes)

    def delete_policy(self, id: str) -> None:
        self.delete_one(Policy, id)

    def restore_points(self, **query: Any) -> Iterator[RestorePoint]:
        """The project's restore points, newest first (``application``: name or id)."""
        return self.pages(RestorePoint, **query)

    def get_restore_point(self, id: str) -> RestorePoint:
        return self.fetch(RestorePoint, id)

    def delete_restore_point(self, id: str) -> str | None:
        """Delete one with its backups; returns the id of the job, None when nothing was left to do."""
        return self.remove(url("restore-points", id))

    def rescan_restore_points(self) -> list[Json]:
        """Let the service read the backup store again."""
        found: list[Json] = self.act("/restore-points/rescan")["restore_points"]
        return found

    # Recoveries

    def preview_recovery(
        self,
        restore_point: str,
        target_site: str | None,
        mapping: Mapping[str, Any],
        *,
        supersede: bool = False,
        purpose: str = "disaster",
        plan: str | None = None,
    ) -> Json:
        """What a recovery, a drill or a move (``purpose``) would do; changes nothing.  ``plan``: a recovery plan."""
        asked = _question(restore_point, target_site, mapping, plan) | {"supersede": supersede}
        return self.act(
            "/recoveries/preview", asked | ({"purpose": purpose} if purpose != "disaster" else {})
        )

    def start_recovery(
        self,
        restore_point: str,
        target_site: str | None,
        mapping: Mapping[str, Any],
        *,
        confirm: str,
        preview: str | None = None,
        supersede: bool = False,
        purpose: str = "disaster",
        plan: str | None = None,
    ) -> Json:
        """Start it; ``confirm`` is the application's name, ``preview`` the digest of what was shown.

        ``supersede``: the copies other recoveries made of the application are given up; ``purpose``: or "move".
        Returns ``job_id`` and ``recovery``.
        """
        question = _question(restore_point, target_site, mapping, plan) | {"supersede": supersede}
        question |= {"confirm": confirm, "preview": preview}
        return self.act("/recoveries", question | ({"purpose": purpose} if purpose != "disaster" else {}))

    def recovery_plans(self, **query: Any) -> Iterator[RecoveryPlan]:
        """The project's recovery plans."""
        return self.pages(RecoveryPlan, **query)

    def get_recovery_plan(self, id: str) -> RecoveryPlan:
        return self.fetch(RecoveryPlan, id)

    def create_recovery_plan(self, **attrs: Any) -> RecoveryPlan:
        """``name``, ``application``, ``target_site``, ``mapping`` (see the OpenAPI document)."""
        return self._create(RecoveryPlan, **attrs)

    def update_recovery_plan(self, id: str, changes: Mapping[str, Any]) -> Json:
        """What is not in ``changes`` stays as it is."""
        return self.change(url("recovery-plans", id), changes)

    def delete_recovery_plan(self, id: str) -> None:
        self.delete_one(RecoveryPlan, id)

    def recoveries(self, **query: Any) -> Iterator[Recovery]:
        """The project's recoveries."""
        return self.pages(Recovery, **query)

    def get_recovery(self, id: str) -> Recovery:
        return self.fetch(Recovery, id)

    def resume_recovery(self, id: str) -> Json:
        """Go on with a paused one; returns ``job_id`` and ``recovery``."""
        return self.act(url("recoveries", id, "resume"))

    def answer_recovery(self, id: str, text: str) -> Json:
        """Answer the question one waits with, and go on; returns ``job_id`` and ``recovery``."""
        return self.act(url("recoveries", id, "answer"), {"text": text})

    def undo_recovery(self, id: str) -> Json:
        """Remove what it made; returns ``job_id`` and ``recovery``."""
        return self.act(url("recoveries", id, "undo"))

    def stop_source(self, id: str, *, confirm: str) -> Json:
        """Shut off the old copy; ``confirm`` is the application's name.  Returns ``job_id`` and ``recovery``."""
        return self.act(url("recoveries", id, "stop-source"), {"confirm": confirm})

    def reprotect(self, id: str, *, target_site: str | None = None, source_is_fenced: bool = False) -> Json:
        """Describe the application where it was recovered, and protect it from there; the recovery."""
        asked = {"target_site": target_site, "source_is_fenced": source_is_fenced}
        return self.act(url("recoveries", id, "reprotect"), asked)

    def undo_reprotect(self, id: str) -> Json:
        """Describe it as before; the recovery."""
        return self.act(url("recoveries", id, "undo-reprotect"))

    def preview_commit(self, id: str) -> Json:
        """What a commit that removes the old copy would delete; changes nothing."""
        return self.act(url("recoveries", id, "commit", "preview"))

    def commit_recovery(self, id: str, *, remove_source: bool = False, confirm: str | None = None) -> Json:
        """End that it can be undone; ``confirm``: the application's name, to remove.  ``job_id``, ``recovery``."""
        asked = {"remove_source": remove_source, "confirm": confirm}
        return self.act(url("recoveries", id, "commit"), asked)

    # Drills

    def start_drill(
        self,
        restore_point: str,
        target_site: str | None,
        mapping: Mapping[str, Any],
        *,
        options: Mapping[str, Any],
        preview: str | None = None,
        plan: str | None = None,
    ) -> Json:
        """Begin a drill; ``preview``: the digest of what was shown.  Returns ``job_id`` and ``drill``."""
        asked = _question(restore_point, target_site, mapping, plan)
        return self.act("/drills", asked | {"options": dict(options), "preview": preview})

    def drills(self, **query: Any) -> Iterator[Drill]:
        """The project's drills."""
        return self.pages(Drill, **query)

    def get_drill(self, id: str) -> Drill:
        return self.fetch(Drill, id)

    def end_drill(self, id: str) -> Json:
        """Remove what a kept one has made; returns ``job_id`` and ``drill``."""
        return self.act(url("drills", id, "end"))

    def drill_report(self, id: str) -> Json:
        """The signed ``report`` and ``page``, and the ``public_key`` of the installation."""
        return self.read(url("drills", id, "report"))

    # Jobs

    def jobs(self, **query: Any) -> Iterator[Job]:
        """The project's jobs, newest first (``subject``, ``state``)."""
        return self.pages(Job, **query)

    def get_job(self, id: str) -> Job:
        return self.fetch(Job, id)

    def job_if_changed(self, id: str, etag: str | None) -> tuple[Json | None, str | None, str | None]:
        """The job (None when its ETag is still ``etag``), its ETag, and the service's clock (``Date``)."""
        headers = {} if etag is None else {"If-None-Match": etag}
        answer = self.get(url("jobs", id), headers=headers)
        exceptions.raise_from_response(answer)
        body = None if answer.status_code == 304 else answer.json()
        return body, answer.headers.get("ETag", etag), answer.headers.get("Date")

    def cancel_job(self, id: str) -> None:
        """Stop it as soon as it is safe."""
        self.act(url("jobs", id, "cancel"))

    def resume_job(self, id: str) -> None:
        """Go on with a paused one."""
        self.act(url("jobs", id, "resume"))

    def undo_job(self, id: str) -> None:
        """Remove what it made."""
        self.act(url("jobs", id, "undo"))

    # Audit

    def audit(self, **query: Any) -> Iterator[AuditRecord]:
        """Who changed what, newest first (``job``, ``site``, ``subject``, ``since``)."""
        return self.pages(AuditRecord, **query)

    # Addresses that move, L3 paths, measurements

    def addresses(self, **query: Any) -> Iterator[Address]:
        """The project's moving addresses."""
        return self.pages(Address, **query)

    def get_address(self, id: str) -> Address:
        return self.fetch(Address, id)

    def create_address(self, **attrs: Any) -> Json:
        """``name``, ``address``, ``members``, ``active``, ``probe``.  Returns ``job_id`` and ``address``."""
        return self.act("/addresses", attrs)

    def move_address(self, id: str, to: str, fenced: Sequence[str] = (), why: str = "") -> Json:
        """Returns ``job_id`` and ``address``."""
        return self.act(url("addresses", id, "move"), {"to": to, "fenced": list(fenced), "why": why})

    def undo_address(self, id: str) -> Json:
        """Take the last move back; returns ``job_id`` and ``address``."""
        return self.act(url("addresses", id, "undo"))

    def check_address(self, id: str) -> Json:
        """Who holds it, by every site's own word."""
        return self.act(url("addresses", id, "check"))

    def delete_address(self, id: str) -> str | None:
        """Returns the id of the job, None when nothing was left to do."""
        return self.remove(url("addresses", id))

    def paths(self, **query: Any) -> Iterator[Path]:
        """The project's L3 paths."""
        return self.pages(Path, **query)

    def get_path(self, id: str) -> Path:
        return self.fetch(Path, id)

    def create_path(self, **attrs: Any) -> Json:
        """``name``, ``ends``, ``protocol``, ``port``.  Returns ``job_id`` and ``path``."""
        return self.act("/paths", attrs)

    def check_path(self, id: str) -> Json:
        """What has drifted on either side."""
        return self.act(url("paths", id, "check"))

    def delete_path(self, id: str) -> str | None:
        """Returns the id of the job, None when nothing was left to do."""
        return self.remove(url("paths", id))

    def measure(self, **attrs: Any) -> Json:
        """Measure an address from where the service runs (``address``, ``way``, ``count``, ``interval``)."""
        return self.act("/probes", attrs)


def _question(
    restore_point: str, target_site: str | None, mapping: Mapping[str, Any], plan: str | None
) -> Json:
    asked = {
        "restore_point": restore_point,
        "target_site": target_site,
        "mapping": dict(mapping),
        "plan": plan,
    }
    return {name: value for name, value in asked.items() if value is not None}
