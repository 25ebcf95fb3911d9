"""The operator's rules: what is refused, and how it is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from multisite.domain.errors import Invalid
from multisite.recovery.recover.mapping import KINDS, option, parse
from multisite_client.osc.question import KINDS as WORDS
from tests.unit.recovery.recover_samples import (
    look,
    manifest,
)


class TestMapping:
    @pytest.mark.parametrize(
        ("raw", "field"),
        [
            ({"network": {}}, "mapping.network:"),
            ({"networks": []}, "mapping.networks:"),
            ({"networks": {"n0": 5}}, "mapping.networks.n0:"),
            ({"networks": {"n0": " "}}, "mapping.networks.n0:"),
            ({"networks": {"": "x"}}, "mapping.networks:"),
            ({"create_missing_flavors": "yes"}, "mapping.create_missing_flavors:"),
            ({"ready_console": "("}, "mapping.ready_console:"),
            ({"ready_console": 3}, "mapping.ready_console:"),
            ({"ready_timeout": 0}, "mapping.ready_timeout:"),
            ({"ready_timeout": True}, "mapping.ready_timeout:"),
            ("x", "mapping:"),
        ],
    )
    def test_what_is_wrong_is_named(self, raw: Any, field: str) -> None:
        with pytest.raises(Invalid) as caught:
            parse(raw)
        assert str(caught.value).startswith(field)

    @pytest.mark.parametrize("rule", KINDS)
    def test_a_rule_for_nothing_is_a_slip(self, rule: str) -> None:
        with pytest.raises(Invalid, match=f"mapping.{rule}: the restore point has no 'slip'; it has: "):
            look(mapping={rule: {"slip": "x"}})

    def test_the_command_line_has_a_word_for_each_kind(self) -> None:
        assert {kind.word: rule for rule, kind in KINDS.items()} == WORDS

    @pytest.mark.parametrize(
        ("name", "typed"),
        [
            ("lan", "--map network:lan=t1"),
            ("my lan", "--map 'network:my lan=t1'"),
            ("plane1", "--map network:n0=t1"),
            ("a=b", "--map network:n0=t1"),
            ("", "--map network:n0=t1"),
        ],
    )
    def test_what_is_to_be_typed_names_one_thing(self, name: str, typed: str) -> None:
        point = manifest()
        point = replace(point, networks=(replace(point.networks[0], name=name), point.networks[1]))
        assert option(point, "networks", "n0", name, "t1") == typed

    def test_an_ambiguous_name_needs_the_id(self) -> None:
        point = manifest()
        twins = tuple(replace(n, name="same") for n in point.networks)
        with pytest.raises(Invalid, match="n0, n1"):
            look(replace(point, networks=twins), mapping={"networks": {"same": "x"}})

    def test_null_is_as_good_as_nothing(self) -> None:
        assert parse({"ready_console": None}) == parse(None) == parse({})
