"""Every quota that the steps use is asked for, and by how much it is to be raised."""

from __future__ import annotations

import pytest

from multisite.domain.findings import Finding, blockers
from multisite.domain.manifest import KeypairRecord
from multisite.domain.model import Preview
from tests.unit.recovery.recover_samples import KEY, facts, look, quota


def the_problem(found: Preview) -> Finding:
    """The only obstacle."""
    (problem,) = blockers(found.problems)
    return problem


@pytest.mark.parametrize(
    ("resource", "need"),
    [
        ("instances", 2), ("cores", 2), ("ram", 256), ("volumes", 4), ("gigabytes", 4),
        ("gigabytes_rbd", 4), ("backups", 8),
        ("backup_gigabytes", 8), ("network", 2), ("subnet", 2), ("port", 6),
        ("security_group", 2), ("security_group_rule", 6), ("server_groups", 1),
    ],
)  # fmt: skip
def test_each_quota_is_counted(resource: str, need: int) -> None:
    just = facts(quotas={resource: quota(resource, need + 3, 3)})
    assert look(target=just).startable
    short = facts(quotas={resource: quota(resource, need + 2, 3)})
    problem = the_problem(look(target=short))
    assert problem.kind == f"quota {resource}"
    assert f"needs {need}, lyon has {need - 1} left" in problem.what
    assert look(target=facts(quotas={resource: quota(resource, -1, 3)})).startable


def test_unknown_quota_blocks() -> None:
    assert the_problem(look(target=facts(unknown={"quotas": "refused"}))).kind == "quotas"


@pytest.mark.parametrize(
    ("resource", "need", "whose", "option"),
    [
        ("key_pairs", 2, "the account", "key-pairs"),
        ("metadata_items", 4, "server web", "properties"),
        ("server_group_members", 2, "server group apart", "server-group-members"),
        ("per_volume_gigabytes", 1, "volume web", "per-volume-gigabytes"),
    ],
)
def test_each_limit_of_one_thing_is_asked_for(resource: str, need: int, whose: str, option: str) -> None:
    keys = (KeypairRecord("another", KEY),)
    assert look(target=facts(quotas={resource: quota(resource, need)}, keypairs=keys)).startable
    problem = the_problem(look(target=facts(quotas={resource: quota(resource, need - 1)}, keypairs=keys)))
    assert problem.kind == f"quota {resource}"
    assert (problem.what.startswith(whose), f"needs {need}, lyon allows" in problem.what) == (True, True)
    assert f"openstack quota set --{option} {need} t-proj" in problem.remedy
    assert look(target=facts(quotas={resource: quota(resource, -1)}, keypairs=keys)).startable


def test_the_quota_of_a_volume_type_is_raised_by_its_name() -> None:
    target = facts(quotas={"gigabytes_rbd": quota("gigabytes_rbd", 5, 2)})
    remedy = the_problem(look(target=target)).remedy
    assert remedy.endswith("openstack quota set --gigabytes 6 --volume-type rbd t-proj")
