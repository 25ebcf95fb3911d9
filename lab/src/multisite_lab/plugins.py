"""The project's own OpenStack plugins, installed beside the services that load them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from multisite_lab import paths
from multisite_lab.passwords import write_private

_PLUGINS = ("nova",)


def ensure() -> tuple[bool, str]:
    """Install what changed; return whether anything did, and a warning when a plugin is missing."""
    changed = False
    for name in _PLUGINS:
        source = _sources() / name
        if not (source / "pyproject.toml").is_file():
            return changed, f"no plugin sources in {source}: nova-api runs WITHOUT the quiesce filter"
        digest = _digest(source)
        stamp = paths.state() / "plugins" / f".{name}.digest"
        if stamp.is_file() and stamp.read_text() == digest:
            continue
        problem = _install(source)
        if problem:
            return (
                changed,
                f"{source} cannot be installed, nova-api runs WITHOUT the quiesce filter: {problem}",
            )
        write_private(stamp, digest)
        changed = True
    if not filter_available():
        return changed, "the nova plugin has no `quiesce` filter yet: nova-api runs WITHOUT it"
    return changed, ""


def filter_available() -> bool:
    """Whether the installed nova plugin really offers the paste filter."""
    folder = paths.state() / "plugins"
    entries = list(folder.glob("multisite_nova-*.dist-info/entry_points.txt"))
    if not entries or "paste.filter_factory" not in entries[0].read_text():
        return False
    return (folder / "multisite_nova" / "filter.py").is_file()


def _install(source: Path) -> str:
    target = paths.state() / "plugins"
    fresh = paths.state() / "plugins.new"
    shutil.rmtree(fresh, ignore_errors=True)
    command = [str(_uv()), "pip", "install", "--quiet", "--no-deps", "--target", str(fresh)]
    command += ["--python", str(paths.openstack_venv() / "bin/python"), str(source)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    if done.returncode:
        return done.stderr.strip()[-500:]
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    return ""


def _digest(source: Path) -> str:
    files = sorted(p for p in source.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    parts: list[Path | str] = []
    for file in files:
        if file.suffix in (".py", ".toml", ".md"):
            parts += [str(file.relative_to(source)), file]
    return paths.digest(*parts)


def _sources() -> Path:
    return Path(__file__).parents[3] / "plugins"


def _uv() -> Path:
    try:
        from multisite_lab import install
    except ImportError:
        return Path(shutil.which("uv") or "uv")
    return install.uv()
