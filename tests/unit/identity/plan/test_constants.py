"""Every figure says where it is from, and is one the tool can replace."""

from __future__ import annotations

from pathlib import Path

import pytest

from multisite.identity.plan import constants as c

ROOT = Path(__file__).parents[4]


def wrong(constant: c.Constant) -> str | None:
    """What is missing for a reader who wants to find out whether the figure is true."""
    where, _, how = constant.source.partition(": ")
    if constant.kind not in (c.MEASURED, c.DOCUMENTED, c.DERIVED):
        return f"{constant.kind!r} is no kind"
    if constant.value <= 0:
        return "it is not positive"
    if constant.kind == c.MEASURED:
        by_us = where == "lab" or (ROOT / where).is_file()
        return None if by_us and how else "it names nothing of ours that measures it, or not what"
    if where.startswith("bench/"):
        return "it is measured"
    return None if len(constant.source.split()) >= 4 else "it does not say where it is from"


def test_every_constant_has_a_source() -> None:
    found = c.table()
    assert len(found) > 25
    assert {name: wrong(constant) for name, constant in found.items() if wrong(constant)} == {}


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("guessed", "lab: 3 runs"),
        (c.MEASURED, "bench/no_such_tool.py: Keystone 30.0"),
        (c.MEASURED, "lab"),
        (c.MEASURED, "somewhere: once"),
        (c.DOCUMENTED, "the documentation"),
        (c.DERIVED, "bench/identity_constants.py: Keystone 30.0"),
    ],
)
def test_a_source_that_leads_nowhere_is_found(kind: str, source: str) -> None:
    assert wrong(c.Constant(1, "s", kind, source))


def test_what_is_measured_is_measured_by_the_tool() -> None:
    code = "".join(path.read_text() for path in sorted((ROOT / "bench").glob("**/*.py")))
    ours = {name for name, constant in c.table().items() if constant.source.startswith("bench/")}
    assert len(ours) > 10
    for name in ours:
        assert name.split(" ")[0] in code, name
