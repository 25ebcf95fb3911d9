"""Types of the values an operator writes, by the place they get to: configuration files, SQL, command lines, paths.

None of them can be read there as anything but one value.  A value that does not fit is refused by pydantic with the
field's name and what to give.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_FOLDER = re.compile(r"(/\.?[A-Za-z0-9_][A-Za-z0-9._-]*)+/?")
_URL = re.compile(r"https?://([^/]*)/v3")
_LONGEST_PATH = 1024


def _kind(wanted: str, fits: Callable[[str], object], *, empty: bool = False) -> AfterValidator:
    def check(value: str) -> str:
        if not (empty if value == "" else fits(value)):
            raise PydanticCustomError("place", "give {wanted}", {"wanted": wanted})
        return value

    return AfterValidator(check)


def _like(pattern: str) -> Callable[[str], object]:
    return re.compile(pattern).fullmatch


def is_host(text: str) -> bool:
    """An IPv4 address, or a host name (RFC 1123, 2.1) that no resolver takes for an address."""
    labels = text.split(".")
    if labels[-1].isdigit():
        try:
            return str(ipaddress.IPv4Address(text)) == text
        except ValueError:
            return False
    return len(text) <= 253 and all(map(_LABEL.fullmatch, labels))


_is_name = _like(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


def _is_server(text: str) -> bool:
    host, separator, port = text.rpartition(":")
    return bool(separator) and is_host(host) and _is_port(port)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535


def _is_url(text: str) -> bool:
    found = _URL.fullmatch(text)
    return found is not None and (is_host(found[1]) or _is_server(found[1]))


def _is_folder(text: str) -> bool:
    return len(text) <= _LONGEST_PATH and _FOLDER.fullmatch(text) is not None


def _is_file(text: str) -> bool:
    """Any name but one that leads elsewhere, or that nobody can read in a message."""
    parts = text.split("/")
    plain = text == text.strip() and text.isprintable() and len(text) <= _LONGEST_PATH
    return plain and parts[0] == "" and not {"", ".", ".."} & set(parts[1:])


def _is_account(text: str) -> bool:
    """Of an operating system; a number is one that chown(2) does not take for "as it is"."""
    if text.isdigit():
        return len(text) <= 10 and int(text) < 2**32 - 1
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9._-]{0,31}", text) is not None


def is_line(text: str) -> bool:
    """Free text on one line: no control characters, no line separators, nothing that turns the direction."""
    return text == text.strip() and text.isprintable() and len(text) <= 255


_NAME = "letters, digits, '_' and '-', at most 63, beginning with a letter or digit"
_HOST = "an IPv4 address or a host name"
_PATH = "an absolute path of letters, digits, '.', '_' and '-', without '..'"
_FILE = "an absolute path without '..'"
_ACCOUNT = "a user's or group's name or number"

Name = Annotated[str, _kind(_NAME, _is_name)]
MaybeName = Annotated[str, _kind(_NAME, _is_name, empty=True)]
Region = Annotated[
    str,
    _kind(
        "letters, digits, '.', '_' and '-', at most 255, beginning with a letter or digit",
        _like(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}"),
    ),
]
Host = Annotated[str, _kind(_HOST, is_host)]
MaybeHost = Annotated[str, _kind(_HOST, is_host, empty=True)]
Server = Annotated[str, _kind("host:port", _is_server)]
Url = Annotated[str, _kind("a URL like http://192.0.2.5:5000/v3", _is_url)]
Folder = Annotated[str, _kind(_PATH, _is_folder)]
MaybeFolder = Annotated[str, _kind(_PATH, _is_folder, empty=True)]
File = Annotated[str, _kind(_FILE, _is_file)]
MaybeFile = Annotated[str, _kind(_FILE, _is_file, empty=True)]
Account = Annotated[str, _kind(_ACCOUNT, _is_account)]
MaybeAccount = Annotated[str, _kind(_ACCOUNT, _is_account, empty=True)]
Line = Annotated[
    str, _kind("one line of at most 255 characters, without control characters", is_line, empty=True)
]
DatabaseAccount = Annotated[
    str, _kind("letters, digits, '.', '_' and '-', at most 80", _like(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}"))
]
"""MariaDB: at most 80 characters of a user's name."""
ProxyServer = Annotated[str, _kind("backend/server", _like(r"[A-Za-z0-9_.:-]{1,255}/[A-Za-z0-9_.:-]{1,255}"))]
"""As HAProxy's commands take it: characters of its names (HAProxy Configuration Manual, 4)."""
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[int, Field(ge=1, le=31_536_000)]
