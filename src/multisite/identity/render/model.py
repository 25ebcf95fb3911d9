"""A rendered file, and the templates."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import Any

import jinja2

KEYSTONE_NODE = "keystone"
ENTRY_NODE = "entry"
ARBITRATOR_NODE = "arbitrator"
SERVICES_NODE = "services"


@dataclass(frozen=True)
class File:
    """``path``: on the node, without the leading ``/``.  ``site`` and ``node`` are "" for what belongs to no node.

    ``secret``: it holds passwords; its text is never shown.
    """

    site: str
    node: str
    path: str
    text: str = field(repr=False)
    mode: int = 0o644
    secret: bool = False

    @property
    def name(self) -> str:
        """Its place below the folder that is rendered into."""
        return "/".join(part for part in (self.site, self.node, self.path) if part)


def from_template(name: str, **values: Any) -> str:
    """A template with its values; a value that is not given is an error, never an empty string."""
    return _environment().get_template(f"{name}.j2").render(values)


_MARKUP = re.compile(r"[\\`*<>\[\]|~&]|(?<!\w)_|_(?!\w)")


def as_markdown(text: str) -> str:
    """One line, within a paragraph, that is shown as it is (CommonMark, 2.4 "Backslash escapes")."""
    return _MARKUP.sub(r"\\\g<0>", text)


@functools.cache
def _environment() -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("multisite.identity.render"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - configuration files, not HTML
    )
    found.filters["markdown"] = as_markdown
    return found
