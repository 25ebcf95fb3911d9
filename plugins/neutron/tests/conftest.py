# SPDX-License-Identifier: Apache-2.0
"""Makes the plugin known to Neutron as an installed package: by the entry points of its pyproject.toml."""

import atexit
import os
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
_folder = Path(tempfile.mkdtemp(prefix="multisite-neutron-"))
atexit.register(shutil.rmtree, _folder, ignore_errors=True)


def _install() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    info = _folder / f"multisite_neutron-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    groups = project["entry-points"] | {"console_scripts": project["scripts"]}
    (info / "entry_points.txt").write_text(
        "".join(f"[{g}]\n" + "".join(f"{k} = {v}\n" for k, v in e.items()) for g, e in groups.items())
    )
    sys.path.append(str(_folder))
    os.environ["XDG_CACHE_HOME"] = str(_folder)  # stevedore remembers entry points there


_install()
