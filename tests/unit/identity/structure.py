"""What a rendered file means to the program that reads it, with its values left out."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from markdown_it import MarkdownIt

from multisite.identity.render.model import File

_SQL = re.compile(r"'(?:[^'\\]|\\.|'')*'|--[^\n]*|[A-Za-z_@.*%]+|\d+|\S")
_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def structures(files: Iterable[File]) -> dict[str, Any]:
    """By name, of all files; a name that leaves the folder it is written into is an error."""
    found = {}
    for file in files:
        name = PurePosixPath(file.name)
        assert not name.is_absolute(), file.name
        assert ".." not in name.parts, file.name
        assert str(name) == file.name
        assert file.name.isprintable()
        assert not set(file.text) & _NEVER, file.name
        found[file.name] = _of(file)
    return found


_NEVER = {chr(n) for n in (*range(32), *range(127, 160), 0x2028, 0x2029, 0x202E)} - {"\n"}


def _of(file: File) -> Any:
    name = file.name.rsplit("/", 1)[-1]
    if name.endswith((".conf", ".ini", ".cnf")):
        return _ini(file.text)
    kinds = {".sql": sql, ".sh": shell, ".json": _keys, ".md": markdown, ".cfg": _words}
    return kinds.get(PurePosixPath(name).suffix, shell)(file.text)


def _ini(text: str) -> dict[str, list[str]]:
    parser = configparser.ConfigParser(
        strict=True, interpolation=None, allow_no_value=True, delimiters="=", comment_prefixes="#"
    )
    parser.read_string(text)
    return {section: [*parser[section], str(_comments(text))] for section in parser.sections()}


def _comments(text: str) -> int:
    return sum(line.startswith("#") for line in text.split("\n"))


def sql(text: str) -> list[str]:
    """Words of every statement; literals and comments are one each."""
    return [
        "literal" if word[0] == "'" else "comment" if word[:2] == "--" else word
        for word in _SQL.findall(text)
    ]


def shell(text: str) -> list[int]:
    """Number of words of each line (of quoted text that spans lines, each for itself)."""
    return [len(_split(line)) for line in text.split("\n")]


def _split(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    try:
        return list(lexer)
    except ValueError:  # a quotation that goes on in the next line
        return [line]


def _words(text: str) -> list[int]:
    return [len(line.split()) for line in text.split("\n")]


def _keys(text: str) -> Any:
    def keys(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: keys(item) for key, item in value.items()}
        return [keys(item) for item in value] if isinstance(value, list) else type(value).__name__

    return keys(json.loads(text))


def markdown(text: str) -> list[tuple[str, ...]]:
    """Its blocks and what is in their lines; code as it is."""
    found = []
    for token in _MARKDOWN.parse(text):
        within = tuple(child.type for child in token.children or ())
        code = token.content.split("\n") if token.type in ("fence", "code_block") else []
        found.append((token.type, token.tag, token.info, *within, *(str(len(line.split())) for line in code)))
    return found


def shown(text: str) -> str:
    """What a reader of Markdown sees, in one line."""
    children = [child for token in _MARKDOWN.parse(text) for child in token.children or ()]
    return " ".join(child.content for child in children)
