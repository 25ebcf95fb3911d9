"""Every figure says where it is from, and is one the tool can replace."""

from __future__ import annotations

from pathlib import Path

from multisite.identity.plan import constants as c


def test_every_constant_has_a_source() -> None:
    found = c.table()
    assert len(found) > 25
    for name, constant in found.items():
        assert constant.kind in (c.MEASURED, c.DOCUMENTED, c.DERIVED), name
        assert len(constant.source) > 10, name
        assert constant.value > 0, name


def test_what_is_measured_is_measured_by_the_tool() -> None:
    folder = Path(__file__).parents[4] / "bench"
    code = "".join(path.read_text() for path in sorted(folder.glob("**/*.py")))
    ours = {name for name, constant in c.table().items() if constant.source.startswith("bench/")}
    for name in ours:
        assert name.split(" ")[0] in code, name
