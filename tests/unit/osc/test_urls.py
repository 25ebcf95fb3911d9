"""An id or a name, whatever is in it, reaches what it names or nothing: every verb and every command, over HTTP."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

import pytest
from api.setup import Services
from openstack.exceptions import HttpException, InvalidRequest

from multisite.command.wiring import myself
from multisite_client.images import ImageVerbs
from multisite_client.networks import NetworkVerbs
from multisite_client.planes import PlaneVerbs
from multisite_client.proxy import Proxy
from multisite_client.quotas import QuotaVerbs
from multisite_client.resource_syncs import ResourceSyncVerbs
from multisite_client.urls import url
from osc.cloud import Cloud, sdk
from osc.conftest import Openstack

REFS = ("id", "name", "application")
OTHERS: dict[str, Any] = {"to": "lyon", "sites": ["lyon"], "planes": [], "etag": None, "cloud": "oslo1",
                          "changes": {"paused": True}, "confirm": "mme", "text": "yes"}  # fmt: skip
NO_REF = ("list", "create", "register", "stretch", "rescan", "probe", "verify", "export")
"""Verbs whose arguments are no part of a URL."""
REQUIRED = {
    "multisite_address_move": ("--to", "lyon"),
    "multisite_application_plane_forget": ("--site", "lyon"),
    "multisite_application_plane_set": ("--plane", "name=oam,role=management"),
    "multisite_drill_start": ("--target-site", "lyon"),
    "multisite_image_replicate": ("--source-site", "paris", "--target-site", "lyon"),
    "multisite_policy_set": ("--pause",),
    "multisite_quota_set": ("--pause",),
    "multisite_resource_sync_set": ("--pause",),
    "multisite_project_grant_set": ("--default",),
    "multisite_protection_set": ("--pause",),
    "multisite_recovery_move": ("--target-site", "lyon", "--yes-move", "mme"),
    "multisite_recovery_preview": ("--target-site", "lyon"),
    "multisite_recovery_answer": ("yes",),
    "multisite_recovery_plan_set": ("--no-rules",),
    "multisite_recovery_stop-source": ("--yes-stop", "mme"),
    "multisite_recovery_start": ("--target-site", "lyon", "--yes-recover", "mme"),
}
VERBS = (Proxy, NetworkVerbs, PlaneVerbs, ImageVerbs, ResourceSyncVerbs, QuotaVerbs)
COMMANDS = sorted(
    point.name
    for point in entry_points(group="openstack.multisite.v1")
    if not point.name.startswith("multisite_identity") and not point.name.endswith(NO_REF)
)


def verbs() -> dict[str, tuple[str, ...]]:
    """Of the proxy, those that are given an id or a name, with their arguments."""
    owned = {name: verb for kind in VERBS for name, verb in vars(kind).items()}
    found = {
        name: tuple(
            one.name
            for one in inspect.signature(verb).parameters.values()
            if one.name != "self" and (one.default is one.empty or one.name in REFS)
        )
        for name, verb in owned.items()
        if inspect.isfunction(verb) and name != "restore_points"  # its application is part of the query
    }
    return {name: words for name, words in found.items() if set(words) & set(REFS)}


def hostile(services: Services) -> list[str]:
    """Made of an application that is there, so that it would be hit."""
    victim = services.applications.list(myself())[0].id
    return [
        "", ".", "..", "../..", f"../applications/{victim}", f"..%2fapplications%2f{victim}",
        f"%2e%2e/applications/{victim}", f"x/../../applications/{victim}", f"..\\applications\\{victim}",
        "paris?x=1", "paris#x", "paris;x", "paris/", "/paris", "paris/check", "paris%00", "paris\0", "paris\r\nX: y",
        "paris\u2028", "\u202esirap", "\udc80", "paris ", " ", "-paris", "x" * 3000,
    ]  # fmt: skip


def things(cloud: Cloud) -> dict[str, list[str]]:
    """All there is, by kind."""
    client = sdk(cloud)
    lists = ("sites", "applications", "protections", "policies", "restore_points", "recoveries", "jobs", "addresses",
             "recovery_plans",
             "paths", "stretched_networks", "image_replications", "resource_syncs", "quotas")  # fmt: skip
    # An RPO is of the moment it is asked for: it grows by itself.
    found = {
        kind: sorted(str(item.to_dict() | {"rpo": None}) for item in getattr(client, kind)())
        for kind in lists
    }
    cloud.requests.clear()
    return found


def _of_a_plane(command: str) -> bool:
    return "_plane_" in command and not command.endswith(("_set", "_list"))


def refused(call: Callable[[], object], cloud: Cloud) -> bool:
    """Before it was sent, or by the service."""
    try:
        call()
    except InvalidRequest:
        return not cloud.requests
    except HttpException:
        return bool(cloud.requests) and all(line.split()[-1] >= "400" for line in cloud.requests)
    return False


@pytest.mark.parametrize("verb", sorted(verbs()))
def test_a_verb_reaches_nothing_else(verb: str, cloud: Cloud) -> None:
    before, client = things(cloud), sdk(cloud)
    words = verbs()[verb]
    good = OTHERS | dict.fromkeys(REFS, cloud.services.of("applications").id)
    taken = []
    for value in hostile(cloud.services):
        for ref in set(words) & set(REFS):
            cloud.requests.clear()
            given = {word: value if word == ref else good[word] for word in words}
            if not refused(lambda given=given: getattr(client, verb)(**given), cloud):  # type: ignore[misc]
                taken.append((ref, value, list(cloud.requests)))
    assert not taken
    assert things(cloud) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_reaches_nothing_else(command: str, cloud: Cloud, openstack: Openstack) -> None:
    before = things(cloud)
    victim = cloud.services.applications.list(myself())[0].id
    for value in (f"../applications/{victim}", "", "mme?x"):
        given = [[value, "oam"], ["mme", value]] if _of_a_plane(command) else [[value]]
        for refs in given:
            words = (*command.removeprefix("multisite_").split("_"), *refs, *REQUIRED.get(command, ()))
            answer = openstack(*words)
            assert answer.code, (words, answer.out)
            assert "Traceback" not in answer.err
    assert things(cloud) == before


def test_what_is_legal_is_one_segment() -> None:
    assert url("sites", "paris", "check") == "/sites/paris/check"
    assert url("stretched-networks", "Büro 100%", "check") == "/stretched-networks/B%C3%BCro%20100%25/check"
    assert url("jobs", "a?b#c&d=e..") == "/jobs/a%3Fb%23c%26d%3De.."


def test_what_is_refused_is_named() -> None:
    with pytest.raises(InvalidRequest, match=r"^planes: '\.\.' is no id and no name: .*; give the id$"):
        url("applications", "a", "planes", "..")
