"""Structured log: one JSON object per line, secrets masked."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from oslo_utils import strutils

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


def set_up(level: str, file: str | None) -> None:
    """Send everything to ``file`` (appending) or standard error; replaces what was set up before."""
    handler = logging.FileHandler(file) if file else logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    if level != "DEBUG":
        for name, quiet in _QUIET.items():
            logging.getLogger(name).setLevel(quiet)
    logging.captureWarnings(capture=True)
