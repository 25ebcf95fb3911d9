"""One JSON object per line, without secrets."""

from __future__ import annotations

import json
import logging
import sys

from multisite.command.log import JsonLines


def line(message: str, *args: object, **extra: object) -> dict[str, object]:
    record = logging.makeLogRecord({"name": "x", "levelname": "INFO", "msg": message, "args": args} | extra)
    found: dict[str, object] = json.loads(JsonLines().format(record))
    return found


def test_what_a_line_holds() -> None:
    shown = line("GET %s", "/v1/sites", request_id="req-1", user_id=None)
    assert shown["message"] == "GET /v1/sites"
    assert shown["request_id"] == "req-1"
    assert "user_id" not in shown
    assert {"time", "level", "logger"} <= set(shown)


def test_secrets_are_masked() -> None:
    assert "swordfish" not in str(line("connect with password='swordfish' failed"))
    assert "swordfish" not in str(line("{'auth': {'password': 'swordfish'}}"))


def test_tracebacks_stay_in_the_line() -> None:
    try:
        int("no")
    except ValueError:
        shown = line("failed", exc_info=sys.exc_info())
    assert "ValueError: invalid literal" in str(shown["traceback"])
