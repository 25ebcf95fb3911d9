"""Every link of the documents leads to a file that is there, and to a heading in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    lines = (line for line in page.read_text().splitlines() if line.startswith("#"))
    return {re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in lines}


def broken(page: Path, text: str) -> list[str]:
    """The links in ``text``, a part of ``page``, that lead nowhere."""
    found = []
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        path, _, heading = link.partition("#")
        to = page.parent / path if path else page
        if not to.exists() or (heading and to.suffix == ".md" and heading not in headings(to)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page, page.read_text()) == []


def test_a_link_to_nowhere_is_found() -> None:
    text = "[a](README.md) [b](gone.md) [c](docs/recovery/README.md#no-such-heading) [d](docs/recovery/README.md#pages)"
    assert broken(ROOT / "README.md", text) == ["gone.md", "docs/recovery/README.md#no-such-heading"]
