"""Structured log: one JSON object per line, secrets masked, and whose work a line belongs to.

Two formats: ours (``json``), and oslo.log's (``oslo``) for those whose collectors know that one already.  Both are
given the same records by ``WorkContextFilter``.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from oslo_utils import strutils

from multisite.domain import work

# Everything a LogRecord has by itself: what is not in here was given by ``extra``.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_QUIET = {
    "keystonemiddleware": logging.ERROR,
    "keystoneauth": logging.WARNING,
    "urllib3": logging.WARNING,
    "stevedore": logging.WARNING,
    "openstack": logging.WARNING,
    "alembic": logging.WARNING,
    "sqlalchemy": logging.WARNING,
    "oslo_policy": logging.WARNING,
}


class WorkContextFilter(logging.Filter):
    """Adds job, step and request id of what the thread is doing (``domain.work``), and masks secrets."""

    def filter(self, record: logging.LogRecord) -> bool:
        doing = work.current()
        for name, value in (("job", doing.job_id), ("step", doing.step), ("request_id", doing.request_id)):
            if value is not None and getattr(record, name, None) is None:
                setattr(record, name, value)
        record.msg, record.args = strutils.mask_password(record.getMessage()), ()
        for name, value in vars(record).items():
            if name not in _STANDARD and isinstance(value, dict):
                setattr(record, name, strutils.mask_dict_password(value))
            elif name not in _STANDARD and isinstance(value, str):
                setattr(record, name, strutils.mask_password(value))
        return True


class JsonLines(logging.Formatter):
    """Time, level, logger, message, and whatever the caller added."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": strutils.mask_password(record.getMessage()),
        }
        line |= {k: v for k, v in vars(record).items() if k not in _STANDARD and v is not None}
        if record.exc_info:
            line["traceback"] = strutils.mask_password(self.formatException(record.exc_info))
        return json.dumps(line, default=str)


def oslo_lines() -> logging.Formatter:
    """oslo.log's JSONFormatter, with what the caller added under ``extra`` and secrets masked in tracebacks too."""
    from oslo_log.formatters import JSONFormatter  # here, because few ask for it

    class OsloLines(JSONFormatter):
        def format(self, record: logging.LogRecord) -> str:
            added = vars(record).keys() - _STANDARD
            record.extra_keys = [name for name in added if getattr(record, name) is not None]
            line = json.loads(super().format(record))
            for name in ("traceback", "error_summary"):
                line[name] = line[name] and strutils.mask_password(line[name])
            return json.dumps(line)

    return OsloLines()


def set_up(level: str, file: str | None, form: str = "json") -> None:
    """Send everything to ``file`` (appending) or standard error; replaces what was set up before.

    ``form``: "json" or "oslo", see above.
    """
    handler = logging.FileHandler(file) if file else logging.StreamHandler(sys.stderr)
    handler.addFilter(WorkContextFilter())
    handler.setFormatter(oslo_lines() if form == "oslo" else JsonLines())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    if level != "DEBUG":
        for name, quiet in _QUIET.items():
            logging.getLogger(name).setLevel(quiet)
    logging.captureWarnings(capture=True)
