"""The last line of every benchmark."""

from __future__ import annotations

import operator
import sys

_GOALS = {"<=": operator.le, ">=": operator.ge}


def ratio(name: str, value: float, op: str, goal: float) -> int:
    """Print the ratio against its goal; returns the exit status (1 when the goal is missed)."""
    print(f"RATIO {name} {value:.2f} goal {op} {goal}")
    sys.stdout.flush()
    return 0 if _GOALS[op](value, goal) else 1
