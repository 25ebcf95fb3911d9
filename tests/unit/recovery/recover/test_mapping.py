"""The operator's rules: what is refused, and how it is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from multisite.domain.errors import Invalid
from multisite.recovery.recover.mapping import parse
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

    @pytest.mark.parametrize("rule", ["networks", "flavors", "volume_types", "keypairs", "security_groups"])
    def test_a_rule_for_nothing_is_a_slip(self, rule: str) -> None:
        with pytest.raises(Invalid, match=f"mapping.{rule}: the restore point has no 'slip'; it has: "):
            look(mapping={rule: {"slip": "x"}})

    def test_an_ambiguous_name_needs_the_id(self) -> None:
        point = manifest()
        twins = tuple(replace(n, name="same") for n in point.networks)
        with pytest.raises(Invalid, match="n0, n1"):
            look(replace(point, networks=twins), mapping={"networks": {"same": "x"}})

    def test_null_is_as_good_as_nothing(self) -> None:
        assert parse({"ready_console": None}) == parse(None) == parse({})
