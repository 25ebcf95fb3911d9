"""Serving: gunicorn with one worker process that answers requests in threads and carries out the jobs.

One process on purpose: its threads share one connection per site, and on SQLite the job engine owns its database
alone.  gunicorn's parent only restarts it should it die; unfinished jobs then go on where they were.  More
processes, also on other machines, share a database server: each is a ``serve`` or a ``worker`` of its own.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Any, NoReturn

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from oslo_config import cfg

from multisite.command import log, memory, wiring
from multisite.command.arguments import say
from multisite.domain.errors import Conflict, MultisiteError

LOG = logging.getLogger(__name__)

WORKER_TIMEOUT = 300
"""Seconds without a sign of life from the worker's main loop before it is replaced."""
LOCK_PATIENCE = 15.0
"""Seconds to wait for an earlier process of ours to let go of the jobs (it may still be ending its steps)."""


class PlainLogger(Logger):  # type: ignore[misc]
    """gunicorn's messages go the way of all others."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.propagate = True


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn configured from ``multisite.conf`` alone: neither its command line nor GUNICORN_* count."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.conf = conf
        self.services: wiring.Services | None = None
        super().__init__()

    def load_config(self) -> None:
        host = f"[{self.conf.listen}]" if ":" in self.conf.listen else self.conf.listen
        settings = {
            "bind": f"{host}:{self.conf.port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": self.conf.threads,
            "timeout": WORKER_TIMEOUT,
            "graceful_timeout": self.conf.graceful_timeout,
            "keepalive": 5,
            "proc_name": "multisite",
            "pidfile": self.conf.pid_file,
            "logger_class": PlainLogger,
            "control_socket_disable": True,
            "post_worker_init": self.begin_work,
            "worker_exit": self.end_work,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """In the worker, after the fork: build everything, or say in one line why not."""
        from multisite.api.app import create_app

        try:
            self.services = wiring.build(self.conf, carry_out=self.conf.jobs.carry_out)
            wiring.rescan(self.services)
            return create_app(self.services, self.conf)
        except MultisiteError as error:
            _give_up(error)

    def begin_work(self, _worker: Any) -> None:
        """Launch the job engine; unfinished jobs go on."""
        assert self.services is not None
        deadline = time.monotonic() + LOCK_PATIENCE
        while True:
            try:
                self.services.begin()
                LOG.info("serving on %s port %s", self.conf.listen, self.conf.port)
                return
            except Conflict as error:
                if time.monotonic() > deadline:
                    _give_up(error)
                time.sleep(0.5)

    def end_work(self, _arbiter: Any, worker: Any) -> None:
        """Stop the engine: no new steps, running ones may end; the rest goes on at the next start."""
        if self.services is not None and os.getpid() == worker.pid:
            self.services.close()


def serve(conf: cfg.ConfigOpts) -> NoReturn:
    """Serve until told to stop (SIGTERM, SIGINT); ends the process."""
    log.set_up(conf.log_level, conf.log_file, conf.log_format)
    memory.protect(allow_core_dumps=conf.allow_core_dumps)
    status = 0
    try:
        Arbiter(Server(conf)).run()
    except SystemExit as done:  # how gunicorn's parent ends, and its worker, which has come back here
        status = done.code if isinstance(done.code, int) else int(done.code is not None)
    except BaseException:
        LOG.exception("serving failed")
        status = 1
    logging.shutdown()
    # Nothing is left to do, and taking the interpreter apart takes seconds that an operator waits for.
    os._exit(status)


def _give_up(error: Exception) -> Any:
    LOG.error("cannot serve: %s", error)
    say(f"multisite: {error}")
    # gunicorn's parent ends too on this status, instead of starting the worker again and again.
    sys.exit(Arbiter.APP_LOAD_ERROR)
