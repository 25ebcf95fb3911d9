"""``python -m tests.matrix.faults``: every call fails in every way, and nothing may come of it.

Two simulated sites in each process; with ``--lab`` a sample on the real ones, through the fault proxies.
"""

from __future__ import annotations

import argparse
import atexit
import json
import logging
import multiprocessing
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path

from tests.matrix.faults.cases import Case, Heard, cases_of, chosen
from tests.matrix.faults.phases import PHASES
from tests.matrix.faults.run import Result, run
from tests.matrix.faults.setup import SimSetup
from tests.matrix.faults.table import as_json, failures, last_line, legend, table

LAB_SAMPLE = 20  # of fault_lab, which needs the lab
_SETUP: SimSetup | None = None
"""Of a process of the pool."""


def quiet() -> None:
    """Thousands of faults are on purpose: what the libraries say of each helps nobody."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)


def _prepare(servers: int, phases: tuple[str, ...]) -> None:
    global _SETUP
    quiet()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which collects the results
    around = ExitStack()
    atexit.register(around.close)
    folder = around.enter_context(tempfile.TemporaryDirectory(prefix="fault-matrix-"))
    try:
        _SETUP = around.enter_context(SimSetup(Path(folder), servers, phases))
    except Exception:
        traceback.print_exc()  # the pool only logs it, and logging is off
        raise


def _heard() -> list[Heard]:
    assert _SETUP is not None
    return _SETUP.heard


def _run(case: Case) -> Result:
    assert _SETUP is not None
    return run(_SETUP, case)


def _phases(only: Sequence[str]) -> tuple[str, ...]:
    """Those that patterns of cases are about: all, unless each names one."""
    heads = {pattern.split(":")[0] for pattern in only}
    return (
        tuple(name for name in PHASES if name in heads) if heads and heads <= set(PHASES) else tuple(PHASES)
    )


def simulated(told: argparse.Namespace) -> list[Result]:
    """The matrix, or the part of it that was asked for, in ``--jobs`` processes."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(told.jobs, context, _prepare, (told.servers, _phases(told.only))) as pool:
        heard = pool.submit(_heard).result()
        cases = chosen(cases_of(heard), told.only, told.sample, told.seed)
        calls = len({case.call for case in cases})
        print(f"{len(heard)} requests without faults; {len(cases)} cases of {calls} calls", flush=True)
        done = as_completed([pool.submit(_run, case) for case in cases])
        results = collected(progress((one.result() for one in done), len(cases)))
        pool.shutdown(cancel_futures=True)
    found = {result.case: result for result in results}
    return [found[case] for case in cases if case in found]


def collected(results: Iterable[Result]) -> list[Result]:
    """All of them, or those until somebody pressed Ctrl-C: hours of work are not thrown away."""
    found: list[Result] = []
    try:
        found.extend(result for result in results)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # what comes now is the report
        print("\ninterrupted: what follows is only what was tried until then", flush=True)
    return found


def progress(results: Iterable[Result], total: int) -> Iterator[Result]:
    """For a person: a line that stays on a terminal, one now and then elsewhere; failures at once."""
    begun, failed, terminal = time.monotonic(), 0, sys.stdout.isatty()
    for number, result in enumerate(results, start=1):
        failed += result.letter == "F"
        passed = time.monotonic() - begun
        left = passed / number * (total - number)
        line = f"{number}/{total}  failed {failed}  {passed:.0f} s, about {left:.0f} s more"
        if result.letter == "F":
            print(
                f"{chr(13) if terminal else ''}FAILED {result.case.name}: {'; '.join(result.failed)}"[:1000]
            )
        if terminal:
            print(f"\r{line}  {result.case.name}"[:118].ljust(118), end="", flush=True)
        elif number % 50 == 0 or number == total:
            print(line, flush=True)
        yield result
    if terminal:
        print()


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fault-matrix", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="CASE",
                        help="this case, * for any part of its name; may be repeated")  # fmt: skip
    parser.add_argument("--sample", type=int, metavar="N", help="N cases, the same ones for the same seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    parser.add_argument("--servers", type=int, default=2, help="of the application (default 2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="everything, for programs")
    parser.add_argument("--lab", action="store_true", help=f"on the real sites, at least {LAB_SAMPLE} cases")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    told = arguments(words)
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell made its background jobs ignore them
        signal.signal(number, signal.default_int_handler)
    if told.lab:
        from tests.matrix.faults.lab import on_lab  # needs the lab's own settings, so only when it is wanted

        results = on_lab(told, progress, collected)
    else:
        results = simulated(told)
    for line in (*table(results), *legend(results), *failures(results, lab=told.lab), "", last_line(results)):
        print(line)
    if told.json is not None:
        told.json.write_text(json.dumps(as_json(results), indent=1))
    return 1 if any(result.letter == "F" for result in results) else 0
