"""``python -m tests.matrix.faults``: a module of its own, for spawned workers import none called ``__main__``."""

from __future__ import annotations

import sys

from tests.matrix.faults.program import main

if __name__ == "__main__":
    sys.exit(main())
