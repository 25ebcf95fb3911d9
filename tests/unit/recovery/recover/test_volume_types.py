"""Volume types that are private at the target."""

from __future__ import annotations

from typing import Any

import pytest

from multisite.domain.findings import Severity, blockers
from multisite.recovery.recover.target_facts import TargetVolumeType
from tests.unit.recovery.recover_samples import facts, look, made, manifest

FAST = (TargetVolumeType("vt2", "fast"),)


@pytest.mark.parametrize("mapping", [None, {"volume_types": {"rbd": "gold"}}], ids=["same name", "mapped"])
def test_one_that_is_not_for_the_project_blocks_with_the_command(mapping: Any) -> None:
    name = "gold" if mapping else "rbd"
    target = facts(volume_types=FAST, default_volume_type="fast", all_volume_types=("fast", name))
    found = blockers(look(manifest(1), target, mapping).problems)
    assert {f.what for f in found} == {f"the volume type {name!r} of lyon is private and not for the project"}
    assert (
        f"openstack volume type set --project t-proj {name}; or map it: --map volume-type:rbd="
        in found[0].remedy
    )
    allowed = facts(volume_types=(*FAST, TargetVolumeType("vt3", name)), all_volume_types=("fast", name))
    assert look(manifest(1), allowed, mapping).startable
    assert {v.volume_type for v in made(manifest(1), allowed, mapping).volumes} == {name}


def test_what_cannot_be_asked_is_told_where_it_matters() -> None:
    unknown = {"all_volume_types": "none of our accounts is an administrator there"}
    target = facts(volume_types=FAST, default_volume_type="fast", unknown=unknown)
    said = [p for p in look(manifest(1), target).problems if p.kind == "volume type rbd"]
    assert [(p.severity, "none of our accounts" in p.what) for p in said] == [(Severity.NOTE, True)]
    known = [p for p in look(manifest(1), facts(unknown=unknown)).problems if "volume type" in p.kind]
    assert known == []
