"""Configuration files as oslo.config reads them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from oslo_config import iniparser

from multisite.identity.check.facts import Options, Unknown


def read(*files: Path) -> Options | Unknown:
    """Values of one or more files, later ones over earlier ones."""
    found: dict[tuple[str, str], str] = {}
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            return Unknown(f"{file}: {error.strerror}")
        except UnicodeDecodeError:
            return Unknown(f"{file}: is not UTF-8 text")
        try:
            found.update(parsed(text))
        except iniparser.ParseError as error:
            # Without the line itself: it may be the one with a password.
            return Unknown(f"{file}: line {error.lineno}: {error.msg}")
    return found


def with_folder(file: Path, folder: Path) -> Options | Unknown:
    """A service's file and the ``*.conf`` of the folder beside it, as oslo.config orders them."""
    more: Iterable[Path] = sorted(folder.glob("*.conf")) if folder.is_dir() else ()
    return read(file, *more)


def parsed(text: str) -> dict[tuple[str, str], str]:
    """Values of a text (oslo_config.iniparser.ParseError)."""
    parser = _Parser()
    parser.parse(text.splitlines(keepends=True))
    return parser.values


class _Parser(iniparser.BaseParser):
    def __init__(self) -> None:
        super().__init__()
        self.values: dict[tuple[str, str], str] = {}
        self._section = "DEFAULT"

    def new_section(self, section: str) -> None:
        self._section = section

    def assignment(self, key: str, value: list[str]) -> None:
        text = "\n".join(value)
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            text = text[1:-1]
        self.values[self._section, key] = text
