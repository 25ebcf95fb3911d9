"""When a periodic task is due.  Pure: moments are aware datetimes, the caller has the clock."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from croniter import CroniterError, croniter

from multisite.domain.errors import Invalid

FIELDS = 5


class Schedule(Protocol):
    """Runs that were missed are one run: the next one is reckoned from the last start or end, never from each tick."""

    def first(self, now: datetime) -> datetime:
        """The first tick of a task that was never run."""

    def after(self, started: datetime, finished: datetime) -> datetime:
        """The tick after a run; in the past when one went by meanwhile, which is then due at once."""

    def is_due(self, tick: datetime, now: datetime) -> bool: ...


@dataclass(frozen=True)
class Interval:
    """``seconds`` from the end of a run to the next one, or with ``from_start`` from its start; ``jitter``: up to so
    many more seconds, so that many processes do not ask at the same moment."""

    seconds: float
    jitter: float = 0.0
    from_start: bool = False
    random: Callable[[], float] = random.random

    def __str__(self) -> str:
        return f"every {self.seconds:g} s" + (f" (up to {self.jitter:g} s more)" if self.jitter else "")

    def first(self, now: datetime) -> datetime:
        return now

    def after(self, started: datetime, finished: datetime) -> datetime:
        begin = started if self.from_start else finished
        return begin + timedelta(seconds=self.seconds + self.jitter * self.random())

    def is_due(self, tick: datetime, now: datetime) -> bool:
        """A tick farther away than the interval was reckoned before the clock was set back: it is due too."""
        return tick <= now or tick > now + timedelta(seconds=self.seconds + self.jitter)


@dataclass(frozen=True)
class Cron:
    """``expression``: minute, hour, day of month, month, day of week (crontab(5)); ``zone``: a name of the tz database.

    Raises Invalid.  When the clocks are set forward, a tick in the hour that is left out comes right after it; when
    they are set back, a tick comes once, unless its hour begins with ``*``: then it follows the time that passes.
    """

    expression: str
    zone: str = "UTC"

    def __post_init__(self) -> None:
        fields = self.expression.split()
        # croniter also knows R (random) and H (hashed) fields: two processes would find two moments.
        unusual = re.search(r"(?<![A-Za-z])[RHrh](?![A-Za-z])", self.expression)
        if len(fields) != FIELDS or unusual or not croniter.is_valid(self.expression):
            raise Invalid(
                f"schedule: {self.expression!r} is no cron expression: give minute, hour, day of month, month and"
                " day of week, as in '30 2 * * *'"
            )
        try:
            ZoneInfo(self.zone)
            self.first(datetime.now(UTC))
        except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError, a folder's name an OSError
            raise Invalid(f"schedule: {self.expression!r} in {self.zone!r} has no next run") from None
        except KeyError:
            raise Invalid(
                f"schedule: there is no time zone {self.zone!r}: use a name like Europe/Berlin"
            ) from None

    def __str__(self) -> str:
        return f"cron {self.expression} {self.zone}"

    def first(self, now: datetime) -> datetime:
        every_hour = self.expression.split()[1].startswith("*")
        try:
            ticks = croniter(self.expression, now.astimezone(ZoneInfo(self.zone)))
            while True:
                found: datetime = ticks.get_next(datetime)
                if every_hour or not found.fold:
                    return found.astimezone(UTC)
        except CroniterError as error:
            raise ValueError(str(error)) from error

    def after(self, started: datetime, finished: datetime) -> datetime:  # noqa: ARG002
        return self.first(started)

    def is_due(self, tick: datetime, now: datetime) -> bool:
        return tick <= now
