# SPDX-License-Identifier: Apache-2.0
"""What callers are told, and what Neutron must never notice."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from neutron_lib import exceptions
from neutron_lib.db import api as db_api
from oslo_db import exception as db_exc
from oslo_log import log as logging

LOG = logging.getLogger(__name__)


class BadRemotePort(exceptions.BadRequest):
    """400: the request cannot be right; the message names the field, what is wrong and what to do."""

    message = "%(error_message)s"


class RemotePortConflict(exceptions.Conflict):
    """409: the request does not fit this Neutron as it is."""

    message = "%(error_message)s"


@contextlib.contextmanager
def harmless(doing: str) -> Iterator[None]:
    """Keep a fault of this plugin away from an ordinary port: log it and go on.

    Let through are answers meant for the caller, and faults of the database: after those the transaction may be
    gone, so going on could commit half of it; Neutron retries or gives up, as it does everywhere.
    """
    try:
        yield
    except (exceptions.NeutronException, db_exc.DBError):
        raise
    except Exception as error:
        if db_api.is_retriable(error):
            raise
        LOG.exception("multisite-neutron failed %s; the port itself is not affected", doing)
