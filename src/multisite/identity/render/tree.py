"""Rendered files in a folder of the operator's: written whole, and never over what somebody else wrote.

The folder's record (``.multisite-rendered.json``) holds the digest of every file as it was written here.  A file with
another digest was changed by hand or is not ours: nothing at all is written then.  Before files change, the record
names their old and their new digests, so that a process killed at any point leaves only files the next run knows.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multisite.domain.errors import Conflict, Invalid
from multisite.identity import files
from multisite.identity.render.model import File

RECORD = ".multisite-rendered.json"
VERSION = 1

Digests = dict[str, list[str]]


@dataclass(frozen=True)
class Change:
    """``kind``: ``new``, ``changed``, ``removed`` or ``same``.  ``diff``: unified; of a file with passwords, none."""

    name: str
    kind: str
    secret: bool
    diff: str = ""


def changes(folder: Path, files: Sequence[File]) -> tuple[Change, ...]:
    """What writing these files would change, by name; nothing is written.

    Raises multisite.domain.errors.Conflict naming the files that are not as they were rendered.
    """
    record = _record(folder)
    wanted = {file.name: file for file in files}
    if outside := [name for name in wanted if not _is_within(name)]:
        raise Invalid(f"{outside[0]!r}: is no file below {folder}: correct the topology")
    _refuse_foreign(folder, record, wanted)
    found = [_change(folder, file) for file in files]
    found += [Change(name, "removed", secret=False) for name in _gone(folder, record, wanted)]
    return tuple(sorted(found, key=lambda change: change.name))


def write(folder: Path, files: Sequence[File]) -> tuple[Change, ...]:
    """Make the folder hold exactly these files (and whatever else lies there); returns what changed.

    Raises as ``changes``, and multisite.domain.errors.Invalid when the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = changes(folder, files)
        todo = {change.name for change in found if change.kind != "same"}
        record = _record(folder)
        new = {file.name: _digest(file.text.encode()) for file in files}
        _note(folder, {name: sorted({*record.get(name, []), *_one(new, name)}) for name in {*record, *new}})
        for file in files:
            if file.name in todo:
                _put(folder / file.name, file.text, file.mode)
            else:
                (folder / file.name).chmod(file.mode)
        for change in found:
            if change.kind == "removed":
                _remove(folder, change.name)
        _note(folder, {name: [digest] for name, digest in new.items()})
    except OSError as error:
        raise Invalid(f"{error.filename or folder}: cannot be written: {error.strerror}") from error
    return found


def _one(digests: Mapping[str, str], name: str) -> list[str]:
    return [digests[name]] if name in digests else []


def _change(folder: Path, file: File) -> Change:
    path = folder / file.name
    if not path.exists():
        return Change(file.name, "new", file.secret)
    old = path.read_bytes().decode(errors="replace")
    if old == file.text:
        return Change(file.name, "same", file.secret)
    diff = "" if file.secret else "".join(_diff(file.name, old, file.text))
    return Change(file.name, "changed", file.secret, diff)


def _diff(name: str, old: str, new: str) -> Iterable[str]:
    return difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), f"{name} (there)", f"{name} (new)"
    )


def _refuse_foreign(folder: Path, record: Digests, wanted: Mapping[str, File]) -> None:
    foreign = []
    for name in sorted({*record, *wanted}):
        path = folder / name
        if path.is_symlink() or (path.exists() and not path.is_file()):
            foreign.append(f"{path}: is no plain file")
        elif path.exists():
            digest = _digest(path.read_bytes())
            as_wanted = name in wanted and digest == _digest(wanted[name].text.encode())
            if digest not in record.get(name, []) and not as_wanted:
                foreign.append(f"{path}: {'was changed by hand' if name in record else 'is not ours'}")
    if foreign:
        raise Conflict(
            "\n".join([*foreign, "nothing was written: move these away, or render into another folder"])
        )


def _gone(folder: Path, record: Digests, wanted: Mapping[str, File]) -> list[str]:
    return [name for name in record if name not in wanted and (folder / name).exists()]


def _remove(folder: Path, name: str) -> None:
    path = folder / name
    path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == folder:
            break
        with contextlib.suppress(OSError):  # not empty
            parent.rmdir()


def _record(folder: Path) -> Digests:
    path = folder / RECORD
    try:
        found = _read_record(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return {}
    except ValueError:
        found = None
    if found is None:
        raise Conflict(f"{path}: is no record of rendered files: render into another folder")
    return found


def _read_record(content: Any) -> Digests | None:
    if not isinstance(content, dict) or content.get("version") != VERSION:
        return None
    files = content.get("files")
    if not isinstance(files, dict) or not all(isinstance(digests, list) for digests in files.values()):
        return None
    if not all(map(_is_within, files)):
        return None
    return {str(name): [str(digest) for digest in digests] for name, digests in files.items()}


def _is_within(name: str) -> bool:
    """Whether it names a file below the folder."""
    return name.isprintable() and not {"", ".", ".."} & set(name.split("/"))


def _note(folder: Path, digests: Digests) -> None:
    content = {"version": VERSION, "files": dict(sorted(digests.items()))}
    _put(folder / RECORD, json.dumps(content, indent=1) + "\n", 0o644)


def _put(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    files.write(path, text.encode(), mode)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
