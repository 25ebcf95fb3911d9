"""Every start of ``openstack`` imports the modules of all commands: none of them may bring anything heavy along."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("keystonemiddleware", "pydantic", "sqlalchemy", "flask", "openstack.connection", "jinja2")
_LOAD = f"""
import sys
from importlib.metadata import entry_points
found = [command.load() for command in entry_points(group="openstack.multisite.v1")]
print(len(found), *(name for name in {HEAVY} if name in sys.modules))
"""


def test_commands_are_light_until_they_are_run() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _LOAD], capture_output=True, text=True, check=True
    )
    count, *heavy = done.stdout.split()
    assert int(count) > 50
    assert heavy == []
