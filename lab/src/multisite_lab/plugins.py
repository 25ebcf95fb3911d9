"""The project's own OpenStack plugins, installed beside the services that load them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from multisite_lab import form, paths
from multisite_lab.passwords import write_private

WITHOUT = {
    "nova": "nova-api runs WITHOUT the quiesce filter",
    "neutron": "Neutron runs WITHOUT the remote_port drivers: nothing can be stretched",
}
"""What a lab lacks when a plugin is missing."""

SERVICES = {
    "nova": ("nova-api",),
    "neutron": ("neutron-api", "neutron-rpc-server", "neutron-periodic-workers"),
}
"""Who loads a plugin, and must be started again when it changes."""


def wanted() -> list[str]:
    """The plugins of this form: the one of Neutron only where networks are stretched."""
    return ["nova", *(["neutron"] if form.current().networks else [])]


def ensure() -> tuple[list[str], str]:
    """Install what changed; return those plugins, and a warning when one is missing."""
    there = [name for name in wanted() if (_sources() / name / "pyproject.toml").is_file()]
    missing = [name for name in wanted() if name not in there]
    warnings = [f"no plugin sources in {_sources() / name}: {WITHOUT[name]}" for name in missing]
    digests = {name: _digest(_sources() / name) for name in there}
    changed = [name for name in there if _stamped(name) != digests[name]]
    if changed or _leftover(there):
        # Anew as a whole: the folder is replaced at once, and what is not wanted any more is gone.
        if problem := _install([_sources() / name for name in there]):
            lacking = "; ".join(WITHOUT[name] for name in changed)
            return [], "; ".join(
                [*warnings, f"{', '.join(changed)} cannot be installed: {lacking}: {problem}"]
            )
        for name in there:
            write_private(_stamp(name), digests[name])
    if "nova" in there and not filter_available():
        warnings.append(f"the nova plugin has no `quiesce` filter yet: {WITHOUT['nova']}")
    if "neutron" in there and not driver_available():
        warnings.append(f"the neutron plugin has no `remote_port` drivers yet: {WITHOUT['neutron']}")
    return changed, "; ".join(warnings)


def filter_available() -> bool:
    """Whether the installed nova plugin really offers the paste filter."""
    return (
        "paste.filter_factory" in _entry_points("nova") and (_folder() / "multisite_nova/filter.py").is_file()
    )


def driver_available() -> bool:
    """Whether the installed neutron plugin really offers both drivers."""
    text = _entry_points("neutron")
    return all(f"neutron.ml2.{kind}_drivers" in text for kind in ("mechanism", "extension"))


def _entry_points(name: str) -> str:
    found = list(_folder().glob(f"multisite_{name}-*.dist-info/entry_points.txt"))
    return found[0].read_text() if found else ""


def _install(sources: list[Path]) -> str:
    fresh = paths.state() / "plugins.new"
    shutil.rmtree(fresh, ignore_errors=True)
    command = [str(_uv()), "pip", "install", "--quiet", "--no-deps", "--target", str(fresh)]
    command += ["--python", str(paths.openstack_venv() / "bin/python"), *map(str, sources)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    if done.returncode:
        return done.stderr.strip()[-500:]
    shutil.rmtree(_folder(), ignore_errors=True)
    fresh.rename(_folder())
    return ""


def _folder() -> Path:
    return paths.state() / "plugins"


def _stamp(name: str) -> Path:
    return _folder() / f".{name}.digest"


def _stamped(name: str) -> str:
    return _stamp(name).read_text() if _stamp(name).is_file() else ""


def _leftover(there: list[str]) -> bool:
    return any(_stamp(name).is_file() for name in WITHOUT if name not in there)


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
