"""Asking a URL for a hook: no redirect, no proxy, TLS verified, an answer of bounded length within a limit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from multisite.jobs.model import StepFailed

LONGEST_SHOWN = 500
_CHUNK = 4096
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same may be asked again."""


@dataclass(frozen=True)
class Asked:
    """``expect``: the statuses that are wanted; none: 200 to 299.  ``ca_file``: who may sign, None: the usual."""

    method: str
    url: str
    body: Any
    key: str
    timeout: float
    expect: tuple[int, ...] = ()
    retries: int = 0
    ca_file: str | None = None

    def wants(self, status: int) -> bool:
        return status in self.expect if self.expect else 200 <= status < 300


def ask(
    asked: Asked,
    go_on: Callable[[], None] = lambda: None,
    pause: Callable[[float], None] = time.sleep,
) -> str:
    """What came of it, for the journal.  ``go_on`` is called before each try and may raise.

    Raises StepFailed: another status than is wanted, no answer in time, a certificate that is not trusted.
    """
    for number in range(asked.retries + 1):
        go_on()
        try:
            status, text = _once(asked)
        except requests.exceptions.SSLError as error:
            raise StepFailed(f"{asked.url}: its certificate is not trusted: {error}") from error
        except (requests.RequestException, OSError) as error:
            said, again = f"no answer: {error}", True
        else:
            said, again = f"HTTP {status}" + (f": {text}" if text else ""), status in PASSING
            if asked.wants(status):
                return said
        if not again or number == asked.retries:
            break
        pause(min(2.0**number, 30.0))
    raise StepFailed(f"{asked.method} {asked.url}: {said} (tried {number + 1} times): mend it, then resume")


def _once(asked: Asked) -> tuple[int, str]:
    end = time.monotonic() + asked.timeout
    with requests.Session() as session:
        session.trust_env = False  # no proxy and no .netrc of whoever runs the service
        answer = session.request(
            asked.method,
            asked.url,
            json=asked.body,
            headers={"Idempotency-Key": asked.key, "User-Agent": "multisite"},
            timeout=asked.timeout,
            allow_redirects=False,
            stream=True,
            verify=asked.ca_file or True,
        )
        with answer:
            read = b""
            for chunk in answer.iter_content(_CHUNK):
                read += chunk
                if len(read) >= _CHUNK or time.monotonic() >= end:
                    break
    text = "".join(c if c.isprintable() else " " for c in read.decode(errors="replace"))
    return answer.status_code, text[:LONGEST_SHOWN].strip()
