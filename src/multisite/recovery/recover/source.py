"""Whether a restore point's servers still run at their own site: asked in the background, never waited for twice.

A site that does not answer costs ``ANSWER_SECONDS``.  A recovery that is started by what a preview has just shown
does not pay them again: the source is asked once more, and an answer that comes while the target is read counts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

from multisite.clouds import build
from multisite.clouds.connect import CloudSite, Sites
from multisite.clouds.errors import NotFoundInSite, SiteError, Unreachable
from multisite.domain.errors import MultisiteError
from multisite.domain.findings import Finding, Severity, unknown
from multisite.domain.manifest import Manifest
from multisite.recovery.methods.base import StoreAnswer
from multisite.recovery.recover.checks import SourceAnswer, SourceState

Check = Callable[[CloudSite, Manifest], tuple[Finding, ...]]

ANSWER_SECONDS = 8.0
"""So long the source may take to tell whether it is alive."""
SILENCE_SECONDS = 60.0
"""So long a preview that got no answer from the source stands in for another wait."""
_STOPPED = frozenset({"SHUTOFF", "SHELVED", "SHELVED_OFFLOADED", "SUSPENDED", "DELETED", "SOFT_DELETED"})


class PendingAnswer:
    """A question asked in the background, the last answer counts; who does not answer in time is unreachable."""

    def __init__(self, answers: Iterator[SourceAnswer]) -> None:
        self._answer = SourceAnswer(SourceState.UNREACHABLE)
        self._thread = threading.Thread(target=self._ask, args=(answers,), name="source-state", daemon=True)
        self._thread.start()

    def _ask(self, answers: Iterator[SourceAnswer]) -> None:
        for answer in answers:
            self._answer = answer

    def within(self, seconds: float) -> SourceAnswer:
        self._thread.join(seconds)
        return self._answer


class SilentPreviews:
    """Digests of the previews whose source did not answer, in this process, for ``SILENCE_SECONDS``."""

    def __init__(self) -> None:
        self._noted: dict[str, float] = {}
        self._lock = threading.Lock()

    def note(self, digest: str) -> None:
        now = time.monotonic()
        with self._lock:
            self._noted = {d: at for d, at in self._noted.items() if now - at < SILENCE_SECONDS} | {
                digest: now
            }

    def __contains__(self, digest: str | None) -> bool:
        return (
            digest is not None
            and time.monotonic() - self._noted.get(digest, -SILENCE_SECONDS) < SILENCE_SECONDS
        )


def ask_source(clouds: Sites, manifest: Manifest, checks: Sequence[Check]) -> PendingAnswer:
    """Ask a restore point's site for the state of its servers, and for the data made there (``checks``)."""
    return PendingAnswer(_answers(clouds, manifest, checks))


def told(answer: SourceAnswer) -> bool:
    """Whether the source said what it has of the data."""
    silent = answer.state in (SourceState.UNREACHABLE, SourceState.UNKNOWN)
    return not silent and not any(found.severity is Severity.UNKNOWN for found in answer.findings)


def of_the_store(stored: StoreAnswer, answer: SourceAnswer) -> tuple[Finding, ...]:
    """What the backup store says of the data; that it says nothing matters where the source says nothing either."""
    unknown = stored.unknown if not told(answer) else None
    return (*stored.gone, unknown) if unknown else stored.gone


def _answers(clouds: Sites, manifest: Manifest, checks: Sequence[Check]) -> Iterator[SourceAnswer]:
    """Never raises MultisiteError."""
    name = manifest.source.name
    try:
        site = clouds.open(name, for_project=manifest.project_id)
        state = _state_of_servers(site, manifest)
        why = f"no answer within {ANSWER_SECONDS:.0f} s"
        yield SourceAnswer(state, (_unknown(name, why),))
        try:
            yield SourceAnswer(state, tuple(found for check in checks for found in check(site, manifest)))
        except MultisiteError as error:
            yield SourceAnswer(state, (_unknown(name, str(error)),))
    except Unreachable:
        yield SourceAnswer(SourceState.UNREACHABLE)
    except MultisiteError:
        yield SourceAnswer(SourceState.UNKNOWN)


def _unknown(site: str, why: str) -> Finding:
    return unknown(
        site, why, "whether the backups are the application's is not known, but by the manifest's signature"
    )


def _state_of_servers(site: CloudSite, manifest: Manifest) -> SourceState:
    unsure: SiteError | None = None
    for server in manifest.servers:
        try:
            status = build.read_server(site, server.id)["status"]
        except NotFoundInSite:
            continue
        except Unreachable:
            raise
        except SiteError as error:
            unsure = error
            continue
        if status not in _STOPPED:
            return SourceState.ALIVE
    return SourceState.STOPPED if unsure is None else SourceState.UNKNOWN
