"""Rules no linter knows: see each function below; prints every breach and exits 1 when there is one.

Run by ``make lint``.  Every rule takes the files git knows and returns sentences; ``RULES`` lists them.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
MAX_LINES, MAX_TEST_LINES = 400, 500
FORBIDDEN = (
    "/" + "work/", "/" + "root/", "index" + "-url = ", "pytest.mark." + "skip", "pytest.mark." + "xfail",
)  # fmt: skip
TEXTS = {".py", ".sh", ".toml", ".md", ".cfg", ".ini", ".lock", ".in"}
MAX_FUNCTION = 40
FEATURES = {"sites", "applications", "recovery", "networks", "identity"}
FOR_SERVICE = {
    "clouds/administrator.py",  # the list of what is done as an administrator
    "clouds/connect.py",  # the seam itself
    "command/catalog.py",  # checks a Keystone's catalog before there is a service
    "networks/stretch/reader.py",  # reads the ports of many projects' networks
    "recovery/protect/targets.py",  # what a site can do
    "recovery/stores/swift.py",  # the store of all projects' manifests
    "sites/service.py",  # what a site can do
}
"""Modules of the service that open sites for no project."""
MIN_SHARED = 3
"""So many modules of one prefix are a folder."""
# What OpenStack spells American; "cancelled" stays, as Python and the jobs' stored states have it.
BRITISH = re.compile(
    r"(real|organ|initial|normal|serial|synchron|author|recogn|minim|maxim|summar|optim)is(e|es|ed|er|ing|ation)(?![a-z])"
    r"|(behavi|col|fav|neighb|hon)our|licence|(?<![a-z])cent(re|res|red)(?![a-z])|analys(e|ed|ing)(?![a-z])"
    r"|(?<![a-z])grey(?![a-z])|artefact|catalogue|judgement",
    re.IGNORECASE,
)


def tracked() -> list[Path]:
    """Files git knows or would add."""
    argv = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in done.stdout.splitlines() if (ROOT / line).is_file()]


def without_readme(files: list[Path]) -> Iterator[str]:
    """A README in every package."""
    for package in sorted({f.parent for f in files if f.name == "__init__.py" and "tests" not in f.parts}):
        if not (package / "README.md").exists() and "migrations" not in package.parts:
            yield f"{_name(package)}: no README.md saying what lives here and what it may import"


def too_long(files: list[Path]) -> Iterator[str]:
    """Modules of bounded length."""
    for file in _python(files):
        lines = file.read_text().count("\n")
        allowed = MAX_TEST_LINES if "tests" in _name(file).parts else MAX_LINES
        if lines > allowed:
            yield f"{_name(file)}: {lines} lines, {allowed} allowed: split it by idea"


def forbidden(files: list[Path]) -> Iterator[str]:
    """No machine paths, no tests that are left out."""
    for file in files:
        if file.suffix in TEXTS or file.name == "Makefile":
            text = file.read_text(errors="replace")
            yield from (f"{_name(file)}: contains {word!r}" for word in FORBIDDEN if word in text)


def prefixes(files: list[Path]) -> Iterator[str]:
    """Folders instead of file-name prefixes, in what is shipped."""
    groups: dict[tuple[Path, str], set[str]] = defaultdict(set)
    for file in _shipped(_python(files)):
        groups[file.parent, file.stem.split("_")[0]].add(file.stem)
    for (folder, prefix), names in sorted(groups.items()):
        if prefix and len(names) >= MIN_SHARED:
            yield f"{_name(folder)}: {', '.join(sorted(names))}: make a folder {prefix}/ of them"


def spelling(files: list[Path]) -> Iterator[str]:
    """American spelling in what users and contributors read."""
    for file in files:
        if file.suffix in (".py", ".md") and _shipped([file]):
            for number, line in enumerate(file.read_text().splitlines(), start=1):
                if found := BRITISH.search(line):
                    yield f"{_name(file)}:{number}: {found.group()!r}: use the American spelling"


def client_imports(files: list[Path]) -> Iterator[str]:
    """The client imports the service's code when a command needs it, never when it starts."""
    for file in _python(files):
        if _name(file).parts[:2] == ("client", "src"):
            for line in _at_import(ast.parse(file.read_text())):
                yield f"{_name(file)}:{line}: imports multisite at the top: import it after needs_service_package()"


def import_circles(files: list[Path]) -> Iterator[str]:
    """No module needs one that needs it, not even inside a function or for types only."""
    modules = {_module(file): file for file in _python(files) if "src" in _name(file).parts[:3]}
    needs = {name: _imported(name, file, set(modules)) for name, file in modules.items()}
    while leaves := [name for name, wanted in needs.items() if not wanted & needs.keys()]:
        for name in leaves:
            del needs[name]
    for circle in _circles(needs):
        yield f"{', '.join(sorted(circle))}: need each other: move what both need into a module of its own"


