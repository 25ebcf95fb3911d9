"""Asking several sites the same question at the same time: a site that does not answer is unknown, and says why."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from multisite.clouds.errors import SiteError, TimedOut
from multisite.domain.errors import MultisiteError
from multisite.domain.fence import FencedThreads

T = TypeVar("T")

AT_ONCE = 16
"""Sites asked at the same time; the others wait for one of these."""
SECONDS = 300.0
"""For an answer, whatever the question's own calls allow themselves (``clouds.call``)."""


@dataclass(frozen=True)
class Answers(Generic[T]):
    """In the order the sites were named: ``known`` what those say that answered, ``unknown`` why the others did not."""

    known: dict[str, T]
    unknown: dict[str, MultisiteError]

    @property
    def reasons(self) -> dict[str, str]:
        return {site: str(error) for site, error in self.unknown.items()}


def ask_all(
    sites: Iterable[str],
    question: Callable[[str], T],
    *,
    seconds: float | Mapping[str, float] = SECONDS,
    errors: tuple[type[MultisiteError], ...] = (SiteError,),
) -> Answers[T]:
    """``question`` is asked with each site's name, in a thread that keeps the fence and the work of the caller.

    ``seconds``: for an answer; a mapping for those sites that get another time than ``SECONDS``.  ``errors``: what
    makes a site unknown; anything else it raises is raised here.  A late site is TimedOut: its question goes on and
    its answer is not used, so ask nothing that changes anything.
    """
    named = list(dict.fromkeys(sites))
    answers: Answers[T] = Answers({}, {})
    if not named:
        return answers
    threads = FencedThreads(min(AT_ONCE, len(named)), "ask-sites")
    caught: tuple[type[MultisiteError], ...] = (TimedOut, *errors)
    begun = time.monotonic()
    limits = seconds if isinstance(seconds, Mapping) else dict.fromkeys(named, seconds)
    try:
        asked = {site: threads.submit(question, site) for site in named}
        for site, future in asked.items():
            try:
                answers.known[site] = _within(future, site, begun, limits.get(site, SECONDS))
            except caught as error:
                answers.unknown[site] = error
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
    return answers


def do_all(
    sites: Iterable[str],
    act: Callable[[str], object],
    *,
    errors: tuple[type[MultisiteError], ...] = (SiteError,),
) -> dict[str, MultisiteError]:
    """Change something at several sites at the same time; which failed, and how.

    Threads as for ``ask_all``.  It returns, and raises what is none of ``errors``, only when nobody is at work any
    more: whoever gives a lease back after it leaves no request behind.
    """
    named = list(dict.fromkeys(sites))
    with FencedThreads(max(1, min(AT_ONCE, len(named))), "change-sites") as threads:
        asked = {site: threads.submit(act, site) for site in named}
    failed: dict[str, MultisiteError] = {}
    for site, future in asked.items():
        error = future.exception()
        if isinstance(error, errors):
            failed[site] = error
        elif error is not None:
            raise error
    return failed


def _within(asked: Future[T], site: str, begun: float, seconds: float) -> T:
    try:
        return asked.result(max(0.0, begun + seconds - time.monotonic()))
    except TimeoutError as error:
        if asked.done():
            raise  # of the question itself
        why = f"no answer within {seconds:.0f} s"
        raise TimedOut(site, "ask", why, state=None, seconds=seconds) from error
