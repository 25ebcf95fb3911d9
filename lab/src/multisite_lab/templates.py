"""The lab's templates of configuration files."""

from __future__ import annotations

import functools
from typing import Any

import jinja2

from multisite_lab import paths


def template_text(name: str, context: dict[str, Any]) -> str:
    """One template with its values; a name that is not given is an error, never an empty string."""
    return _environment().get_template(f"{name}.j2").render(context)


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(paths.DATA / "templates"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        autoescape=False,  # noqa: S701 - INI files, not HTML
    )
