"""What the API shows, as openstacksdk resources: every field of an answer is an attribute of the resource.

Fields are described in the OpenAPI document; only what requests are made of, and what means something to openstacksdk
itself, is named here.
"""

from __future__ import annotations

from typing import Any

from openstack import resource
from openstack.resource import Body

Json = dict[str, Any]


class Noun(resource.Resource):
    """Its attributes are the fields of the answer, JSON as it came: a field the service gains needs no line here."""

    _allow_unknown_attrs_in_body = True
    allow_list = True


class Site(Noun):
    resources_key = "sites"
    base_path = "/sites"
    allow_create = allow_fetch = allow_delete = True


class ProjectGrant(Noun):
    resources_key = "project_grants"
    base_path = "/project-grants"
    allow_create = allow_fetch = allow_delete = True


class Application(Noun):
    resources_key = "applications"
    base_path = "/applications"
    allow_create = allow_fetch = allow_delete = True


class Protection(Noun):
    resources_key = "protections"
    base_path = "/protections"
    allow_create = allow_fetch = allow_delete = True


class Policy(Noun):
    """A protection policy."""

    resources_key = "policies"
    base_path = "/policies"
    allow_create = allow_fetch = allow_delete = True


class RestorePoint(Noun):
    resources_key = "restore_points"
    base_path = "/restore-points"
    allow_fetch = True
    _query_mapping = resource.QueryParameters("application")


class Recovery(Noun):
    resources_key = "recoveries"
    base_path = "/recoveries"
    allow_fetch = True


class RecoveryPlan(Noun):
    resources_key = "recovery_plans"
    base_path = "/recovery-plans"
    allow_create = allow_fetch = allow_delete = True


class Drill(Noun):
    """A recovery of a copy in isolated networks."""

    resources_key = "drills"
    base_path = "/drills"
    allow_fetch = True


class Job(Noun):
    resources_key = "jobs"
    base_path = "/jobs"
    allow_fetch = True
    _query_mapping = resource.QueryParameters("subject", "state")


class AuditRecord(Noun):
    resources_key = "audit"
    base_path = "/audit"
    _query_mapping = resource.QueryParameters("job", "site", "subject", "since")

    id = Body("id", type=int)


class Address(Noun):
    """A moving address."""

    resources_key = "addresses"
    base_path = "/addresses"
    allow_fetch = True


class Path(Noun):
    """An L3 path."""

    resources_key = "paths"
    base_path = "/paths"
    allow_fetch = True


class ImageReplication(Noun):
    """An image that is copied to other sites."""

    resources_key = "image_replications"
    base_path = "/image-replications"
    allow_fetch = True


class ResourceSync(Noun):
    """Resources of a site that others keep in sync with."""

    resources_key = "resource_syncs"
    base_path = "/resource-syncs"
    allow_create = allow_fetch = allow_delete = True


class GlobalQuota(Noun):
    """One limit of a project over several sites."""

    resources_key = "quotas"
    base_path = "/quotas"
    allow_create = allow_fetch = allow_delete = True


class StretchedNetwork(Noun):
    resources_key = "stretched_networks"
    base_path = "/stretched-networks"
