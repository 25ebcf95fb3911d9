"""How an API is served."""

from __future__ import annotations

from pathlib import Path

from multisite_lab import paths

_FLAGS = (
    "--processes 1 --threads 6 --enable-threads --lazy-apps --need-app --die-on-term --buffer-size 65535 "
    "--http-chunked-input --http-raw-body --chunked-input-timeout 60 --chunked-input-limit 134217728 "
    "--socket-timeout 60 --so-keepalive --listen 100"
)
_LINE = (
    '{"at": %(time), "peer": "%(addr)", "for": "%(var.HTTP_X_FORWARDED_FOR)", "method": "%(method)", '
    '"path": "%(uri)", "status": %(status), "agent": "%(uagent)"}'
)


def command(
    name: str, module: str, address: str, arguments: str = "", access_log: Path | None = None
) -> tuple[str, ...]:
    """One process with six threads; plugins may keep threads of their own in it.

    It closes every connection after its answer and must say so: a client that keeps the connection would have
    its next request reset.  ``access_log``: a line of JSON for each request (star/access.py reads it).
    """
    fixed = (f"{paths.openstack_venv()}/bin/uwsgi", "--http-socket", address)
    application = ("--module", f"{module}:application", "--procname-prefix-spaced", name)
    last = ("--pyargv", arguments) if arguments else ()
    told: tuple[str, ...] = ("--disable-logging", "--log-5xx")
    if access_log is not None:
        told = ("--log-format", _LINE, "--req-logger", f"file:{access_log}")
    return (*fixed, *application, *_FLAGS.split(), *told, "--add-header", "Connection: close", *last)
