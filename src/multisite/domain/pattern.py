"""Regular expressions that operators write, matched against what guests print.

Matched in time linear in the text (RE2), so that no expression and no text a guest prints stops the service:
Python's ``re`` needs 2^n steps for ``^(a+)+$``.  What RE2 lacks (back references, look-around) is refused.
Source: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import re2

from multisite.domain.errors import Invalid

LONGEST_PATTERN = 256
LONGEST_LINE = 1000
"""Characters of a line that are looked at."""
_MEMORY = 1 << 20  # bytes one expression may take: nested repetitions are small as text


def compiled(pattern: str) -> Any:
    """A pattern object with ``search``, as Python's.  Invalid says what RE2 does not take."""
    options = re2.Options()
    options.log_errors, options.max_mem = False, _MEMORY
    why = f"longer than {LONGEST_PATTERN} characters"
    if len(pattern) <= LONGEST_PATTERN:
        try:
            return re2.compile(pattern, options)
        except re2.error as error:
            why = error.args[0].decode(errors="replace")
    raise Invalid(f"{pattern!r} is not a regular expression of RE2: {why}")


def newest_match(pattern: str, lines: Sequence[str]) -> str | None:
    """The last of the lines that matches anywhere, stripped and cut to ``LONGEST_LINE``; Invalid."""
    wanted = compiled(pattern)
    newest_first = (line.strip()[:LONGEST_LINE] for line in reversed(lines))
    return next((line for line in newest_first if line and wanted.search(line)), None)
