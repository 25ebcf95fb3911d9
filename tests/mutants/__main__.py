"""Plant bugs and see which tests find them: python -m tests.mutants [--only NAME] [--jobs N] [--list]"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.planted import CAUGHT, Mutant, Verdict, attempt, copy_tree
from tests.mutants.table import MUTANTS


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="a name, or a pattern: 'thaw-*'")
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="bugs at a time, each in its own copy"
    )
    parser.add_argument("--list", action="store_true", help="only name them")
    return parser.parse_args()


def chosen(only: Sequence[str] | None) -> list[Mutant]:
    found = [m for m in MUTANTS if only is None or any(fnmatchcase(m.name, name) for name in only)]
    if not found:
        raise SystemExit(f"no bug is called {', '.join(only or ())}; --list names them")
    return found


def line(mutant: Mutant, *rest: str) -> str:
    return "  ".join([f"{mutant.name:<26}", f"{mutant.kind:<24}", *rest]).rstrip()


def try_all(mutants: Sequence[Mutant], jobs: int) -> list[Verdict]:
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees: SimpleQueue[Path] = SimpleQueue()
        sound: set[str] = set()
        lanes = [copy_tree(Path(folder) / str(number)) for number in range(jobs)]
        for tree in lanes:
            trees.put(tree)

        def one(mutant: Mutant) -> Verdict:
            tree = trees.get()
            try:
                verdict = attempt(tree, mutant, sound)
            finally:
                trees.put(tree)
            print(line(mutant, f"{verdict.outcome:<8}", f"{verdict.seconds:4.0f} s", verdict.by), flush=True)
            return verdict

        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(one, mutants))


def main() -> int:
    asked = options()
    mutants = chosen(asked.only)
    if asked.list:
        print("\n".join(line(m, m.suite) for m in mutants))
        return 0
    begun = time.monotonic()
    verdicts = try_all(mutants, max(1, asked.jobs))
    print()
    for v in verdicts:
        print(line(v.mutant, f"{v.outcome:<8}", v.by or v.mutant.suite))
    caught = sum(v.outcome == CAUGHT for v in verdicts)
    print(f"{time.monotonic() - begun:.0f} s in all")
    print(f"MUTANTS {len(verdicts)} caught {caught}")
    return 0 if caught == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
