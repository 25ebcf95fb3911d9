"""Topology files: the examples, what is refused and in which words, what is warned about."""

from __future__ import annotations

from pathlib import Path

import pytest

from multisite.domain.errors import Invalid
from multisite.identity import numbers
from multisite.identity.topology import file as topology_file
from multisite.identity.topology import rules as topology_rules
from multisite.identity.topology.model import Form, TokenProvider, Tokens

EXAMPLES = sorted((Path(__file__).parents[3] / "docs/examples/identity").glob("*.yaml"))
STAR = next(path.read_text() for path in EXAMPLES if path.name == "star.yaml")
CENTRALIZED = next(path.read_text() for path in EXAMPLES if path.name == "centralized.yaml")
MULTI = next(path.read_text() for path in EXAMPLES if path.name == "multi-cluster.yaml")


def changed(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def said(text: str) -> str:
    with pytest.raises(Invalid) as caught:
        topology_file.parsed(text)
    return str(caught.value)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_read_without_warning_and_written_back(path: Path) -> None:
    topology = topology_file.read(path)
    assert topology_file.parsed(topology_file.dumped(topology)) == topology
    assert topology_rules.warnings(topology) == ()


def test_there_is_an_example_of_every_form_and_provider() -> None:
    topologies = [topology_file.read(path) for path in EXAMPLES]
    assert {topology.form for topology in topologies} == set(Form)
    assert {topology.tokens.provider for topology in topologies} == set(TokenProvider)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version: 1", "version: 2", "version: 2 is wrong: give 1"),
        ("version: 1\n", "", "version: is missing: add it"),
        ("form: star", "form: ring", "form: 'ring' is wrong: give 'cluster', 'multi-cluster', 'star' or 'centralized'"),
        ("form: star", "form: star\nfoo: 1", "foo: is no field of a topology file: remove it or correct its name"),
        ("name: europe\n", "", "name: is missing: add it"),
        ("region: Oslo", "region: no", "sites[2].region: False is wrong: input should be a valid string"),
        ("{address: 203.0.113.11,", "{address: 203.0.113.11, port: 0,", "sites[2].databases[0].port: 0 is wrong"),
        ("203.0.113.12", "'203.0.113.12; rm'", "sites[2].databases[1].address: '203.0.113.12; rm' is"
            " wrong: give an IPv4"),
        ("cache_time: 2", "cache_time: 0", "cache_time: 0 is wrong"),
        ("name: oslo", "name: ../oslo", "sites[2].name: '../oslo' is wrong"),
        ("entry: http://192.0.2.5:5000/v3", "entry: http://192.0.2.5:5000", "entry: 'http://192.0.2.5:5000' is wrong"),
        ("form: star", "form: star\nform: star", "'form' is given twice"),
        ("sites:", "sites: [", "correct the YAML there"),
        # between fields
        ("role: replica", "role: master", "sites: a star has exactly two master sites, not 3"),
        ("region: Rome", "region: Paris", "sites[1].region: Paris is also sites[0].region"),
        ("name: rome", "name: paris", "sites[1].name: paris is also sites[0].name"),
        ("198.51.100.11", "192.0.2.11", "sites[1].databases[0].address: 192.0.2.11:3306 is also sites[0]"),
        ("follows: rome", "follows: oslo", "sites[2].databases[1].follows: 'oslo' is no master site:"
            " name one of paris, rome"),
        (", follows: rome", "", "sites[2].databases[1].follows: is missing"),
        ("\n      - {address: 203.0.113.12, follows: rome}", "", "sites[2].databases: no replica follows rome"),
        ("site: oslo", "site: rome", "arbitrator.site: rome is a master site"),
        ("203.0.113.4", "192.0.2.11", "arbitrator.address: 192.0.2.11 is a database's"),
        ("form: star", "form: star\ntokens: {provider: jws}", "sites[0].keys.jws_public: is missing"),
        ("form: star", "form: star\ntokens: {rotation_interval: 60}", "tokens.rotation_interval: 60 s"
            " means 2942 active keys"),
        (", host: 203.0.113.10", "", "sites[2].keys.host: is missing"),
        ("role: replica", "role: replica\n    owner: other", "sites: Keystones of different owners"),
        ("cache_time: 2 ", "cache_time: 3600 ", "cache_time: cache_time and token_cache_time add up to 3602 s"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(old: str, new: str, message: str) -> None:
    assert message in said(changed(STAR, (old, new)))


def test_all_problems_are_told_at_once() -> None:
    assert len(said("version: 1\nform: star\nsites: [{}]").splitlines()) == 6


def test_a_file_without_sites_says_so() -> None:
    text = "version: 1\nname: a\nform: star\nentry: http://192.0.2.5:5000/v3\nsites: []"
    assert said(text) == "sites: is empty: add a site"


def test_a_client_has_neither_databases_nor_keys_and_names_a_keystone() -> None:
    text = changed(CENTRALIZED, ("name: porto", "name: porto\n    databases: [{address: 192.0.2.99}]"))
    assert "sites[1].databases: a client site has no Keystone and no database" in said(text)
    text = changed(
        CENTRALIZED, ("role: client\n    address: 192.0.2.10", "role: client\n    address: 192.0.2.77")
    )
    assert "sites[1].address: 192.0.2.77:5000 is no Keystone" in said(text)


def test_one_machine_for_two_nodes_of_a_cluster_is_refused_but_not_for_replicas() -> None:
    text = changed(MULTI, ("{address: 192.0.2.12}", "{address: 192.0.2.11, port: 3307}"))
    assert "two nodes of a cluster on one machine die together" in said(text)


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        ("arbitrator: {address: 203.0.113.4, site: oslo}\n", "", "2 votes, an even number"),
        (", site: oslo}", "}", "arbitrator.site: is not said"),
        ("token_cache_time: 2", "token_cache_time: 300", "a revoked token is taken for up to 302 s"),
        ("databases: [{address: 192.0.2.11}]", "databases: [{address: 192.0.2.11},"
            " {address: 192.0.2.12}]", "paris has 2 of 4"),
    ],
)  # fmt: skip
def test_what_will_fail_on_a_bad_day_is_warned_about(old: str, new: str, warning: str) -> None:
    topology = topology_file.parsed(changed(STAR, (old, new)))
    assert warning in "\n".join(map(str, topology_rules.warnings(topology)))


@pytest.mark.parametrize(
    ("tokens", "keys"),
    [
        (Tokens(), 5),  # ceil(49 h / 24 h) + 2
        (Tokens(expiration=3600, allow_expired_window=0, rotation_interval=3600), 3),
        (Tokens(expiration=3601, allow_expired_window=0, rotation_interval=3600), 4),
        (Tokens(expiration=86400, allow_expired_window=172800, rotation_interval=3600), 74),
    ],
)
def test_number_of_keys(tokens: Tokens, keys: int) -> None:
    assert numbers.max_active_keys(tokens) == keys


def test_a_replicas_number_does_not_change_when_a_site_comes_before_it() -> None:
    before = topology_file.parsed(MULTI).site("bergen")
    other = changed(MULTI, ("  - name: tampere", "  - name: aarhus\n    region: Aarhus\n    role:"
    " replica\n    address: 192.0.2.50\n"
                            "    databases: [{address: 192.0.2.51, follows: stockholm}]\n    keys:"
                            " {transport: directory}\n  - name: tampere"))  # fmt: skip
    after = topology_file.parsed(other).site("bergen")
    ids = [[numbers.server_id(site, database) for database in site.databases] for site in (before, after)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2
