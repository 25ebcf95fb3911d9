"""``openstack multisite quota ...``"""

from __future__ import annotations

from api.setup import MINE

from osc.cloud import Cloud
from osc.conftest import Openstack


def test_what_is_lent_and_used(openstack: Openstack, cloud: Cloud) -> None:
    applied = openstack("quota", "apply", MINE, "-f", "json")
    assert applied.code == 0, applied.err
    leases = applied.json["leases"]
    assert sum(lease["security_group"] for lease in leases.values()) == 90
    (row,) = openstack("quota", "usage", MINE, "-f", "json").json
    assert (row["Resource"], row["Limit"]) == ("security_group", "90")
    assert row["paris"].endswith(f" / {leases['paris']['security_group']}")
    shown = openstack("quota", "show", MINE)
    assert f"lyon: security_group={leases['lyon']['security_group']}" in shown.out
    assert "security_group=90" in openstack("quota", "list").out


def test_create_set_delete(openstack: Openstack, cloud: Cloud) -> None:
    openstack("quota", "delete", MINE)
    words = ("--site", "paris", "--site", "lyon", "--limit", "cores=40", "--limit", "ram=-1")
    made = openstack("quota", "create", MINE, *words, "-f", "json")
    assert made.code == 0, made.err
    assert made.json["limits"] == {"cores": 40, "ram": -1}
    changed = openstack(
        "quota", "set", MINE, "--limit", "cores=20", "--no-limit", "ram", "--pause", "-f", "json"
    )
    assert changed.json["limits"] == {"cores": 20}
    assert changed.json["paused"] is True
    wrong = openstack("quota", "set", MINE, "--limit", "cores")
    assert "--limit cores: say <resource>=<number>" in wrong.err
    assert openstack("quota", "delete", made.json["id"]).code == 0
    assert openstack("quota", "show", MINE).code == 1
