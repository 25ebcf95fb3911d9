"""Expressions of operators over text of guests: linear time, or refused."""

from __future__ import annotations

import re
import sys
from subprocess import TimeoutExpired, run

import pytest

from multisite.domain.errors import Invalid
from multisite.domain.pattern import LONGEST_LINE, compiled, newest_match

HOSTILE = (r"^(a+)+$", r"^(a|a)*$", r"(.*a){25}$", r"^(\w+\s?)*$")
TEXT = "a" * (LONGEST_LINE - 1) + "!"


@pytest.mark.timeout(30)
@pytest.mark.parametrize("pattern", HOSTILE)
def test_a_hostile_expression_ends(pattern: str) -> None:
    assert newest_match(pattern, [TEXT] * 500) is None


def test_the_text_would_hang_pythons_own() -> None:  # the control: without RE2 the test above does not end
    code = f"import re; re.search({HOSTILE[0]!r}, {TEXT!r})"
    with pytest.raises(TimeoutExpired):
        run([sys.executable, "-c", code], timeout=2, check=True)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "missing )"),
        (r"(?=ready)", "invalid perl operator: (?="),
        (r"(a)\1", "invalid escape sequence"),
        ("(a{1000}){1000}", "invalid repetition size"),
        ("((a{100}){100}){100}", "invalid repetition size"),
        (r"(\pL{100}){10}", "pattern too large"),
        ("a" * 257, "longer than 256 characters"),
    ],
)
def test_what_cannot_be_matched_in_linear_time_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(Invalid, match=re.escape(why)):
        compiled(pattern)


def test_newest_match() -> None:
    lines = ["load 1", "  load 2 ü ", "", "ready"]
    assert newest_match(r"load \d+", lines) == "load 2 ü"
    assert newest_match("^load", lines) == "load 2 ü"
    assert newest_match("nothing", lines) is None
    assert newest_match("x", ["y" * LONGEST_LINE + "x"]) is None  # beyond what is looked at
