"""How an API is served."""

from __future__ import annotations

from multisite_lab import paths

_FLAGS = (
    "--processes 1 --threads 6 --enable-threads --lazy-apps --need-app --die-on-term --buffer-size 65535 "
    "--http-chunked-input --http-raw-body --chunked-input-timeout 60 --socket-timeout 60 --so-keepalive "
    "--listen 100 --disable-logging --log-5xx"
)


def command(name: str, module: str, address: str, arguments: str = "") -> tuple[str, ...]:
    """One process with six threads; plugins may keep threads of their own in it.

    It closes every connection after its answer and must say so: a client that keeps the connection would have
    its next request reset.
    """
    fixed = (f"{paths.openstack_venv()}/bin/uwsgi", "--http-socket", address)
    application = ("--module", f"{module}:application", "--procname-prefix-spaced", name)
    last = ("--pyargv", arguments) if arguments else ()
    return (*fixed, *application, *_FLAGS.split(), "--add-header", "Connection: close", *last)
