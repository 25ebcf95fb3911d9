"""Desired state as YAML: what is read, what is refused and how it is said, and that what is written is read again."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multisite.domain.errors import Invalid
from multisite.domain.resource_sync import Record
from multisite.resources.sync.document.lines import MOST_BYTES
from multisite.resources.sync.document.read import desired
from multisite.resources.sync.document.write import document
from multisite.resources.sync.kinds import KINDS

TOP = "version: 1\nresources:\n"
FLAVOR = TOP + "  flavor:\n  - name: a\n    vcpus: 1\n    ram: 1\n    disk: 1\n"
GROUP = TOP + "  security-group:\n  - name: a\n    rules:\n"
QOS = TOP + "  qos-policy:\n  - name: a\n    rules:\n    - "
KEY = TOP + "  keypair:\n  - user: alice@Default\n    key_name: k\n    public_key: "
SECRET = "b3BlbnNzaC1rZXktdjEAAAAA"
REFUSED: tuple[tuple[str, str], ...] = (
    ("", "document: it is empty: write `version: 1`"),
    ("# only a comment\n", "document: it is empty"),
    ("version: 2\nresources: {}\n", "document: line 1: version: 2: this service reads 1"),
    ("version: true\nresources: {}\n", "document: line 1: version: True: this service reads 1"),
    ("version: 1\n", "document: resources: it is missing"),
    (TOP, "document: line 2: resources: nothing is said"),
    ("version: 1\nresources: {}\n", "document: line 2: resources: no kind is said"),
    ("version: 1\nextra: 1\nresources: {}\n", "document: line 2: extra: no such field"),
    (TOP + "  pizza: []\n", "document: line 3: resources.pizza: no such field: there are security-group"),
    (TOP + "  image: []\n", "document: line 3: resources.image: the data of images is in no document"),
    (TOP + "  flavor:\n", "document: line 3: resources.flavor: nothing is said: write `[]` for none at all"),
    (TOP + "  flavor: {}\n", "document: line 3: resources.flavor: fields: write a list"),
    (TOP + "  flavor:\n  - small\n", "document: line 4: resources.flavor[0]: 'small': write fields"),
    (TOP + "  flavor:\n  - name: a\n", "document: line 4: resources.flavor[0]: vcpus: it is missing"),
    (FLAVOR + "    swap: -1\n", "document: line 8: resources.flavor[0].swap: -1: write a whole number from 0"),
    (FLAVOR + "    swap: true\n", "document: line 8: resources.flavor[0].swap: True: write a whole number"),
    (FLAVOR + "    swap: '1'\n", "document: line 8: resources.flavor[0].swap: '1': write a whole number"),
    (FLAVOR + "    public: no\n", "document: line 8: 'no' can be read in several ways: write `true` or `false`"),
    (FLAVOR + "    swap: 010\n", "document: line 8: '010' can be read in several ways: write a decimal number"),
    (FLAVOR + "    description: 12:30\n", "document: line 8: '12:30' can be read in several ways"),
    (FLAVOR + "    description: 5\n", "document: line 8: resources.flavor[0].description: 5: write text, in quotes"),
    (FLAVOR + "    rxtx_factor: 0\n", "document: line 8: resources.flavor[0].rxtx_factor: 0: write a number greater"),
    (FLAVOR + "    projects: [p]\n", "document: line 8: resources.flavor[0].projects: no such field: there are id"),
    (FLAVOR + "    extra_specs: {a: 1}\n", "document: line 8: resources.flavor[0].extra_specs.a: 1: write text"),
    (FLAVOR + "    name: b\n", "document: line 8: 'name' is there twice, before in line 4: keep one"),
    (FLAVOR + FLAVOR[len(TOP) + 10 :], "document: line 8: resources.flavor[1]: 'a' is in line 4, too: give each"),
    (FLAVOR + '    id: ""\n', "document: line 4: resources.flavor[0]: id: 1 to 255 characters, it has 0"),
    (FLAVOR + "    id: " + "x" * 256 + "\n", "document: line 8: resources.flavor[0].id: 256 characters: at most 255"),
    (FLAVOR + '    description: "a\\0b"\n', "document: line 8: resources.flavor[0].description: it has a character"),
    (TOP + '  server-group:\n  - {name: "a\\nb", policy: x}\n', "line 4: resources.server-group[0].name: 'a\\nb'"),
    (TOP + "  volume-type:\n  - name: t\n    extra_specs: {volume_backend_name: rbd}\n", "line 5: .*the site's own"),
    (GROUP + "    - ethertype: IPv4\n", "document: line 6: resources.security-group[0].rules[0]: direction: it is"),
    (GROUP + "    - {direction: in}\n", "document: line 6: resources.security-group[0].rules[0].direction: 'in'"),
    (GROUP + "    - {direction: ingress, remote_group: b}\n", "line 6: .*remote_group: 'b' is no entry here"),
    (GROUP + "    - {direction: ingress, remote_group: a, remote_ip_prefix: 10.0.0.0/8}\n", "a rule has one of them"),
    (GROUP + "    - {direction: ingress, remote_ip_prefix: 10.0.0.300}\n", "line 6: .*'10.0.0.300' is no prefix"),
    (GROUP + "    - {direction: ingress, ethertype: IPv6, remote_ip_prefix: 10.0.0.0/8}\n", "is of IPv4, the rule of"),
    (GROUP + "    - {direction: ingress, protocol: tcp, port_range_min: 5}\n", "line 6: .*port_range_max: write both"),
    (GROUP + "    - {direction: ingress, port_range_min: 5, port_range_max: 5}\n", "protocol: ports need one"),
    (GROUP + "    - {direction: ingress, protocol: 256}\n", "line 6: .*protocol: 256: write a name as tcp"),
    (GROUP + "    - {direction: ingress}\n    - {direction: ingress, ethertype: IPv4}\n", "the same rule is in line 6"),
    (GROUP, "document: line 5: resources.security-group[0].rules: nothing is said: write `[]`"),
    (QOS + "{type: dscp}\n", "line 6: resources.qos-policy[0].rules[0].type: 'dscp': write one of bandwidth_limit"),
    (QOS + "{min_kbps: 1}\n", "line 6: resources.qos-policy[0].rules[0]: type: it is missing"),
    (QOS + "{type: bandwidth_limit, max_kbps: -1}\n", "line 6: resources.qos-policy[0].rules[0].max_kbps: -1: write"),
    (QOS + "{type: dscp_marking, max_kbps: 1}\n", "line 6: resources.qos-policy[0].rules[0].max_kbps: no such field"),
    (QOS + "{type: minimum_bandwidth}\n", "line 6: resources.qos-policy[0].rules[0]: min_kbps: it is missing"),
    (QOS + "{type: dscp_marking, dscp_mark: 8}\n    - {type: dscp_marking, dscp_mark: 10}\n", "direction is in line 6"),
    (KEY.replace("@Default", "") + "ssh-rsa A", "document: line 4: resources.keypair[0].user: 'alice': write <user>@"),
    (KEY + "''\n", "document: line 6: resources.keypair[0].public_key: no key"),
    ("a: &x 1\n", "document: line 1: anchors and aliases"),
    ("a: 1\nb: *x\n", "document: line 2: anchors and aliases"),
    ("a: 1\nb: !!python/object/apply:os.system [id]\n", "document: line 2: tags ('tag:yaml.org,2002:python/object"),
    ("<<: {a: 1}\n", "document: line 1: '<<' can be read in several ways"),
    ("? [a]\n: b\n", "document: line 1: this is no name of a field"),
    ("a: [\n", "this is no YAML: "),
    ("a: 1\n\tb: 2\n", "document: line 2: this is no YAML: found a tab"),
    ("a: 1\nb: \x07\n", "document: line 2: this is no YAML: a character that cannot be printed"),
    ("a: '\ud800'\n", "document: it is not text: write it in UTF-8"),
    ("version: 1\nresources: {}\n---\na: 1\n", "document: line 3: a second document begins"),
    ("[" * 50, "document: line 1: more than 8 levels deep"),
    ("#" * (MOST_BYTES + 1), "at most 192 KiB: make several, by kind"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=[said[:60] for _, said in REFUSED])
def test_what_is_wrong_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        desired(text)
    message = str(refused.value)
    assert message.startswith("document: ")
    assert re.search(said if ".*" in said else re.escape(said), message), message


def test_control_what_the_refused_are_made_of_is_right() -> None:
    assert desired(FLAVOR)["flavor"]["a"].fields == {"name": "a", "vcpus": 1, "ram": 1, "disk": 1}
    rules = desired(GROUP + "    - {direction: ingress, remote_group: a}\n")["security-group"]["a"].fields[
        "rules"
    ]
    assert json.loads(rules[0])["remote_group_id"] == "a"
    (key,) = desired(KEY + "ssh-rsa A\n")["keypair"].values()
    assert (key.id, key.fields["type"]) == ("k of alice@Default", "ssh")
    assert desired("# all of it\n" + "#" * (MOST_BYTES - 200) + "\n" + FLAVOR)["flavor"]


def test_a_private_key_is_refused_and_not_repeated() -> None:
    text = KEY + f"|\n      -----BEGIN OPENSSH PRIVATE KEY-----\n      {SECRET}\n"
    with pytest.raises(
        Invalid, match=r"line 6: resources\.keypair\[0\]\.public_key: this is a PRIVATE key"
    ) as refused:
        desired(text)
    assert SECRET not in str(refused.value)


def test_what_neutron_writes_otherwise_is_read_as_it_keeps_it() -> None:
    rule = "    - {direction: ingress, protocol: ICMP, ethertype: IPv6, remote_ip_prefix: 'FD00::1/8'}\n"
    (found,) = desired(GROUP + rule)["security-group"]["a"].fields["rules"]
    read = json.loads(found)
    assert (read["protocol"], read["remote_ip_prefix"]) == ("ipv6-icmp", "fd00::/8")
    (found,) = desired(GROUP + "    - {direction: egress, protocol: 89, remote_ip_prefix: 'fd00::/8'}\n")[
        "security-group"
    ]["a"].fields["rules"]
    assert (json.loads(found)["protocol"], json.loads(found)["ethertype"]) == ("89", "IPv6")


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
PORTS = st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(sorted)


def _rule(direction: str, group: str | None, ports: list[int] | None, words: str) -> str:
    low, high = ports or (None, None)
    rule = {
        "direction": direction, "ethertype": "IPv4", "protocol": "udp" if ports else None, "port_range_min": low,
        "port_range_max": high, "remote_ip_prefix": None, "remote_group_id": group, "description": words,
    }  # fmt: skip
    return json.dumps(rule, sort_keys=True)


@st.composite
def sites(draw: st.DrawFn) -> dict[str, dict[str, Record]]:
    """What a site could have: several of one name, any text, groups that name each other."""
    ids = draw(st.lists(st.uuids().map(str), max_size=5, unique=True))
    directions, named = st.sampled_from(["ingress", "egress"]), st.sampled_from([None, *ids])
    rules = st.lists(st.builds(_rule, directions, named, st.none() | PORTS, TEXTS), max_size=4, unique=True)
    some_names = draw(st.lists(NAMES, min_size=1, max_size=3))
    groups = {}
    for id in ids:
        name = draw(st.sampled_from(some_names))
        fields = {"name": name, "description": draw(TEXTS), "stateful": draw(st.booleans())}
        fields["rules"] = sorted(draw(rules))
        groups[id] = Record(id, name, fields)
    specs = st.dictionaries(NAMES.map(lambda name: f"hw:{name}"), TEXTS, max_size=3)
    sizes = {name: draw(st.integers(1, 2**31 - 1)) for name in ("vcpus", "ram", "disk", "swap", "ephemeral")}
    flavor = {
        "name": draw(NAMES), **sizes, "rxtx_factor": draw(st.sampled_from([1.0, 2.5])), "public": draw(st.booleans()),
        "description": draw(TEXTS), "extra_specs": draw(specs),
    }  # fmt: skip
    return {"security-group": groups, "flavor": {"f-1": Record("f-1", flavor["name"], flavor)}}


@given(sites())
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_again(found: dict[str, dict[str, Record]]) -> None:
    text = document(found, ["a note\nof two lines"])
    read = desired(text)
    names = {kind: {record.name for record in records.values()} for kind, records in read.items()}
    assert names == {kind: {record.name for record in records.values()} for kind, records in found.items()}
    back = {}
    for kind, records in found.items():
        by_site = [r.id for r in sorted(records.values(), key=lambda r: (r.name, r.id))]
        ids = dict(zip(read[kind], by_site, strict=True))
        back[kind] = {
            ids[id]: KINDS[kind].translated(record, ids).fields for id, record in read[kind].items()
        }
    assert back == {kind: {id: r.fields for id, r in records.items()} for kind, records in found.items()}
    assert document(found, ["a note\nof two lines"]) == text


@given(st.text(max_size=200) | st.text(alphabet="ab:-[]{}&*!|>'\"#% \n,?", max_size=60))
@settings(max_examples=150, deadline=None)
def test_whatever_is_read_is_refused_in_words(text: str) -> None:
    """Never another error; a text by chance is no document."""
    with pytest.raises(Invalid, match=r"^document: "):
        desired(text)