def _circles(needs: dict[str, set[str]]) -> set[frozenset[str]]:
    reached = {name: _reachable(name, needs) for name in needs}
    found = {frozenset(n for n in names if name in reached[n]) for name, names in reached.items()}
    return {circle for circle in found if circle}


def _reachable(start: str, needs: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    todo = [start]
    while todo:
        fresh = (needs[todo.pop()] & needs.keys()) - found
        found |= fresh
        todo += fresh
    return found


def _module(file: Path) -> str:
    parts = _name(file).with_suffix("").parts
    return ".".join(parts[parts.index("src") + 1 :]).removesuffix(".__init__")


def _imported(name: str, file: Path, modules: set[str]) -> set[str]:
    """Modules that a module imports anywhere; imports are absolute (ruff sees to that)."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {each if each in modules else node.module or "" for each in whole}
    return (found & modules) - {name}


def through_services(files: list[Path]) -> Iterator[str]:
    """Features import of each other their ``service`` only."""
    for file in _python(files):
        parts = _name(file).parts
        if parts[:2] != ("src", "multisite") or parts[2] not in FEATURES:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.ImportFrom):
                continue
            whole = (node.module or "").split(".")
            if whole[:1] == ["multisite"] and whole[1] in FEATURES - {parts[2]} and whole[-1] != "service":
                yield f"{_name(file)}:{node.lineno}: imports {node.module}: features import each other's service.py"


def for_whom(files: list[Path]) -> Iterator[str]:
    """Sites are opened for a project (``Sites.open``), for none only where FOR_SERVICE says so.

    As an administrator by ``clouds.administrator`` alone, which lists the calls.
    """
    for file in _python(files):
        parts = _name(file).parts
        if parts[:2] != ("src", "multisite") or "/".join(parts[2:]) in FOR_SERVICE:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                names = {
                    f"{node.module}.{alias.name}".rpartition("clouds.connect.")[2] for alias in node.names
                }
            else:
                names = {node.attr} if isinstance(node, ast.Attribute) else set()
            for name in names & {
                "open_for_service", "open_site", "administrator", "openstack.connection.Connection"
            }:  # fmt: skip
                yield f"{_name(file)}: {name}: open the site for the project it is for, or say in FOR_SERVICE why not"


def plugins_apart(files: list[Path]) -> Iterator[str]:
    """Plugins run inside OpenStack's services, which have nothing of ours."""
    for file in _python(files):
        if _name(file).parts[0] == "plugins" and "src" in _name(file).parts[:3]:
            for node in ast.walk(ast.parse(file.read_text())):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                for name in names:
                    if name.split(".")[0] in ("multisite", "multisite_client", "multisite_lab"):
                        yield f"{_name(file)}: imports {name}: a plugin has nothing of the service's"


def long_functions(files: list[Path]) -> Iterator[str]:
    """Functions of at most MAX_FUNCTION lines, without their docstring, in what is shipped."""
    for file in _python(files):
        if "src" not in _name(file).parts[:3]:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
                if lines > MAX_FUNCTION:
                    yield f"{_name(file)}: {node.name}: {lines} lines, {MAX_FUNCTION} allowed"


def _at_import(tree: ast.Module) -> Iterator[int]:
    for node in _executed(tree.body):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if any(name.split(".")[0] == "multisite" for name in names):
            yield node.lineno


def _executed(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when a module is imported: of functions none, of ``if TYPE_CHECKING`` none."""
    for node in body:
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from _executed(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for field in ("body", "orelse", "finalbody"):
                yield from _executed(getattr(node, field, []))


def _python(files: list[Path]) -> list[Path]:
    return [file for file in files if file.suffix == ".py"]


def _shipped(files: list[Path]) -> list[Path]:
    """Without migrations: those say how things were spelled."""
    return [
        f for f in files if _name(f).parts[0] in ("src", "client", "docs") and "migrations" not in f.parts
    ]


def _name(file: Path) -> Path:
    return file.relative_to(ROOT)


RULES = (
    without_readme,
    too_long,
    forbidden,
    prefixes,
    spelling,
    client_imports,
    import_circles,
    through_services,
    for_whom,
    long_functions,
)


def main() -> int:
    files = tracked()
    found = [line for rule in RULES for line in rule(files)]
    for line in found:
        print(line)
    print(f"house: {len(found)} breaches")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
