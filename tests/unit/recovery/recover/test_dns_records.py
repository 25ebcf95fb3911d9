"""DNS records of a recovery plan: what is kept, what a preview shows of them, and what is in the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from multisite.domain.errors import Invalid, MultisiteError
from multisite.domain.findings import Severity, blockers
from multisite.domain.model import Purpose
from multisite.domain.recovery_plan import DnsRecord
from multisite.recovery.dns.model import DnsRefused, DnsUnknown, RecordSet
from multisite.recovery.plans.dns import parse_dns
from multisite.recovery.plans.outside import NOTHING, outside
from multisite.recovery.plans.rules import PlanRules
from multisite.recovery.recover.dns import look as records
from multisite.recovery.recover.dns.plan import as_shown
from multisite.recovery.recover.mapping import parse
from multisite.recovery.recover.model import RecoverPlan
from multisite.recovery.recover.plan import Decision, decide
from multisite.recovery.recover.target_facts import TargetNetwork, TargetSubnet
from tests.unit.recovery.recover_samples import NOW, facts, manifest

NAME = "web.vnf.example.org"
RECORD: dict[str, Any] = {"name": NAME, "zone": "vnf.example.org", "members": ["web1", "web2"]}
OLD = RecordSet(("192.0.2.1",), 300)
REACH = outside(
    dns_zones=["vnf.example.org server=192.0.2.53 key=k projects=p1"], dns_keys="/etc/multisite/keys"
)


def decided(
    *given: dict[str, Any], seen: Mapping[str, RecordSet | MultisiteError] | None = None, **more: Any
) -> Decision:
    found = {f"{NAME} A": OLD} if seen is None else seen
    rules = PlanRules(dns=parse_dns(list(given)), seen=found, outside=REACH)
    target, mapping = more.pop("target", facts()), parse(more.pop("mapping", {}))
    return decide(manifest(), target, mapping, NOW, by_plan=rules, **more)


def shown(decision: Decision) -> list[tuple[str, str, str]]:
    return [(i.name, i.action, i.detail) for i in decision.preview.items if i.kind == "DNS record"]


def test_a_preview_shows_old_and_new_and_how_long_the_old_one_is_kept() -> None:
    found = decided(RECORD)
    assert shown(found) == [
        (
            f"{NAME} A",
            "update",
            "192.0.2.1 -> 10.0.0.10, 10.0.0.11 (TTL 60 s, others may keep the old answer for 300 s more; the predicted "
            "RTO is without it)",
        )
    ]
    (planned,) = found.plan.dns
    assert (planned.ports, planned.expected) == (("p-web1-0", "p-web2-0"), OLD)
    assert RecoverPlan.from_json(found.plan.to_json()) == found.plan


def test_another_old_value_is_another_preview() -> None:
    other = decided(RECORD, seen={f"{NAME} A": RecordSet(("192.0.2.2",), 300)})
    assert other.preview.digest != decided(RECORD).preview.digest


def test_the_network_says_which_address() -> None:
    found = decided(RECORD | {"network": "plane1", "members": ["web2"]})
    assert found.plan.dns[0].ports == ("p-web2-1",)
    assert "-> 10.1.0.11 (" in shown(found)[0][2]


def test_an_address_that_the_target_chooses_is_not_made_up() -> None:
    lan = TargetNetwork("t-n", "lan", "ops", subnets=(TargetSubnet("t-s", "", "t-n", "10.9.0.0/24", 4),))
    mapped = {"networks": {"plane0": "lan"}, "keep_addresses": False}
    found = decided(RECORD | {"members": ["web1"]}, mapping=mapped, target=facts(networks=(lan,)))
    assert shown(found)[0][2].startswith("192.0.2.1 -> the address that port web1-0 gets (TTL")


def test_a_drill_changes_nothing() -> None:
    found = decided(RECORD, purpose=Purpose.DRILL)
    assert found.plan.dns == ()
    assert shown(found) == [(f"{NAME} A", "leave out", "a drill never changes the DNS")]


def test_people_are_told_where_there_is_no_server() -> None:
    found = decided(RECORD | {"driver": "none", "zone": None}, seen={})
    ((_, action, detail),) = shown(found)
    assert action == "by hand"
    assert detail.startswith("set it by hand to 10.0.0.10, 10.0.0.11, TTL 60 s")
    assert blockers(found.preview.problems) == ()


def test_a_silent_server_is_unknown_and_not_in_the_way() -> None:
    found = decided(RECORD, seen={f"{NAME} A": DnsUnknown("DNS server x: no answer in time")})
    assert blockers(found.preview.problems) == ()
    (one,) = [f for f in found.preview.problems if f.kind == f"DNS record {NAME} A"]
    assert one.severity is Severity.UNKNOWN
    assert "no answer in time" in one.what
    assert one.remedy == "make it answer; the recovery pauses there if it is still so"
    assert shown(found)[0][2].startswith("not known -> 10.0.0.10")
    assert found.plan.dns[0].expected is None


def test_a_server_that_says_no_is_in_the_way_unless_the_plan_goes_on() -> None:
    refused = {f"{NAME} A": DnsRefused("it says REFUSED")}
    (one,) = blockers(decided(RECORD, seen=refused).preview.problems)
    assert one.kind == f"DNS record {NAME} A"
    goes_on = decided(RECORD | {"on_failure": "continue"}, seen=refused)
    assert blockers(goes_on.preview.problems) == ()
    assert "it will not be changed: it says REFUSED" in str(goes_on.preview.problems)


def test_what_a_plan_names_must_be_there() -> None:
    (one,) = blockers(decided(RECORD | {"network": "gone"}).preview.problems[:1])
    assert "server web1 has no A address in gone" in one.what
    v6 = decided(RECORD | {"type": "AAAA"}, seen={f"{NAME} AAAA": OLD})
    assert "has no AAAA address" in str(blockers(v6.preview.problems))
    floating = decided(RECORD | {"floating": True})
    assert "has no floating IP that this recovery makes" in str(blockers(floating.preview.problems))
    left = decided(RECORD | {"members": ["gone", "web1"]})
    assert left.plan.dns[0].ports == ("p-web1-0",)
    assert "has no server gone, so it gets the addresses of the others" in str(left.preview.problems)
    assert decided(RECORD | {"members": ["gone"]}).plan.dns == ()


def test_what_was_shown_before_counts() -> None:
    """A move decides twice: what somebody changed between is noticed by what the first preview has shown."""
    before, now = decided(RECORD).plan.dns, decided(RECORD, seen={f"{NAME} A": RecordSet(("192.0.2.9",), 5)})
    assert as_shown(now.plan.dns, before)[0].expected == OLD
    unknown = decided(RECORD, seen={f"{NAME} A": DnsUnknown("silent")}).plan.dns
    assert as_shown(now.plan.dns, unknown)[0].expected == RecordSet(("192.0.2.9",), 5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "web"}, r"dns\.0\.name: web is not in zone vnf\.example\.org"),
        ({"name": "web..x"}, r"dns\.0\.name: 'web\.\.x' is no name of a host"),
        ({"name": f"*.{NAME}"}, "is no name of a host"),
        ({"zone": None}, r"dns\.0\.zone: driver rfc2136 needs it"),
        ({"members": []}, r"dns\.0\.members: name at least one"),
        ({"members": ["a", "a"]}, r"dns\.0\.members: .* each once"),
        ({"type": "TXT"}, r"dns\.0\.type: "),
        ({"ttl": -1}, r"dns\.0\.ttl: "),
        ({"driver": "route53"}, r"dns\.0\.driver: "),
        ({"type": "AAAA", "floating": True}, r"dns\.0\.type: a floating IP is an IPv4 address"),
        ({"key": "x"}, r"dns\.0\.key: there is no such field of a DNS record"),
    ],
)
def test_records_are_checked_when_they_are_kept(change: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        parse_dns([RECORD | change])


def test_names_are_kept_as_the_dns_has_them() -> None:
    (one,) = parse_dns([RECORD | {"name": "WEB.vnf.Example.org.", "zone": "VNF.example.org."}])
    assert (one.name, one.zone) == (NAME, "vnf.example.org")
    with pytest.raises(Invalid, match="is there twice: name all its members in one record"):
        parse_dns([RECORD, RECORD | {"name": NAME.upper()}])
    assert len(parse_dns([RECORD, RECORD | {"type": "AAAA"}])) == 2


def nowhere() -> Any:
    raise AssertionError("no site is asked")


def test_a_zone_is_for_the_projects_that_it_lists() -> None:
    (record,) = parse_dns([RECORD])
    assert records.driver_of(record, "p1", REACH, nowhere)
    for project, reach in (("p2", REACH), ("", REACH), ("p1", NOTHING)):
        with pytest.raises(
            DnsRefused, match=r"may not update zone vnf\.example\.org .*\[recovery_plans\] dns_zones"
        ):
            records.driver_of(record, project, reach, nowhere)


def test_a_silent_server_is_asked_once() -> None:
    asked: list[str] = []

    class Silent:
        def read(self, name: str, kind: str) -> RecordSet:
            asked.append(name)
            raise DnsUnknown("silent")

    def driver(_record: DnsRecord) -> Any:
        return Silent()

    many = parse_dns([RECORD | {"name": f"w{n}.vnf.example.org"} for n in range(9)])
    found = records.look(many, driver)()
    assert len(asked) == 1
    assert len(found) == 9
    assert all(isinstance(one, DnsUnknown) for one in found.values())
