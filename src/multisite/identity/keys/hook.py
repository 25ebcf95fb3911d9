"""Programs of the operator's: they get JSON on standard input, never a key, and have a time limit."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

SECONDS = 60


def run_program(argv: Sequence[str], text: str = "") -> str:
    """Run it; "" when it ended well, else why not in words (what it wrote is left to it)."""
    try:
        done = subprocess.run(argv, input=text.encode(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=SECONDS, check=False)  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"{argv[0]}: not done within {SECONDS} s"
    except OSError as error:
        return f"{argv[0]}: {error.strerror}"
    return f"{argv[0]}: status {done.returncode}" if done.returncode else ""
