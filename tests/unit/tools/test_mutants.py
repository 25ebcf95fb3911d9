"""The rows of planted bugs fit their sources; whether the tests find them is asked by ``make mutants``."""

from __future__ import annotations

import re

import pytest

from tests.mutants.planted import ROOT, Mutant
from tests.mutants.table import MUTANTS


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_it_can_be_planted_and_its_suite_is_there(mutant: Mutant) -> None:
    source = (ROOT / mutant.path).read_text()
    assert mutant.planted(source) != source
    file, _, test = mutant.suite.split(" ")[0].partition("::")
    names = re.findall(r"^ *def (test_\w+)", (ROOT / file).read_text(), re.MULTILINE)
    wanted = test or mutant.suite.partition(" -k ")[2]
    assert [name for name in names if wanted in name], f"{file} has no test {wanted}"


def test_there_are_forty_and_each_has_a_name() -> None:
    assert len({m.name for m in MUTANTS}) == len(MUTANTS) == 40


def test_a_source_that_has_moved_on_is_told() -> None:
    mutant = Mutant("gone", "call", "clouds/call.py", "not there", "", "")
    with pytest.raises(ValueError, match="0 times 'not there': change the row"):
        mutant.planted("something else")
