"""What the API shows, as openstacksdk resources; fields are described in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from openstack import resource
from openstack.resource import Body


class Site(resource.Resource):
    resources_key = "sites"
    base_path = "/sites"
    allow_create = allow_fetch = allow_delete = allow_list = True

    cloud = Body("cloud")
    region = Body("region")
    auth_url = Body("auth_url")
    description = Body("description")
    created_at = Body("created_at")


class Application(resource.Resource):
    resources_key = "applications"
    base_path = "/applications"
    allow_create = allow_fetch = allow_delete = allow_list = True
    _query_mapping = resource.QueryParameters(include_pagination_defaults=False)

    project_id = Body("project_id")
    site = Body("site")
    servers = Body("servers", type=list)
    members = Body("members", type=list)
    metadata_tag = Body("metadata_tag")
    created_at = Body("created_at")


class Protection(resource.Resource):
    resources_key = "protections"
    base_path = "/protections"
    allow_create = allow_fetch = allow_delete = allow_list = True

    application = Body("application")
    application_id = Body("application_id")
    project_id = Body("project_id")
    method = Body("method")
    site = Body("site")
    target_site = Body("target_site")
    freeze_timeout = Body("freeze_timeout", type=int)
    quiesce = Body("quiesce", type=bool)
    full_every = Body("full_every", type=int)
    console_mark = Body("console_mark")
    snapshot_gap_seconds = Body("snapshot_gap_seconds", type=float)
    created_at = Body("created_at")
    last_restore_point = Body("last_restore_point")


class RestorePoint(resource.Resource):
    resources_key = "restore_points"
    base_path = "/restore-points"
    allow_fetch = allow_list = True
    _query_mapping = resource.QueryParameters("application", include_pagination_defaults=False)

    application = Body("application")
    application_id = Body("application_id")
    project_id = Body("project_id")
    protection_id = Body("protection_id")
    method = Body("method")
    state = Body("state")
    incremental = Body("incremental", type=bool)
    parent_id = Body("parent_id")
    created_at = Body("created_at")
    consistent_at = Body("consistent_at")
    frozen_seconds = Body("frozen_seconds", type=float)
    frozen = Body("frozen", type=list)
    marks = Body("marks", type=list)
    quiesced = Body("quiesced", type=bool)
    size_gib = Body("size_gib", type=int)
    digest = Body("digest")
    job_id = Body("job_id")
    error = Body("error")


class Recovery(resource.Resource):
    resources_key = "recoveries"
    base_path = "/recoveries"
    allow_fetch = allow_list = True

    application = Body("application")
    project_id = Body("project_id")
    restore_point_id = Body("restore_point_id")
    target_site = Body("target_site")
    state = Body("state")
    job_id = Body("job_id")
    requested_by = Body("requested_by")
    created_at = Body("created_at")
    ended_at = Body("ended_at")
    consistent_at = Body("consistent_at")
    rto_seconds = Body("rto_seconds", type=float)
    rpo_seconds = Body("rpo_seconds", type=float)
    servers = Body("servers", type=list)
    mapping = Body("mapping", type=dict)
    error = Body("error")


class Job(resource.Resource):
    resources_key = "jobs"
    base_path = "/jobs"
    allow_fetch = allow_list = True
    _query_mapping = resource.QueryParameters("subject", "state", "limit", include_pagination_defaults=False)

    kind = Body("kind")
    title = Body("title")
    state = Body("state")
    settled = Body("settled", type=bool)
    cancel_requested = Body("cancel_requested", type=bool)
    project_id = Body("project_id")
    subject = Body("subject")
    requested_by = Body("requested_by")
    request_id = Body("request_id")
    worker = Body("worker")
    created_at = Body("created_at")
    started_at = Body("started_at")
    ended_at = Body("ended_at")
    error = Body("error")
    steps = Body("steps", type=list)
    journal = Body("journal", type=list)


class AuditRecord(resource.Resource):
    resources_key = "audit"
    base_path = "/audit"
    allow_list = True
    _query_mapping = resource.QueryParameters("job", "site", "subject", "since")

    id = Body("id", type=int)
    at = Body("at")
    kind = Body("kind")
    user = Body("user")
    user_id = Body("user_id")
    project_id = Body("project_id")
    request_id = Body("request_id")
    job_id = Body("job_id")
    subject = Body("subject")
    step = Body("step")
    attempt = Body("attempt", type=int)
    undoing = Body("undoing", type=bool)
    site = Body("site")
    service = Body("service")
    method = Body("method")
    path = Body("path")
    action = Body("action")
    resource_id = Body("resource_id")
    outcome = Body("outcome")
    status = Body("status", type=int)
    cloud_request_id = Body("cloud_request_id")
    seconds = Body("seconds", type=float)


class Address(resource.Resource):
    """A moving address."""

    resources_key = "addresses"
    base_path = "/addresses"
    allow_fetch = allow_list = True

    address = Body("address")
    project_id = Body("project_id")
    members = Body("members", type=list)
    active_site = Body("active_site")
    epoch = Body("epoch", type=int)
    state = Body("state")
    sentence = Body("sentence")
    in_doubt = Body("in_doubt", type=list)
    probe = Body("probe")
    job_id = Body("job_id")
    move_job_id = Body("move_job_id")
    requested_by = Body("requested_by")
    created_at = Body("created_at")
    error = Body("error")
    history = Body("history", type=list)


class Path(resource.Resource):
    """An L3 path."""

    resources_key = "paths"
    base_path = "/paths"
    allow_fetch = allow_list = True

    project_id = Body("project_id")
    ends = Body("ends", type=list)
    protocol = Body("protocol")
    port = Body("port", type=int)
    lets_in = Body("lets_in")
    state = Body("state")
    sentence = Body("sentence")
    measure = Body("measure", type=list)
    job_id = Body("job_id")
    requested_by = Body("requested_by")
    created_at = Body("created_at")
    error = Body("error")


Json = dict[str, Any]
