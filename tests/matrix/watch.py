"""Inside the process that is to die: every boundary it passes is counted, noted, or the last one.

Boundaries are the commits of the job records, the requests that change a site (right before they are sent, and
when their answer has come), and the changes of files of the backup store.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from multisite.clouds.audited import template
from multisite.clouds.session import FencedAdapter
from multisite.domain import work
from multisite.jobs.records import Records
from tests.matrix.points import JOB

READS = frozenset({"GET", "HEAD", "OPTIONS"})
READING_ACTIONS = frozenset({"os-getConsoleOutput"})
FILE_EVENTS = frozenset({"os.rename", "os.remove", "os.mkdir", "os.rmdir"})
Key = tuple[str, str, int]
_OWN_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=\.)[0-9]+(?=\.tmp$)")


@dataclass
class Watch:
    """``death``: the boundary at which the process kills itself; ``notes``: where to write all it passes.

    ``commits``: from when it is set, those of the main thread are boundaries, too: of a verb that is no job.
    """

    notes: Path | None = None
    death: Key | None = None
    store: str = ""
    commits: bool = False
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def passed(self, step: str, at: str, what: str = "") -> None:
        with self._lock:
            self._counts[step, at] += 1
            key = (step, at, self._counts[step, at])
            if key == self.death:
                os.kill(os.getpid(), signal.SIGKILL)
            if self.notes is not None:
                with self.notes.open("a") as file:
                    file.write(json.dumps([*key, what]) + "\n")

    def install(self) -> None:
        """From now on; it cannot be taken back, so in a process of its own."""
        self._watch_records()
        self._watch_requests()
        self._wrap(
            Session,
            "commit",
            before=lambda _: self._commit("commit"),
            after=lambda *_: self._commit("committed"),
        )
        sys.addaudithook(self._file)

    def watch_calls(self, owner: type, names: Iterable[str]) -> None:
        """Let these methods, which change what is outside, be boundaries as requests are."""
        for name in names:
            self._wrap(
                owner,
                name,
                before=partial(self._called, "before", name),
                after=partial(self._called, "after", name),
            )

    def _called(self, at: str, name: str, *_args: Any) -> None:
        if (step := work.current().step) is not None:
            self.passed(step, at, name)

    def _watch_records(self) -> None:
        for name in ("begin", "begin_undo"):
            self._wrap(Records, name, after=self._begun)
        self._wrap(
            Records,
            "end",
            before=lambda args: self.passed(args[2], "effect"),
            after=lambda args, _: self.passed(args[2], "done"),
        )
        self._wrap(Records, "claim", after=self._claimed)
        self._wrap(Records, "grow", after=lambda *_: self.passed(JOB, "grown"))
        for name in ("conclude", "conclude_undo", "begin_retreat", "end_retreat"):
            self._wrap(Records, name, after=lambda *_: self.passed(JOB, "concluded"))
        self._wrap(
            Records,
            "settle",
            before=lambda _: self.passed(JOB, "told"),
            after=lambda *_: self.passed(JOB, "settled"),
        )

    def _commit(self, at: str) -> None:
        if self.commits and threading.current_thread() is threading.main_thread():
            self.passed(JOB, at)

    def _claimed(self, _args: tuple[Any, ...], claim: Any) -> None:
        if claim is not None:
            self.passed(JOB, "claimed")

    def _begun(self, args: tuple[Any, ...], begun: Any) -> None:
        """Begun, or, for a step that has nothing to undo, undone with that."""
        if begun.go or begun.ok:
            self.passed(args[2], "begun" if begun.go else "done")

    def _watch_requests(self) -> None:
        def before(args: tuple[Any, ...]) -> None:
            self._request("before", args[1])

        def after(args: tuple[Any, ...], _answer: Any) -> None:
            self._request("after", args[1])

        self._wrap(FencedAdapter, "send", before=before, after=after)

    def _request(self, at: str, request: Any) -> None:
        step, what = work.current().step, _change(request)
        if step is not None and what is not None:
            self.passed(step, at, what)

    def _file(self, event: str, args: tuple[Any, ...]) -> None:
        """Told by the interpreter before it happens.  What has a directory's descriptor is of a removed tree."""
        if event not in FILE_EVENTS:
            return
        step, path = work.current().step, os.fsdecode(args[0])
        within = path.startswith(self.store) or (event != "os.mkdir" and args[-1] not in (-1, None))
        if step is not None and within:
            named = _OWN_NAME.sub("*", Path(path).name)
            self.passed(step, "store", f"{event.removeprefix('os.')} {named}")

    @staticmethod
    def _wrap(
        owner: type,
        name: str,
        before: Callable[[tuple[Any, ...]], object] | None = None,
        after: Callable[[tuple[Any, ...], Any], object] | None = None,
    ) -> None:
        original = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if before is not None:
                before(args)
            answer = original(*args, **kwargs)
            if after is not None:
                after(args, answer)
            return answer

        setattr(owner, name, call)


def _change(request: Any) -> str | None:
    """The call in words when it changes something, None for reads and logging in."""
    if request.method in READS or request.path_url.endswith("/auth/tokens"):
        return None
    path = template(request.path_url.split("?")[0])[0]
    action = ""
    if path.endswith("/action"):
        action = next(iter(json.loads(request.body)))
        if action in READING_ACTIONS:
            return None
    return f"{request.method} {path}{'#' if action else ''}{action}"
