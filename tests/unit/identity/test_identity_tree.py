"""Writing a folder: whole, never over what somebody else wrote, and whatever moment the process dies at."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from multisite.domain.errors import Conflict, Invalid
from multisite.identity.render import tree
from multisite.identity.render.model import File


def files(version: str) -> list[File]:
    return [
        File("paris", "keystone", "etc/keystone/keystone.conf", f"[token]\nversion = {version}\n", 0o640),
        File(
            "paris",
            "keystone",
            "etc/keystone/secret.conf",
            f"password = hidden-{version}\n",
            0o600,
            secret=True,
        ),
        File("", "", "RUNBOOK.md", "the same\n"),
        *(
            [File("rome", "keystone", "etc/keystone/keystone.conf", "only in one\n")]
            if version == "one"
            else []
        ),
    ]


def content(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != tree.RECORD]
    return {str(path.relative_to(folder)): path.read_text() for path in paths}


def kinds(changes: tuple[tree.Change, ...]) -> dict[str, str]:
    return {change.name: change.kind for change in changes}


def test_new_changed_removed_and_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "to"
    assert set(kinds(tree.write(folder, files("one"))).values()) == {"new"}
    assert set(kinds(tree.write(folder, files("one"))).values()) == {"same"}
    wanted = {
        "RUNBOOK.md": "same",
        "paris/keystone/etc/keystone/keystone.conf": "changed",
        "paris/keystone/etc/keystone/secret.conf": "changed",
        "rome/keystone/etc/keystone/keystone.conf": "removed",
    }
    before = content(folder)
    assert kinds(tree.changes(folder, files("two"))) == wanted
    assert content(folder) == before, "looking has written"
    assert kinds(tree.write(folder, files("two"))) == wanted
    assert content(folder) == {file.name: file.text for file in files("two")}
    assert not (folder / "rome").exists()
    assert (folder / "paris/keystone/etc/keystone/secret.conf").stat().st_mode & 0o777 == 0o600
    assert (folder / "paris/keystone/etc/keystone/keystone.conf").stat().st_mode & 0o777 == 0o640


def test_a_diff_shows_no_secret(tmp_path: Path) -> None:
    tree.write(tmp_path, files("one"))
    diffs = "".join(change.diff for change in tree.changes(tmp_path, files("two")))
    assert "-version = one\n+version = two\n" in diffs
    assert "hidden" not in diffs


@pytest.mark.parametrize("name", ["RUNBOOK.md", "paris/keystone/etc/keystone/keystone.conf"])
def test_what_was_changed_by_hand_is_kept_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    tree.write(tmp_path, files("one"))
    (tmp_path / name).write_text("by hand\n")
    before = content(tmp_path)
    with pytest.raises(Conflict, match="was changed by hand"):
        tree.write(tmp_path, files("two"))
    assert content(tmp_path) == before


def test_what_is_not_ours_is_kept(tmp_path: Path) -> None:
    (tmp_path / "RUNBOOK.md").write_text("of somebody\n")
    with pytest.raises(Conflict, match="is not ours"):
        tree.write(tmp_path, files("one"))
    (tmp_path / "RUNBOOK.md").unlink()
    (tmp_path / "RUNBOOK.md").symlink_to("/etc/hostname")
    with pytest.raises(Conflict, match="is no plain file"):
        tree.write(tmp_path, files("one"))


def test_other_files_beside_stay(tmp_path: Path) -> None:
    tree.write(tmp_path, files("one"))
    (tmp_path / "rome/notes").write_text("mine")
    tree.write(tmp_path, files("two"))
    assert (tmp_path / "rome/notes").read_text() == "mine"


def test_a_strange_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / tree.RECORD).write_text("[]")
    with pytest.raises(Conflict, match="is no record"):
        tree.write(tmp_path, files("one"))


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Invalid, match="cannot be written"):
        tree.write(tmp_path / "file/below", files("one"))


class Killed(BaseException):
    """What no handler of ours catches."""


@pytest.mark.parametrize("call", ["fsync", "replace", "unlink", "fchmod"])
def test_killed_at_any_point_the_next_run_finishes(
    tmp_path: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The n-th call of each kind does not return; files are whole then, and the next run takes them for ours."""
    points = 0
    for point in range(50):
        folder = tmp_path / f"{call}{point}"
        tree.write(folder, files("one"))
        if not killed_at(folder, call, point, monkeypatch):
            break
        points += 1
        texts = {file.text for version in ("one", "two") for file in files(version)}
        whole = {text for name, text in content(folder).items() if not name.endswith(".multisite-new")}
        assert whole <= texts
        tree.write(folder, files("two"))
        assert content(folder) == {file.name: file.text for file in files("two")}
    assert points > 0


def killed_at(folder: Path, call: str, point: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    owner = Path if call in ("replace", "unlink") else os
    real, calls = getattr(owner, call), 0

    def counted(*arguments: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls > point:
            raise Killed
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(owner, call, counted)
        try:
            tree.write(folder, files("two"))
        except Killed:
            return True
    return False


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "a//x", ".", "a\nb"])
def test_nothing_outside_the_folder_is_written_or_removed(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "to"
    with pytest.raises(Invalid, match="is no file below"):
        tree.write(folder, [File("", "", name, "x")])
    tree.write(folder, files("one"))
    (tmp_path / "x").write_text("theirs")
    record = json.loads((folder / tree.RECORD).read_text())
    record["files"][name] = [hashlib.sha256(b"theirs").hexdigest()]
    (folder / tree.RECORD).write_text(json.dumps(record))
    with pytest.raises(Conflict, match="is no record of rendered files"):
        tree.write(folder, files("one"))
    assert (tmp_path / "x").read_text() == "theirs"
