"""The tables of docs/api.md and docs/cli.md are made from the code; MULTISITE_WRITE_DOCS=1 writes them."""

from __future__ import annotations

import os
import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from oslo_policy.policy import DocumentedRuleDefault

from multisite.api import policy

DOCS = Path(__file__).parents[2] / "docs"
WHO = {
    policy.ADMIN: "administrators",
    policy.MEMBER: "members",
    policy.READER: "readers",
    policy.ANY: "anybody",
}


def routes() -> str:
    rows = ["| method and path | what | may |", "|---|---|---|"]
    for rule in policy.list_rules():
        if isinstance(rule, DocumentedRuleDefault):
            (operation,) = rule.operations
            where = f"`{operation['method']} {operation['path']}`"
            rows.append(f"| {where} | {rule.description} | {WHO[rule.check_str]} |")
    return "\n".join(rows)


def commands() -> str:
    points = sorted(entry_points(group="openstack.multisite.v1"), key=lambda p: p.name)
    nouns = (
        "site",
        "application",
        "protection",
        "restore_point",
        "recovery",
        "network",
        "job",
        "audit",
        "identity",
    )
    nouns += ("address", "path", "probe")
    points.sort(
        key=lambda p: next(n for n, noun in enumerate(nouns) if f"{p.name}_".startswith(f"multisite_{noun}_"))
    )
    rows = ["| command | what |", "|---|---|"]
    for point in points:
        first = (point.load().__doc__ or "").strip().splitlines()[0]
        rows.append(f"| `{point.name.removeprefix('multisite_').replace('_', ' ')}` | {first} |")
    return "\n".join(rows)


@pytest.mark.parametrize(("name", "made"), [("api.md", routes), ("cli.md", commands)])
def test_tables_are_as_the_code_says(name: str, made: object) -> None:
    file = DOCS / name
    text = file.read_text()
    wanted = made()  # type: ignore[operator]
    marker = f"<!-- {made.__name__} -->"  # type: ignore[attr-defined]
    whole = re.compile(rf"{marker}\n(.*?)(?=\n\n)", re.DOTALL)
    if os.environ.get("MULTISITE_WRITE_DOCS"):
        file.write_text(whole.sub(lambda _: f"{marker}\n{wanted}", text))
        return
    found = whole.search(text)
    assert found is not None
    assert found.group(1) == wanted
