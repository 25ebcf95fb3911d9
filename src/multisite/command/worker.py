"""``multisite worker``: a process that only carries out jobs, beside others on the same database server."""

from __future__ import annotations

import logging
import os
import signal
import time
from typing import NoReturn

from oslo_config import cfg

from multisite.command import log, memory, wiring
from multisite.command.arguments import say
from multisite.domain.errors import MultisiteError, Unavailable
from multisite.store.failures import describe, is_transient

LOG = logging.getLogger(__name__)

DATABASE_PATIENCE = 60.0
"""Seconds a database server may take to come up before a worker that starts gives up."""


def work(conf: cfg.ConfigOpts) -> NoReturn:
    """Carry out jobs until told to stop (SIGTERM, SIGINT); ends the process."""
    log.set_up(conf.log_level, conf.log_file)
    memory.protect(allow_core_dumps=conf.allow_core_dumps)
    # Signals wait until somebody asks for them: threads begun from here on inherit that.
    stop = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)
    status = 0
    try:
        services = _launched(conf)
    except MultisiteError as error:
        LOG.error("cannot carry out jobs: %s", error)  # noqa: TRY400 - it says what to do, a traceback does not
        say(f"multisite: {error}")
        status = 1
    else:
        LOG.info("carrying out jobs")
        received = signal.sigwait(stop)
        LOG.info("%s: stopping", signal.Signals(received).name)
        services.close()
    logging.shutdown()
    os._exit(status)  # steps that still run have lost their right to act, nothing else is left


def _launched(conf: cfg.ConfigOpts) -> wiring.Services:
    deadline = time.monotonic() + DATABASE_PATIENCE
    while True:
        try:
            services = wiring.build(conf)
            services.begin()
        except Exception as error:
            if not (is_transient(error) or isinstance(error, Unavailable)):
                raise
            if time.monotonic() > deadline:
                raise MultisiteError(f"[database] connection: {describe(error)}") from error
            LOG.warning("the database does not answer yet: %s", describe(error))
            time.sleep(1)
        else:
            return services
