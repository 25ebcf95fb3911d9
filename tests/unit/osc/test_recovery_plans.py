"""``openstack multisite recovery plan ...``, recovering by a plan, and answering its questions."""

from __future__ import annotations

from pathlib import Path

from api.jobs import job

from multisite.jobs.model import JobState
from osc.cloud import Cloud
from osc.conftest import Openstack


def test_recovery_plans(openstack: Openstack, cloud: Cloud) -> None:
    rules = ["--map", "network:vnf-mgmt=wan", "--create-missing-flavors", "--ready-timeout", "60"]
    made = openstack(
        "recovery", "plan", "create", "by-night", "mme", "--target-site", "lyon", *rules, "-f", "json"
    )
    assert made.code == 0, made.err
    assert made.json["mapping"] == {
        "networks": {"vnf-mgmt": "wan"}, "create_missing_flavors": True, "ready_timeout": 60.0
    }  # fmt: skip
    shown = openstack("recovery", "plan", "show", "by-night")
    assert "network:vnf-mgmt=wan" in shown.out
    changed = openstack("recovery", "plan", "set", "by-night", "--no-rules", "-f", "json").json
    assert changed["mapping"] == {}
    assert {row["Name"] for row in openstack("recovery", "plan", "list", "-f", "json").json} >= {"by-night"}
    assert openstack("recovery", "plan", "delete", "by-night").code == 0
    assert openstack("recovery", "plan", "show", "by-night").code == 1


def test_recovering_by_a_plan(openstack: Openstack, cloud: Cloud) -> None:
    unsaid = openstack("recovery", "preview", "mme", "--source-is-fenced", "-f", "json")
    assert unsaid.json["target_site"] == "lyon", "the only target of its protection"
    words = ("--plan", "by-day", "--source-is-fenced", "--yes-recover", "mme")
    started = openstack("recovery", "start", "mme", *words, "-f", "json")
    assert started.code == 0, started.err
    assert (started.json["plan"], started.json["target_site"]) == ("by-day", "lyon")


def test_a_recovery_plan_from_a_file(openstack: Openstack, cloud: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(
        """
        mapping: {ready_timeout: 60.0}
        groups:
        - {name: data, members: [vnf-1], gates: [{kind: port, port: 5432}]}
        hooks:
        - {name: sure, kind: prompt, when: before-group, group: data, question: 'Sure?'}
        dns:
        - {name: mme.example.org, zone: example.org, members: [vnf-1]}
        """
    )
    words = ("by-night", "mme", "--target-site", "lyon", "--file", str(file), "--ready-timeout", "90")
    made = openstack("recovery", "plan", "create", *words, "-f", "json")
    assert made.code == 0, made.err
    assert made.json["mapping"] == {"ready_timeout": 90.0}
    shown = openstack("recovery", "plan", "show", "by-night")
    assert "data: vnf-1 (gates: port 5432)" in shown.out
    assert "sure: before-group data: prompt Sure?" in shown.out
    assert "mme.example.org A: address of vnf-1 (TTL 60 s, rfc2136 zone example.org)" in shown.out
    file.write_text(openstack("recovery", "plan", "show", "by-night", "-f", "json").out)
    again = openstack("recovery", "plan", "set", "by-night", "--file", str(file), "-f", "json")
    assert again.json["groups"] == made.json["groups"], "what show writes can be given again"
    file.write_text("gruops: []")
    wrong = openstack("recovery", "plan", "set", "by-night", "--file", str(file))
    assert wrong.code == 1
    assert "gruops: only description, mapping, groups, hooks, dns are known" in wrong.err


def test_a_question_is_answered(openstack: Openstack, cloud: Cloud) -> None:
    asking = cloud.services.of("asking recoveries")
    cloud.ending = job(asking.id, state=JobState.DONE, kind="recover")
    answered = openstack("recovery", "answer", asking.id, "yes", "--no-wait", "-f", "json")
    assert answered.code == 0, answered.err
    assert answered.json["answers"]["prompt-1"]["text"] == "yes"
