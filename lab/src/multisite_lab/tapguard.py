"""Sets any tap that is down up again, for as long as the site runs.

The user-space switch and libvirt race on a new tap: the switch writes back flags it read before libvirt
raised the interface, and a guest is left without network behind a port that says ACTIVE.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

_UP = 0x1


def down_taps(devices: Path = Path("/sys/class/net")) -> list[str]:
    """Names of taps that are administratively down."""
    found = []
    for flags in devices.glob("tap*/flags"):
        try:
            if not int(flags.read_text(), 16) & _UP:
                found.append(flags.parent.name)
        except OSError:
            continue
    return found


def main() -> None:
    """Watch until killed."""
    while True:
        for tap in down_taps():
            subprocess.run(["ip", "link", "set", tap, "up"], capture_output=True)
            print(f"{time.strftime('%T')} {tap} was down, set up", flush=True)
        time.sleep(0.5)


if __name__ == "__main__":
    main()
